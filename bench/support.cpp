#include "bench/support.hpp"

#include <algorithm>
#include <charconv>
#include <iostream>

#include "core/base/threads.hpp"

namespace lora::bench {

namespace {

int parse_count(const std::string& name, const std::string& text) {
  int value = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  require(parsed.ec == std::errc{} && parsed.ptr == end && value >= 1, "bench", "--", name, " is '", text,
          "'; it must be a whole number of 1 or more");
  return value;
}

/// Removes argv[at .. at+count-1].
void remove_arguments(int& argc, char** argv, int at, int count) {
  std::copy(argv + at + count, argv + argc + 1, argv + at);
  argc -= count;
}

int register_and_run(int argc, char** argv, const std::function<void(int&, char**)>& register_all) {
  set_num_threads(take_option(argc, argv, "threads", num_threads()));
  register_all(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  benchmark::AddCustomContext("lora_threads", std::to_string(num_threads()));
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace

int take_option(int& argc, char** argv, const std::string& name, int otherwise) {
  const std::string flag = "--" + name;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == flag) {
      require(i + 1 < argc, "bench", flag, " needs a number");
      const int value = parse_count(name, argv[i + 1]);
      remove_arguments(argc, argv, i, 2);
      return value;
    }
    if (argument.rfind(flag + "=", 0) == 0) {
      const int value = parse_count(name, argument.substr(flag.size() + 1));
      remove_arguments(argc, argv, i, 1);
      return value;
    }
  }
  return otherwise;
}

int run_main(int argc, char** argv, const std::function<void(int&, char**)>& register_all) {
  try {
    return register_and_run(argc, argv, register_all);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}

void add_case(const std::string& name, Work work, std::function<void()> run) {
  benchmark::RegisterBenchmark(name.c_str(), [work, run = std::move(run)](benchmark::State& state) {
    for ([[maybe_unused]] const auto iteration : state) {
      run();
    }
    if (work.flops > 0) {
      state.counters["FLOP/s"] = benchmark::Counter(work.flops, benchmark::Counter::kIsIterationInvariantRate);
    }
    if (work.bytes > 0) {
      state.counters["bytes/s"] =
          benchmark::Counter(work.bytes, benchmark::Counter::kIsIterationInvariantRate, benchmark::Counter::kIs1024);
    }
  })->UseRealTime();
}

}  // namespace lora::bench
