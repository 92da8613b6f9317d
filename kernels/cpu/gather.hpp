#pragma once
// Windows of a channels-last image as rows of a matrix (im2col), a bounded number of rows at a time. Convolution and both its gradients
// are products with such rows.

#include <algorithm>
#include <cstring>

#include "kernels/window_taps.hpp"

namespace lora::kernels::LORA_CPU_ISA {

/// Windows over the images of a batch. A source pixel has `pixel` values, of which a window takes the `channels` of one group.
struct Gather {
  TapAxis h, w;
  Index batch, channels, pixel;

  Index positions() const { return batch * h.size * w.size; }
  /// Values in a row: kernel rows, kernel columns, channels.
  Index values() const { return h.taps * w.taps * channels; }
  /// True if the rows are the pixels as they lie.
  bool is_source() const {
    const auto whole = [](const TapAxis& a) { return a.taps == 1 && a.step == 1 && a.offset == 0 && a.size == a.source; };
    return whole(h) && whole(w);
  }
};

/// Image n, row i and column j of a position, which are numbered in that order.
struct Position {
  Index n, i, j;
};

inline Position position_at(const Gather& g, Index number) {
  return {number / g.w.size / g.h.size, number / g.w.size % g.h.size, number % g.w.size};
}

inline void advance(const Gather& g, Position& at) {
  if (++at.j == g.w.size) {
    at.j = 0;
    if (++at.i == g.h.size) {
      at.i = 0;
      ++at.n;
    }
  }
}

template <class T>
[[gnu::always_inline]] inline void copy_run(Index n, const T* from, T* to) {
  if (n >= 16) {
    std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(T));
  } else {
    for (Index i = 0; i < n; ++i) {
      to[i] = from[i];
    }
  }
}

template <class T>
[[gnu::always_inline]] inline void zero_run(Index n, T* to) {
  for (Index i = 0; i < n; ++i) {
    to[i] = T(0);
  }
}

/// One row of one window: the taps of w for the source row at `row`, which lie from column `first` on.
template <class T>
void gather_row(const Gather& g, const T* row, Index first, T* to) {
  const TapAxis& w = g.w;
  const Index low = first >= 0 ? 0 : std::min(w.taps, (-first - 1) / w.spread + 1);
  const Index after = first >= w.source ? 0 : (w.source - 1 - first) / w.spread + 1, high = std::clamp(after, low, w.taps);
  zero_run(low * g.channels, to);
  const T* from = row + (first + low * w.spread) * g.pixel;
  if (w.spread == 1 && g.channels == g.pixel) {
    copy_run((high - low) * g.channels, from, to + low * g.channels);
  } else {
    for (Index t = low; t < high; ++t, from += w.spread * g.pixel) {
      copy_run(g.channels, from, to + t * g.channels);
    }
  }
  zero_run((w.taps - high) * g.channels, to + high * g.channels);
}

/// Positions first..first+count-1 as rows that lie `row` apart. `source` is the group's first channel of the first pixel.
template <class T>
void gather_rows(const Gather& g, const T* source, Index first, Index count, T* to, Index row) {
  Position at = position_at(g, first);
  const Index stretch = g.w.taps * g.channels;
  for (Index r = 0; r < count; ++r, to += row, advance(g, at)) {
    for (Index t = 0; t < g.h.taps; ++t) {
      const Index line = at.i * g.h.step + g.h.offset + t * g.h.spread;
      if (line < 0 || line >= g.h.source) {
        zero_run(stretch, to + t * stretch);
      } else {
        gather_row(g, source + (at.n * g.h.source + line) * g.w.source * g.pixel, at.j * g.w.step + g.w.offset, to + t * stretch);
      }
    }
  }
}

/// Rows that are made at a time: they stay in the cache, and there are several such pieces wherever there is work for several threads.
/// By the sizes alone.
inline Index rows_at_a_time(const Gather& g, Index columns, std::size_t item) {
  constexpr Index kCache = Index{256} << 10, kMost = Index{2} << 20;  // bytes
  constexpr Index kFew = 64;                                          // rows: with fewer the other operand is read too often
  constexpr Index kWork = Index{1} << 19;                             // multiplications of a piece: some ten microseconds
  constexpr Index kPieces = 16;
  const Index bytes = std::max<Index>(1, g.values() * static_cast<Index>(item));
  const Index cached = std::max(kCache / bytes, std::min(kFew, kMost / bytes));
  const Index worth = kWork / std::max<Index>(1, g.values() * columns) + 1;
  return std::max<Index>(1, std::min(cached, std::max(worth, (g.positions() - 1) / kPieces + 1)));
}

}  // namespace lora::kernels::LORA_CPU_ISA
