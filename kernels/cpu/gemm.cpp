// Row gemm: Eigen multiplies tiles of the result, cut by shape alone, so the bits do not depend on the number of threads.

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/dot.hpp"
#include "kernels/cpu/eigen.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/walk.hpp"

namespace lora::kernels::LORA_CPU_ISA {
namespace {

/// A batch of matrices: element (i, j) of matrix s is data[s * batch + i * row + j * column].
template <class T>
struct Matrices {
  T* data;
  Index batch, row, column;
};

template <class T>
Matrices<const T> matrices(const ConstView& v) {
  return {v.ptr<T>(), v.strides[0], v.strides[1], v.strides[2]};
}

/// Sizes, and how the result is cut: tiles of tile_m x tile_n, counted over the batch.
struct Cut {
  Index batch, m, n, k;
  Index tile_m, tile_n, tiles_m, tiles_n;
  Index tiles() const { return batch * tiles_m * tiles_n; }
};

constexpr std::uint64_t kTileWork = 1 << 20;  // multiplications of a tile: 10 to 20 microseconds
constexpr std::uint64_t kMaxTiles = 16;       // of one result; more would pack the same operands more often

Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }

/// Half of a side, rounded up to what fills vectors.
Index half_of(Index side) { return ceil_div(ceil_div(side, 2), 16) * 16; }

/// Halves the longer side until tiles are small enough.
Cut cut_result(Index batch, Index m, Index n, Index k) {
  Cut cut{batch, m, n, k, std::max<Index>(m, 1), std::max<Index>(n, 1), 1, 1};
  const auto work = static_cast<std::uint64_t>(m * n * k);
  for (auto tiles = std::clamp<std::uint64_t>(work / kTileWork, 1, kMaxTiles); tiles > 1; tiles /= 2) {
    Index& longer = cut.tile_n > cut.tile_m ? cut.tile_n : cut.tile_m;
    longer = std::min(longer, half_of(longer));
  }
  cut.tiles_m = ceil_div(m, cut.tile_m);
  cut.tiles_n = ceil_div(n, cut.tile_n);
  return cut;
}

template <class T, int kOrder>
using Map = Eigen::Map<const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, kOrder>, 0, Eigen::OuterStride<>>;

template <class T>
using Strided =
    Eigen::Map<const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>, 0, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>>;

template <class T>
using Result = Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>, 0, Eigen::OuterStride<>>;

/// Calls f with a matrix expression of rows x columns elements at `from`.
template <class T, class F>
void with_map(const T* from, Index rows, Index columns, Index row, Index column, const F& f) {
  if (column == 1 || columns == 1) {
    f(Map<T, Eigen::RowMajor>(from, rows, columns, Eigen::OuterStride<>(row)));
  } else if (row == 1 || rows == 1) {
    f(Map<T, Eigen::ColMajor>(from, rows, columns, Eigen::OuterStride<>(column)));
  } else {
    f(Strided<T>(from, rows, columns, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>(row, column)));
  }
}

/// One tile of one result.
struct Tile {
  Index batch, i, j, m, n;
};

Tile tile_at(const Cut& cut, Index tile) {
  const Index j = tile % cut.tiles_n * cut.tile_n, i = tile / cut.tiles_n % cut.tiles_m * cut.tile_m;
  return {tile / cut.tiles_n / cut.tiles_m, i, j, std::min(cut.tile_m, cut.m - i), std::min(cut.tile_n, cut.n - j)};
}

template <class T>
void set_to(const Matrices<const T>& addend, const Tile& tile, const Matrices<T>& c) {
  for (Index i = tile.i; i < tile.i + tile.m; ++i) {
    const T* from = addend.data == nullptr ? nullptr : addend.data + tile.batch * addend.batch + i * addend.row + tile.j * addend.column;
    T* to = c.data + tile.batch * c.batch + i * c.row + tile.j;
    if (from == nullptr) {
      each(tile.n, [=](Index j) { to[j] = T(0); });
    } else if (addend.column == 1) {
      each(tile.n, [=](Index j) { to[j] = from[j]; });
    } else {
      for (Index j = 0; j < tile.n; ++j) {
        to[j] = from[j * addend.column];
      }
    }
  }
}

/// Whether the dot products of dot.hpp are faster than Eigen, which packs both operands first (or makes a matrix-vector product).
template <class T>
bool suits_dots(const Tile& tile, Index k, const Matrices<const T>& a, const Matrices<const T>& b) {
  const Index shorter = std::min(tile.m, tile.n);
  return a.column == 1 && b.row == 1 && k >= 16 * kVectorSize<T> && shorter > 1 && shorter <= 8;
}

template <class T>
void multiply_tile(const Cut& cut, const Tile& tile, T alpha, const Matrices<const T>& a, const Matrices<const T>& b,
                   const Matrices<T>& c) {
  const T* from_a = a.data + tile.batch * a.batch + tile.i * a.row;
  const T* from_b = b.data + tile.batch * b.batch + tile.j * b.column;
  T* to = c.data + tile.batch * c.batch + tile.i * c.row + tile.j;
  if (suits_dots(tile, cut.k, a, b)) {
    return multiply_by_dots(tile.m, tile.n, cut.k, alpha, from_a, a.row, from_b, b.column, to, c.row);
  }
  Result<T> result(to, tile.m, tile.n, Eigen::OuterStride<>(c.row));
  with_map(from_a, tile.m, cut.k, a.row, a.column, [&](const auto& left) {
    with_map(from_b, cut.k, tile.n, b.row, b.column, [&](const auto& right) { result.noalias() += (alpha * left) * right; });
  });
}

}  // namespace

void gemm(const Context&, double alpha, const ConstView& a, const ConstView& b, const ConstView* addend, const View& c) {
  const Index k = a.shape[2];
  const Cut cut = cut_result(c.shape[0], c.shape[1], c.shape[2], k);
  visit_real(c.dtype, [&]<class T>(Tag<T>) {
    const auto left = matrices<T>(a), right = matrices<T>(b);
    const Matrices<const T> add = addend != nullptr ? matrices<T>(*addend) : Matrices<const T>{};
    const Matrices<T> out{c.ptr<T>(), cut.m * cut.n, cut.n, 1};
    parallel_for(cut.tiles(), 1, [=](Index begin, Index end) {
      for (Index t = begin; t < end; ++t) {
        const Tile tile = tile_at(cut, t);
        set_to(add, tile, out);
        if (k > 0) {
          multiply_tile(cut, tile, static_cast<T>(alpha), left, right, out);
        }
      }
    });
  });
}

}  // namespace lora::kernels::LORA_CPU_ISA
