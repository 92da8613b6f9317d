#pragma once
// Which thread of a block runs next.

#include <cstdint>
#include <random>
#include <vector>

namespace lora::simt {

/// Threads by number, first those that have not begun, then also those that wait no longer. Orders as in Options.
class Schedule {
 public:
  void begin(unsigned threads, int order, std::uint32_t seed);

  bool descending() const { return order_ == 1; }
  /// Whether a thread that could go on makes way for others that could.
  bool gives_way() const { return order_ >= 1; }
  bool empty() const { return !has_ready() && !has_fresh(); }
  /// Whether the next thread has not begun yet.
  bool next_is_fresh() const;
  unsigned take_fresh() { return fresh_[next_fresh_++]; }
  unsigned take_ready();
  void add_ready(unsigned thread);

 private:
  bool has_fresh() const { return next_fresh_ < fresh_.size(); }
  bool has_ready() const { return head_ != tail_ || !heap_.empty(); }
  void draw_priorities(unsigned threads, std::uint32_t seed);

  int order_ = 0;
  std::vector<unsigned> fresh_;  // in the order in which they begin
  std::size_t next_fresh_ = 0;
  std::vector<unsigned> ring_;  // who is ready, in the order of getting so
  std::size_t head_ = 0, tail_ = 0, mask_ = 0;
  std::vector<unsigned> heap_;  // the same by priority
  std::vector<std::uint32_t> priority_;
};

}  // namespace lora::simt
