#pragma once
// Functions of one element for each place, over arrays of any strides. A function has one loop, over contiguous elements: rows of other
// strides go through buffers. That keeps the code of many functions for many types small.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/base/view.hpp"
#include "kernels/cpu/walk.hpp"

namespace lora::kernels::LORA_CPU_ISA {

/// out[i] = f(in[0][i], in[1][i], ..) for n contiguous elements. `constants` is what the caller gave.
using RowFunction = void (*)(Index n, const void* const* in, void* out, const void* constants);

/// An array: its first element, and the bytes of one.
struct Elements {
  char* data;
  Index size;
};

inline constexpr Index kRowBuffer = 256;  // elements

template <class T>
[[gnu::always_inline]] inline void move_elements(Index n, const char* from, Index in, char* to, Index out) {
  const auto* source = reinterpret_cast<const T*>(from);
  auto* target = reinterpret_cast<T*>(to);
  for (Index i = 0; i < n; ++i) {
    target[i * out] = source[i * in];
  }
}

/// to[i * out] = from[i * in] for elements of `size` bytes.
inline void move_elements(Index size, Index n, const char* from, Index in, char* to, Index out) {
  if (in == 1 && out == 1) {
    std::memcpy(to, from, static_cast<std::size_t>(n * size));
    return;
  }
  switch (size) {
    case 1: return move_elements<std::uint8_t>(n, from, in, to, out);
    case 2: return move_elements<std::uint16_t>(n, from, in, to, out);
    case 4: return move_elements<std::uint32_t>(n, from, in, to, out);
    default: return move_elements<std::uint64_t>(n, from, in, to, out);
  }
}

/// One stretch of a row: arrays[0] is the result, the others are operands. `first` has the bytes from the start of each array.
template <std::size_t N>
void apply_row(Index n, const Elements (&arrays)[N], const Index (&first)[N], const Index (&step)[N], RowFunction f,
               const void* constants) {
  alignas(64) char buffer[N][kRowBuffer * 8];
  for (Index at = 0; at < n; at += kRowBuffer) {
    const Index count = n - at < kRowBuffer ? n - at : kRowBuffer;
    const void* in[N];
    for (std::size_t k = 1; k < N; ++k) {
      const char* from = arrays[k].data + first[k] + at * step[k] * arrays[k].size;
      in[k - 1] = step[k] == 1 ? from : buffer[k];
      if (step[k] != 1 && (step[k] != 0 || at == 0)) {  // one value for the whole row is written once
        move_elements(arrays[k].size, step[k] == 0 ? kRowBuffer : count, from, step[k], buffer[k], 1);
      }
    }
    char* to = arrays[0].data + first[0] + at * step[0] * arrays[0].size;
    f(count, in, step[0] == 1 ? to : buffer[0], constants);
    if (step[0] != 1) {
      move_elements(arrays[0].size, count, buffer[0], 1, to, step[0]);
    }
  }
}

/// f over all elements, in pieces.
template <std::size_t N>
void for_rows(const Walk<N>& walk, const Elements (&arrays)[N], RowFunction f, const void* constants = nullptr) {
  Index step[N];
  for (std::size_t k = 0; k < N; ++k) {
    step[k] = walk.inner_stride(k);
  }
  walk_parallel(walk, [&](Index n, const Index(&offset)[N]) {
    Index first[N];
    const void* in[N];
    for (std::size_t k = 0; k < N; ++k) {
      first[k] = offset[k] * arrays[k].size;
      in[k] = arrays[k].data + first[k];
    }
    if (walk.inner_contiguous()) {
      f(n, in + 1, arrays[0].data + first[0], constants);
    } else {
      apply_row(n, arrays, first, step, f, constants);
    }
  });
}

/// The elements of a view; those of operands are only read.
[[gnu::always_inline]] inline Elements elements(const ConstView& x, Index size) {
  return {const_cast<char*>(static_cast<const char*>(x.data)), size};
}
[[gnu::always_inline]] inline Elements elements(const View& x, Index size) { return {static_cast<char*>(x.data), size}; }

}  // namespace lora::kernels::LORA_CPU_ISA
