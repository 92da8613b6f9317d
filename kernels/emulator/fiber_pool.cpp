#include "kernels/emulator/fiber_pool.hpp"

#include <utility>

#include "kernels/emulator/sanitizers.hpp"

namespace lora::simt {

namespace {
constexpr std::size_t kSpare = 16;
}

// The thread sanitizer takes what comes before a fiber's creation as done before all that it runs. So all are created here, by the host,
// and each runs one thread of a block only.
void FiberPool::begin(std::size_t threads) {
  if (kTsan) {
    while (all_.size() < threads + kSpare) {
      grow();
    }
    free_.clear();
    for (const auto& fiber : all_) {
      free_.push_back(fiber.get());
    }
  }
}

Fiber& FiberPool::take(void (*entry)()) {
  const Quiet quiet;
  if (free_.empty()) {
    grow();
  }
  if (kTsan) {  // threads of two blocks are ordered if they share a fiber; which ones do must not be the same all the time
    std::swap(free_[random_() % free_.size()], free_.back());
  }
  Fiber& fiber = *free_.back();
  free_.pop_back();
  fiber.prepare(entry);
  return fiber;
}

void FiberPool::give_back(Fiber& fiber) {
  if (!kTsan) {
    free_.push_back(&fiber);
  }
}

void FiberPool::clear() {
  free_.clear();
  all_.clear();
}

void FiberPool::grow() {
  all_.push_back(std::make_unique<Fiber>(all_.size()));
  free_.reserve(all_.size());
  free_.push_back(all_.back().get());
}

}  // namespace lora::simt
