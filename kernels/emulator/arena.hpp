#pragma once
// The shared memory of a block.

#include <cstddef>
#include <vector>

namespace lora::simt {

/// Arrays with poisoned gaps between them. A plain static array would not be guarded by the address sanitizer.
class Arena {
 public:
  Arena() = default;
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// Forgets the arrays of the block before and makes the dynamic one, of `dynamic` bytes.
  void reset(std::size_t dynamic);
  /// The array of `site`, filled with 0xff when it is asked for first; null if shared memory is exhausted.
  void* array(const void* site, std::size_t bytes, std::size_t align);
  void* dynamic() const { return dynamic_; }
  bool holds(const void* p, std::size_t bytes) const;
  /// Whether an array was written just past its end: what can be seen without a sanitizer.
  bool damaged() const;
  /// Places of the thread sanitizer's clocks, at most 4096; new ones for each block.
  char* clock(unsigned number) const { return reinterpret_cast<char*>(memory_) + number; }

 private:
  struct Array {
    const void* site;
    std::byte* begin;
    std::size_t bytes;
  };
  void map(std::size_t bytes);
  std::byte* take(const void* site, std::size_t bytes, std::size_t align);

  std::byte* memory_ = nullptr;
  std::size_t used_ = 0, static_bytes_ = 0;
  void* dynamic_ = nullptr;
  std::vector<Array> arrays_;
};

}  // namespace lora::simt
