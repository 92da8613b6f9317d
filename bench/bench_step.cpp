// bench_step: time of one training step (and one evaluation pass) of the experiments' models.
//   bench_step [--threads N] [--batch N] [--rank R] [Google Benchmark's options, as --benchmark_filter=mlp/lora]

#include <chrono>

#include "bench/step_case.hpp"
#include "bench/support.hpp"

namespace {

using lora::bench::StepCase;

/// The model is made when its case runs, so that the cases before it leave their memory.
void run_case(benchmark::State& state, const StepCase& c) {
  const lora::bench::Step step = lora::bench::make_step(c);
  for (int i = 0; i < 5; ++i) {
    step.run();  // as the peer: the first steps fill caches
  }
  const auto start = std::chrono::steady_clock::now();
  for ([[maybe_unused]] const auto iteration : state) {
    step.run();
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  state.counters["images/s"] = static_cast<double>(state.iterations() * c.batch) / seconds.count();
  state.counters["trainable"] = static_cast<double>(step.trainable);
  state.counters["total"] = static_cast<double>(step.total);
}

}  // namespace

int main(int argc, char** argv) {
  return lora::bench::run_main(argc, argv, [](int& count, char** arguments) {
    const int batch = lora::bench::take_option(count, arguments, "batch", 0);
    const int rank = lora::bench::take_option(count, arguments, "rank", 0);
    for (const StepCase& c : lora::bench::step_cases(batch, rank)) {
      benchmark::RegisterBenchmark(c.name().c_str(), [c](benchmark::State& state) {
        run_case(state, c);
      })->Unit(benchmark::kMillisecond);  // Time is the wall clock's; UseRealTime() would add to the name
    }
  });
}
