#pragma once
// What the benchmark programs share: threads from the command line, and counters of work done.

#include <benchmark/benchmark.h>

#include <functional>
#include <string>

#include "core/tensor.hpp"

namespace lora::bench {

/// Takes `--NAME VALUE` or `--NAME=VALUE` out of the arguments. @throws Error unless the value is a whole number of 1 or more
/// @return the value, or `otherwise` if the option is not there
int take_option(int& argc, char** argv, const std::string& name, int otherwise);

/// Takes `--threads N`, hands the rest to Google Benchmark and runs. `register_all` names the cases; it may take options of its own first.
/// @return the exit status: 2 for wrong use
int run_main(int argc, char** argv, const std::function<void(int& argc, char** argv)>& register_all);

/// Work of one iteration, shown as FLOP/s and bytes/s. 0 shows nothing.
struct Work {
  double flops = 0;
  double bytes = 0;
};

/// A case `name` that calls `run` again and again. Times are of the wall clock, as work is spread over threads.
void add_case(const std::string& name, Work work, std::function<void()> run);

}  // namespace lora::bench
