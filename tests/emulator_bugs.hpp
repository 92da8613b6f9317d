#pragma once
// Kernels with bugs planted in them. Each of them also runs without its bug, and must then be quiet everywhere.

#include <string_view>
#include <vector>

namespace lora::testing {

/// What finds it.
enum class Finder {
  engine,  ///< an Error of the launch, in every build
  values,  ///< in one of the orders 0 to 9 another result or an Error, in a build without sanitizers
  address,
  undefined,
  thread
};

struct Bug {
  const char* name;
  Finder finder;
  const char* report;  ///< part of what is said; empty for values
  void (*kernel)(float* out, int planted);
  unsigned blocks, threads;
};

/// Most are there once for each of their finders.
const std::vector<Bug>& bugs();

/// The 256 numbers that the kernel leaves of as many ones. @throws Error of the launch
std::vector<float> run_bug(const Bug& bug, bool planted);

}  // namespace lora::testing
