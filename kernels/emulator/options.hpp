#pragma once
// How the emulator runs kernels.

namespace lora::simt {

struct Options {
  /// Which thread runs where several could: 0 in ascending order, 1 in descending order; from 2 on the seed of random priorities, of which
  /// the best runs as far as barriers let it (even: one for each warp, odd: one for each thread). Blocks descend where it is odd.
  int order = 0;
  /// OS threads over the blocks of a launch. 1 under the thread sanitizer.
  int threads = 1;
  /// Whether pointer arguments of kernels must be device memory (device_ranges.hpp).
  bool check_pointers = true;
};

/// From LORA_SIMT_ORDER and LORA_SIMT_THREADS; tests may change them while no kernel runs.
Options& options();

}  // namespace lora::simt
