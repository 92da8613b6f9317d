// Row gemm: products in tiles, with either tile's operands read along whichever axis is contiguous.

#include <algorithm>
#include <limits>

#include "kernels/cuda/cublas.hpp"
#include "kernels/cuda/gemm_bf16.hpp"
#include "kernels/cuda/gemm_product.hpp"
#include "kernels/cuda/gemm_tile.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/product_choice.hpp"

namespace lora::kernels::cuda {

namespace {

template <class T, class Shape>
__global__ void __launch_bounds__(kThreads, kResidentBlocks<T>) gemm_kernel(Product<T> g, Index rows, Index columns) {
  for (Index tile = blockIdx.x; tile < g.batch * rows * columns; tile += gridDim.x) {
    const Index s = tile / columns / rows;
    const MatrixOperand<T> left{g.a.data + s * g.a.batch, g.m, g.k, g.a.row, g.a.column};
    const MatrixOperand<T> right{g.b.data + s * g.b.batch, g.n, g.k, g.b.column, g.b.row};
    const TilePlace place{tile / columns % rows * Shape::kM, tile % columns * Shape::kN, 0, g.k};
    multiply_tile<Shape>(left, right, place, [&](Index i) {
      T* to = g.c.data + s * g.c.batch + i * g.c.row;
      const T* add = g.addend.data == nullptr ? nullptr : g.addend.data + s * g.addend.batch + i * g.addend.row;
      return [=, &g](Index j, Compute<T> sum) {
        if (i < g.m && j < g.n) {
          const auto start = add == nullptr ? Compute<T>(0) : static_cast<Compute<T>>(add[j * g.addend.column]);
          to[j * g.c.column] = static_cast<T>(start + g.alpha * sum);
        }
      };
    });
  }
}

template <class T, class Shape>
void launch_product(const Context& context, const Product<T>& g) {
  const Index rows = (g.m + Shape::kM - 1) / Shape::kM, columns = (g.n + Shape::kN - 1) / Shape::kN;
  const Index blocks = std::min<Index>(g.batch * rows * columns, std::numeric_limits<int>::max());
  launch(context, Row::gemm, {{g.m, Shape::kM}, {g.n, Shape::kN}, {g.k, kTileDepth}}, {blocks_for(blocks, 1), dim3(kThreads)},
         gemm_kernel<T, Shape>, g, rows, columns);
}

/// Whether the library has made the product. It has no part in f64, which is for checks.
template <class T, class C>
bool made_by_library(const Context& context, const Product<T, C>& g) {
  if constexpr (std::is_same_v<T, double>) {
    return false;
  } else {
    return g.k > 0 && prefers_library(g.batch * g.m * g.n * g.k, std::min(g.m, g.n)) && multiply_by_cublas(context, g);
  }
}

template <class T, class C>
void multiply(const Context& context, const Product<T, C>& g) {
  if (made_by_library(context, g)) {
    return;
  }
  if constexpr (std::is_same_v<T, bf16>) {
    multiply_bf16(context, g);
  } else if (g.n <= kFewColumns) {
    launch_product<T, TallTile>(context, g);
  } else if (g.m <= kFewColumns) {
    launch_product<T, TallTile>(context, g.transposed());
  } else {
    launch_product<T, SquareTile>(context, g);
  }
}

/// The product that the views mean.
template <class T, class C>
Product<T, C> product_of(double alpha, const ConstView& a, const ConstView& b, const ConstView* addend, const View& c) {
  const auto add = addend != nullptr ? matrices<const C>(*addend) : Matrices<const C>{};
  return {c.shape[0],           c.shape[1],           c.shape[2], a.shape[2],    static_cast<Compute<T>>(alpha),
          matrices<const T>(a), matrices<const T>(b), add,        matrices<C>(c)};
}

}  // namespace

void gemm(const Context& context, double alpha, const ConstView& a, const ConstView& b, const ConstView* addend, const View& c) {
  if (c.numel() == 0) {
    return;
  }
  if (a.dtype == DType::bf16) {
    return c.dtype == DType::bf16 ? multiply(context, product_of<bf16, bf16>(alpha, a, b, addend, c))
                                  : multiply(context, product_of<bf16, float>(alpha, a, b, addend, c));
  }
  visit_real(c.dtype, [&]<class T>(Tag<T>) { multiply(context, product_of<T, T>(alpha, a, b, addend, c)); });
}

}  // namespace lora::kernels::cuda
