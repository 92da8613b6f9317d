// Rows conv2d and conv2d_grad_input: products of gathered windows with the weight, in pieces that stay in the cache.

#include <algorithm>

#include "core/base/memory.hpp"
#include "core/base/threads.hpp"
#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/gather.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/panels.hpp"
#include "kernels/cpu/walk.hpp"

namespace lora::kernels::LORA_CPU_ISA {
namespace {

Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }

template <class T>
std::size_t bytes_of(Index count) {
  return static_cast<std::size_t>(count) * sizeof(T);
}

/// The weight as a convolution reads it: from `channels` of a window to `columns` of the result, for each group.
template <class T>
struct Weight {
  const T* data;
  Index group, channel, column, h, w;  // strides
  Index columns;                       // of one group
  T scale;
};

/// The result of a convolution, channels-last, and what it starts from: element (n, channel, h, w) of `addend`, or 0.
template <class T>
struct Target {
  T* data;
  Index height, width, pixel;
  const T* addend;
  Index batch_stride, channel_stride, h_stride, w_stride;
};

/// How the work is cut: pieces of rows times groups times blocks of panels.
struct Cut {
  Index rows, pieces, groups, panels, block, blocks;
  Index tasks() const { return pieces * groups * blocks; }
};

template <class T>
Cut cut_work(const Gather& g, Index groups, Index columns) {
  Cut cut{};
  cut.rows = rows_at_a_time(g, columns, sizeof(T));
  cut.pieces = ceil_div(g.positions(), cut.rows);
  cut.groups = groups;
  cut.panels = ceil_div(columns, kPanel<T>);
  const Index wanted = cut.pieces * groups >= 8 ? 1 : ceil_div(8, cut.pieces * groups);
  cut.block = ceil_div(cut.panels, std::min(wanted, cut.panels));
  cut.blocks = ceil_div(cut.panels, cut.block);
  return cut;
}

/// One panel of the weight: row (kernel row, kernel column, channel) has kPanel columns, those beyond the last are 0.
template <class T>
void pack_panel(const Gather& g, const Weight<T>& weight, const T* from, Index columns, T* to) {
  for (Index c = 0; c < g.channels; ++c) {
    for (Index i = 0; i < g.h.taps; ++i) {
      for (Index j = 0; j < g.w.taps; ++j) {
        const T* element =
            from + c * weight.channel + (g.h.first_tap + i * g.h.tap_step) * weight.h + (g.w.first_tap + j * g.w.tap_step) * weight.w;
        T* row = to + ((i * g.w.taps + j) * g.channels + c) * kPanel<T>;
        for (Index column = 0; column < columns; ++column) {
          row[column] = weight.scale * element[column * weight.column];
        }
        zero_run(kPanel<T> - columns, row + columns);
      }
    }
  }
}

template <class T>
void pack_weight(const Gather& g, const Cut& cut, const Weight<T>& weight, T* to) {
  const Index size = g.values() * kPanel<T>;
  parallel_for(cut.groups * cut.panels, std::max<Index>(1, kGrain / std::max<Index>(1, size)), [&](Index begin, Index end) {
    for (Index p = begin; p < end; ++p) {
      const Index column = p % cut.panels * kPanel<T>;
      const T* from = weight.data + p / cut.panels * weight.group + column * weight.column;
      pack_panel(g, weight, from, std::min(kPanel<T>, weight.columns - column), to + p * size);
    }
  });
}

/// Writes what `columns` channels of a pixel start from.
template <class T>
void start_pixel(const Target<T>& y, const Position& at, Index channel, Index columns, T* to) {
  if (y.addend == nullptr) {
    return zero_run(columns, to);
  }
  const T* from = y.addend + at.n * y.batch_stride + channel * y.channel_stride + at.i * y.h_stride + at.j * y.w_stride;
  if (y.channel_stride == 1) {
    return each(columns, [=](Index c) { to[c] = from[c]; });
  }
  for (Index c = 0; c < columns; ++c) {
    to[c] = from[c * y.channel_stride];
  }
}

/// Rows `first`..`first + rows - 1` of the result, `columns` channels from `channel` on, of one group.
struct Piece {
  Index first, rows, group, panel, channel, columns;
};

Piece piece_at(const Cut& cut, Index positions, Index columns, Index panel_columns, Index task) {
  Piece piece{};
  piece.panel = task % cut.blocks * cut.block;
  piece.group = task / cut.blocks % cut.groups;
  piece.first = task / cut.blocks / cut.groups * cut.rows;
  piece.rows = std::min(cut.rows, positions - piece.first);
  piece.columns = std::min(cut.block * panel_columns, columns - piece.panel * panel_columns);
  piece.channel = piece.group * columns + piece.panel * panel_columns;
  return piece;
}

/// A convolution of `source` to `y` with a weight that is packed.
template <class T>
struct Convolution {
  Gather gather;
  const T* source;
  const T* weight;  // panels, group after group
  Index columns;    // of one group
  Target<T> y;
  Cut cut;

  /// True if positions are neighbours in the result as they are here.
  bool dense() const { return gather.h.stride == 1 && gather.w.stride == 1; }
};

/// The piece's product, added to rows that start at `to`.
template <class T>
void multiply_piece(const Convolution<T>& conv, const Piece& piece, const ResultRows<T>& to) {
  const Gather& g = conv.gather;
  const Index k = g.values(), size = k * kPanel<T>;
  const Panels<T> weight{conv.weight + (piece.group * conv.cut.panels + piece.panel) * size, size, kPanel<T>};
  const T* source = conv.source + piece.group * g.channels;
  if (g.is_source()) {
    return multiply(piece.rows, piece.columns, k, {source + piece.first * g.pixel, g.pixel, 1}, weight, to);
  }
  const Scratch windows(bytes_of<T>(piece.rows * k));
  gather_rows(g, source, piece.first, piece.rows, windows.ptr<T>(), k);
  multiply(piece.rows, piece.columns, k, {windows.ptr<T>(), k, 1}, weight, to);
}

template <class T>
void convolve_dense(const Convolution<T>& conv, const Piece& piece) {
  T* to = conv.y.data + piece.first * conv.y.pixel + piece.channel;
  Position at = position_at(conv.gather, piece.first);
  for (Index r = 0; r < piece.rows; ++r, advance(conv.gather, at)) {
    start_pixel(conv.y, at, piece.channel, piece.columns, to + r * conv.y.pixel);
  }
  multiply_piece(conv, piece, {to, conv.y.pixel});
}

/// Where the pixels of a piece are not neighbours in the result they are made apart and copied.
template <class T>
void convolve_spread(const Convolution<T>& conv, const Piece& piece) {
  const Gather& g = conv.gather;
  const Scratch result(bytes_of<T>(piece.rows * piece.columns));
  T* from = result.ptr<T>();
  zero_run(piece.rows * piece.columns, from);
  multiply_piece(conv, piece, {from, piece.columns});
  Position at = position_at(g, piece.first);
  for (Index r = 0; r < piece.rows; ++r, advance(g, at), from += piece.columns) {
    const Index i = g.h.origin + at.i * g.h.stride, j = g.w.origin + at.j * g.w.stride;
    copy_run(piece.columns, from, conv.y.data + ((at.n * conv.y.height + i) * conv.y.width + j) * conv.y.pixel + piece.channel);
  }
}

template <class T>
void convolve(const Gather& g, Index groups, const T* source, const Weight<T>& weight, const Target<T>& y) {
  if (g.positions() == 0 || weight.columns == 0) {
    return;
  }
  const Cut cut = cut_work<T>(g, groups, weight.columns);
  const Scratch packed(bytes_of<T>(groups * cut.panels * g.values() * kPanel<T>));
  pack_weight(g, cut, weight, packed.ptr<T>());
  const Convolution<T> conv{g, source, packed.ptr<T>(), weight.columns, y, cut};
  parallel_for(cut.tasks(), 1, [&](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Piece piece = piece_at(cut, g.positions(), weight.columns, kPanel<T>, task);
      if (conv.dense()) {
        convolve_dense(conv, piece);
      } else {
        convolve_spread(conv, piece);
      }
    }
  });
}

}  // namespace

void conv2d(const Context&, const Conv2dShape& shape, double scale, const ConstView& x, const ConstView& weight, const ConstView* addend,
            const View& y) {
  const Gather g{forward_taps(shape.h), forward_taps(shape.w), shape.batch, shape.in_channels / shape.groups, shape.in_channels};
  const Index columns = shape.out_channels / shape.groups;
  const Shape& s = weight.strides;
  const Shape a = addend != nullptr ? addend->strides : Shape{0, 0, 0, 0};
  visit_real(y.dtype, [&]<class T>(Tag<T>) {
    const Weight<T> w{weight.ptr<T>(), columns * s[0], s[1], s[0], s[2], s[3], columns, static_cast<T>(scale)};
    const T* start = addend != nullptr ? addend->ptr<T>() : nullptr;
    convolve<T>(g, shape.groups, x.ptr<T>(), w, {y.ptr<T>(), shape.h.out, shape.w.out, shape.out_channels, start, a[0], a[1], a[2], a[3]});
  });
}

void conv2d_grad_input(const Context&, const Conv2dShape& shape, double scale, const ConstView& weight, const ConstView& gy,
                       const View& gx) {
  const Index channels = shape.out_channels / shape.groups, columns = shape.in_channels / shape.groups;
  const Shape& s = weight.strides;
  visit_real(gx.dtype, [&]<class T>(Tag<T>) {
    const Weight<T> w{weight.ptr<T>(), channels * s[0], s[0], s[1], s[2], s[3], columns, static_cast<T>(scale)};
    for (Index i = 0; i < std::min(shape.h.stride, shape.h.in); ++i) {
      for (Index j = 0; j < std::min(shape.w.stride, shape.w.in); ++j) {
        const Gather g{backward_taps(shape.h, i), backward_taps(shape.w, j), shape.batch, channels, shape.out_channels};
        convolve<T>(g, shape.groups, gy.ptr<T>(), w, {gx.ptr<T>(), shape.h.in, shape.w.in, shape.in_channels, nullptr, 0, 0, 0, 0});
      }
    }
  });
}

}  // namespace lora::kernels::LORA_CPU_ISA
