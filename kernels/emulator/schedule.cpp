#include "kernels/emulator/schedule.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

namespace lora::simt {

namespace {
constexpr unsigned kWarpSize = 32;
}

void Schedule::begin(unsigned threads, int order, std::uint32_t seed) {
  const bool same = order == 0 && order_ == 0 && fresh_.size() == threads;
  order_ = order;
  next_fresh_ = head_ = tail_ = 0;
  heap_.clear();
  if (same) {
    return;
  }
  ring_.resize(std::bit_ceil(threads));
  mask_ = ring_.size() - 1;
  heap_.reserve(threads);
  fresh_.resize(threads);
  std::iota(fresh_.begin(), fresh_.end(), 0u);
  if (order == 1) {
    std::reverse(fresh_.begin(), fresh_.end());
  } else if (order >= 2) {
    draw_priorities(threads, seed);
  }
}

// A uniformly random order at each step would keep all threads near each other, and races that need one far ahead would stay hidden.
void Schedule::draw_priorities(unsigned threads, std::uint32_t seed) {
  std::mt19937 random(seed);
  const unsigned unit = order_ % 2 == 0 ? kWarpSize : 1;
  priority_.resize(threads);
  for (unsigned i = 0; i < threads; ++i) {
    priority_[i] = i % unit != 0 ? priority_[i - 1] : static_cast<std::uint32_t>(random());
  }
  std::stable_sort(fresh_.begin(), fresh_.end(), [&](unsigned a, unsigned b) { return priority_[a] > priority_[b]; });
}

bool Schedule::next_is_fresh() const {
  if (!has_fresh() || !has_ready()) {
    return has_fresh();
  }
  return order_ >= 2 && priority_[heap_.front()] < priority_[fresh_[next_fresh_]];
}

unsigned Schedule::take_ready() {
  if (order_ < 2) {
    return ring_[head_++ & mask_];
  }
  std::pop_heap(heap_.begin(), heap_.end(), [&](unsigned a, unsigned b) { return priority_[a] < priority_[b]; });
  const unsigned thread = heap_.back();
  heap_.pop_back();
  return thread;
}

void Schedule::add_ready(unsigned thread) {
  if (order_ < 2) {
    ring_[tail_++ & mask_] = thread;
    return;
  }
  heap_.push_back(thread);
  std::push_heap(heap_.begin(), heap_.end(), [&](unsigned a, unsigned b) { return priority_[a] < priority_[b]; });
}

}  // namespace lora::simt
