#include "kernels/emulator/arena.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "core/base/error.hpp"
#include "kernels/emulator/sanitizers.hpp"

namespace lora::simt {

namespace {

constexpr std::size_t kPage = 4096, kClocks = kPage;
constexpr std::size_t kBytes = 512u << 10;
constexpr std::size_t kGap = kAsan ? 256 : 64;
constexpr std::size_t kMostStatic = 48u << 10, kMostDynamic = 227u << 10;
constexpr std::byte kPoison{0xff};  // NaN as f32, f64, f16 and bf16

}  // namespace

Arena::~Arena() {
  if (memory_ != nullptr) {
    unpoison(memory_, kBytes);
    munmap(memory_, kBytes);
  }
}

void Arena::map(std::size_t bytes) {
  const Quiet quiet;
  if (memory_ != nullptr) {
    munmap(memory_, bytes);
  }
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (memory_ != nullptr ? MAP_FIXED : 0);
  void* const memory = mmap(memory_, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
  require(memory != MAP_FAILED, "emulator", "no memory for a block's shared arrays; free some");
  memory_ = static_cast<std::byte*>(memory);
}

void Arena::reset(std::size_t dynamic) {
  if (memory_ == nullptr) {
    map(kBytes);
    used_ = kBytes;
  } else if (kTsan) {  // which forgets accesses and clocks of the block before with the memory
    map((used_ + kPage - 1) / kPage * kPage);
  }
  poison(memory_ + kClocks, used_ - kClocks);
  used_ = kClocks;
  static_bytes_ = 0;
  arrays_.clear();
  dynamic_ = dynamic > 0 && dynamic <= kMostDynamic ? take(this, dynamic, 128) : nullptr;
}

void* Arena::array(const void* site, std::size_t bytes, std::size_t align) {
  for (const Array& known : arrays_) {
    if (known.site == site) {
      return known.begin;
    }
  }
  static_bytes_ += bytes;
  return static_bytes_ <= kMostStatic ? take(site, bytes, align) : nullptr;
}

// At an odd multiple of `align`: who relies on more would be right by luck.
std::byte* Arena::take(const void* site, std::size_t bytes, std::size_t align) {
  const Quiet quiet;
  std::size_t begin = (used_ + kGap + align - 1) / align * align;
  begin += begin / align % 2 == 0 ? align : 0;
  std::byte* const array = memory_ + begin;
  unpoison(array, bytes);
  std::memset(memory_ + used_, static_cast<int>(kPoison), kAsan ? 0 : begin - used_);
  std::memset(array, static_cast<int>(kPoison), bytes + (kAsan ? 0 : kGap));
  used_ = begin + bytes;
  arrays_.push_back({site, array, bytes});
  return array;
}

bool Arena::holds(const void* p, std::size_t bytes) const {
  return std::any_of(arrays_.begin(), arrays_.end(), [&](const Array& array) {
    const auto offset = reinterpret_cast<std::uintptr_t>(p) - reinterpret_cast<std::uintptr_t>(array.begin);
    return offset < array.bytes && bytes <= array.bytes - offset;
  });
}

bool Arena::damaged() const {
  return !kAsan && std::any_of(arrays_.begin(), arrays_.end(), [](const Array& array) {
    const std::byte* const end = array.begin + array.bytes;
    return std::any_of(end, end + kGap, [](std::byte b) { return b != kPoison; });
  });
}

}  // namespace lora::simt
