#pragma once
// Streams of the emulator: what was submitted to one runs in order, at once or as late as CUDA allows it.

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>

namespace lora::simt {

/// What a cudaStream_t points to. Safe to use from any thread.
class Stream {
 public:
  /// Runs `work` after all that was submitted before: now, or with LORA_CUDA_LAZY=1 not before somebody waits for it, so that a wait that
  /// is missing shows. @throws what `work` throws, if it runs now
  void submit(std::function<void()> work);
  /// How many were submitted.
  std::uint64_t submitted();
  /// Runs the first `count` of all that were submitted. @throws what one of them throws
  void wait(std::uint64_t count);
  void wait() { wait(submitted()); }

 private:
  std::mutex mutex_;
  std::deque<std::function<void()>> waiting_;
  std::uint64_t done_ = 0;
};

/// Submits to the stream that a cudaStream_t points to; for null `work` runs at once.
void submit(void* stream, std::function<void()> work);

/// Whether streams run their work late: LORA_CUDA_LAZY=1. Tests may change it while no work waits.
bool& lazy_streams();

}  // namespace lora::simt
