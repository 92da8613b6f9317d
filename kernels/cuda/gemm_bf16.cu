// Products of bf16 matrices: panels come by cp.async into one of two stages while mma.sync works on the other.

#include "kernels/cuda/gemm_bf16.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/ptx.hpp"

namespace lora::kernels::cuda {

namespace {

constexpr int kDepth = 32;  // summed in one stage
constexpr int kChunk = 8;   // elements of 16 bytes
constexpr int kPad = 8;     // after each row of a panel: the eight rows of ldmatrix lie in different banks

/// A tile of kM x kN of the result by warps in kWarpsM rows and kWarpsN columns.
template <int kM_, int kN_, int kWarpsM_, int kWarpsN_>
struct WarpTile {
  static constexpr int kM = kM_, kN = kN_, kWarpsN = kWarpsN_;
  static constexpr int kRows = kM / kWarpsM_, kColumns = kN / kWarpsN_;  // of one warp
  static_assert(kWarpsM_ * kWarpsN_ == kThreads / kWarp && kRows % 16 == 0 && kColumns % 16 == 0);
};
using WideWarpTile = WarpTile<128, 128, 2, 4>;
using NarrowWarpTile = WarpTile<128, 32, 4, 2>;

/// An operand as it lies: `inner` is the contiguous axis, if there is one. Its panels lie the same way.
struct Bf16Operand {
  const bf16* data;
  Index outer, inner, outer_stride, inner_stride;
  bool along_depth;  // inner is what is summed over
  bool vectors;      // every chunk of inner is aligned
};

/// Elements of a panel of kSides, whichever way it lies.
template <int kSides>
inline constexpr int kPanelSize = std::max(kSides*(kDepth + kPad), kDepth*(kSides + kPad));

/// Begins to bring a panel; elements outside of the matrix are 0.
template <int kSides>
__device__ void load_panel(const Bf16Operand& from, Index side, Index depth, std::uint16_t* panel) {
  const int length = from.along_depth ? kDepth : kSides;  // of a row of the panel
  const Index first_outer = from.along_depth ? side : depth, first_inner = from.along_depth ? depth : side;
  for (int chunk = static_cast<int>(threadIdx.x); chunk < kSides * kDepth / kChunk; chunk += kThreads) {
    const int row = chunk / (length / kChunk), column = chunk % (length / kChunk) * kChunk;
    const Index outer = first_outer + row, inner = first_inner + column;
    const int count = outer < from.outer ? static_cast<int>(std::clamp<Index>(from.inner - inner, 0, kChunk)) : 0;
    const bf16* at = count > 0 ? from.data + outer * from.outer_stride + inner * from.inner_stride : from.data;
    std::uint16_t* to = panel + row * (length + kPad) + column;
    if (from.vectors) {
      ptx::cp_async16(to, at, count * 2);
    } else {
      for (int e = 0; e < kChunk; ++e) {
        to[e] = e < count ? at[e * from.inner_stride].bits : std::uint16_t{0};
      }
    }
  }
}

/// 16 sides by 16 depths of a panel as mma.sync wants them: four 8x8 parts, the two of one depth after each other for the left operand, the
/// two of one side for the right one.
template <int kSides, bool kRight>
__device__ void load_fragment(const std::uint16_t* panel, bool along_depth, int side, int depth, std::uint32_t (&fragment)[4]) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, part = lane / 8, row = lane % 8;
  side += (kRight ? part / 2 : part % 2) * 8;
  depth += (kRight ? part % 2 : part / 2) * 8;
  if (along_depth) {
    ptx::ldmatrix_x4(fragment, panel + (side + row) * (kDepth + kPad) + depth);
  } else {
    ptx::ldmatrix_x4_trans(fragment, panel + (depth + row) * (kSides + kPad) + side);
  }
}

/// The tile of one warp: sums[i][j] are the four elements that a lane has of rows 16 i and columns 8 j of it.
template <class Shape>
struct WarpSums {
  static constexpr unsigned kRows = Shape::kRows / 16, kColumns = Shape::kColumns / 8;
  float at[kRows][kColumns][4];
};

template <class Shape>
struct Stage {
  std::uint16_t left[kPanelSize<Shape::kM>];
  std::uint16_t right[kPanelSize<Shape::kN>];
};

template <class Shape>
__device__ void multiply_stage(const Stage<Shape>& stage, bool left_along, bool right_along, WarpSums<Shape>& sums) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int row = warp / Shape::kWarpsN * Shape::kRows, column = warp % Shape::kWarpsN * Shape::kColumns;
#pragma unroll
  for (int depth = 0; depth < kDepth; depth += 16) {
    std::uint32_t left[WarpSums<Shape>::kRows][4], right[WarpSums<Shape>::kColumns / 2][4];
#pragma unroll
    for (int i = 0; i < static_cast<int>(WarpSums<Shape>::kRows); ++i) {
      load_fragment<Shape::kM, false>(stage.left, left_along, row + i * 16, depth, left[i]);
    }
#pragma unroll
    for (int j = 0; j < static_cast<int>(WarpSums<Shape>::kColumns / 2); ++j) {
      load_fragment<Shape::kN, true>(stage.right, right_along, column + j * 16, depth, right[j]);
    }
#pragma unroll
    for (unsigned i = 0; i < WarpSums<Shape>::kRows; ++i) {
#pragma unroll
      for (unsigned j = 0; j < WarpSums<Shape>::kColumns; ++j) {
        ptx::mma_m16n8k16_bf16(sums.at[i][j], left[i], right[j / 2][j % 2 * 2], right[j / 2][j % 2 * 2 + 1]);
      }
    }
  }
}

/// The product of one tile; stages are free again when it returns.
template <class Shape>
__device__ void multiply_tile(const Bf16Operand& left, const Bf16Operand& right, Index row, Index column, Index depths,
                              WarpSums<Shape>& sums) {
  GPU_SHARED(Stage<Shape>, stages, [2]);
  const auto load = [&](Index step) {
    load_panel<Shape::kM>(left, row, step * kDepth, stages[step % 2].left);
    load_panel<Shape::kN>(right, column, step * kDepth, stages[step % 2].right);
    ptx::cp_async_commit();
  };
  const Index steps = (depths + kDepth - 1) / kDepth;
  if (steps > 0) {
    load(0);
  }
  for (Index step = 0; step < steps; ++step) {
    if (step + 1 < steps) {
      load(step + 1);
      ptx::cp_async_wait<1>();
    } else {
      ptx::cp_async_wait<0>();
    }
    __syncthreads();
    multiply_stage<Shape>(stages[step % 2], left.along_depth, right.along_depth, sums);
    __syncthreads();
  }
}

template <class C>
struct Bf16Product {
  Product<bf16, C> of;
  Bf16Operand left, right;  // of the first matrices of the batch
  Index rows, columns;      // of tiles
};

/// c = alpha sum + addend at (i, j) of matrix s, where that is an element.
template <class C>
__device__ void store_element(const Product<bf16, C>& g, Index s, Index i, Index j, float sum) {
  if (i < g.m && j < g.n) {
    const float start =
        g.addend.data == nullptr ? 0.0f : static_cast<float>(g.addend.data[s * g.addend.batch + i * g.addend.row + j * g.addend.column]);
    g.c.data[s * g.c.batch + i * g.c.row + j * g.c.column] = static_cast<C>(start + g.alpha * sum);
  }
}

template <class C, class Shape>
__global__ void __launch_bounds__(kThreads) gemm_bf16_kernel(Bf16Product<C> product) {
  const Product<bf16, C>& g = product.of;
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  for (Index tile = blockIdx.x; tile < g.batch * product.rows * product.columns; tile += gridDim.x) {
    const Index s = tile / product.columns / product.rows;
    const Index row = tile / product.columns % product.rows * Shape::kM, column = tile % product.columns * Shape::kN;
    Bf16Operand left = product.left, right = product.right;
    left.data += s * g.a.batch;
    right.data += s * g.b.batch;
    WarpSums<Shape> sums{};
    multiply_tile<Shape>(left, right, row, column, g.k, sums);
    const Index i = row + warp / Shape::kWarpsN * Shape::kRows + lane / 4;
    const Index j = column + warp % Shape::kWarpsN * Shape::kColumns + lane % 4 * 2;
#pragma unroll
    for (unsigned r = 0; r < WarpSums<Shape>::kRows; ++r) {
#pragma unroll
      for (unsigned q = 0; q < WarpSums<Shape>::kColumns; ++q) {
#pragma unroll
        for (unsigned e = 0; e < 4; ++e) {
          store_element(g, s, i + r * 16 + e / 2 * 8, j + q * 8 + e % 2, sums.at[r][q][e]);
        }
      }
    }
  }
}

/// The matrices of a batch as panels are read from them; a depth that is contiguous goes first, so does one where neither axis is.
Bf16Operand operand(const Matrices<const bf16>& m, Index sides, Index depths, Index side_stride, Index depth_stride) {
  const bool along = depth_stride == 1 || side_stride != 1;
  Bf16Operand of = along ? Bf16Operand{m.data, sides, depths, side_stride, depth_stride, true, false}
                         : Bf16Operand{m.data, depths, sides, depth_stride, side_stride, false, false};
  const auto aligned = [](Index stride) { return stride % kChunk == 0; };
  of.vectors = of.inner_stride == 1 && aligned(of.outer_stride) && aligned(m.batch) && reinterpret_cast<std::uintptr_t>(m.data) % 16 == 0;
  return of;
}

template <class Shape, class C>
void launch_bf16(const Context& context, const Product<bf16, C>& g) {
  const Index rows = (g.m + Shape::kM - 1) / Shape::kM, columns = (g.n + Shape::kN - 1) / Shape::kN;
  const Bf16Product<C> product{g, operand(g.a, g.m, g.k, g.a.row, g.a.column), operand(g.b, g.n, g.k, g.b.column, g.b.row), rows, columns};
  const Index blocks = std::min<Index>(g.batch * rows * columns, std::numeric_limits<int>::max());
  launch(context, Row::gemm, {{g.m, Shape::kM}, {g.n, Shape::kN}, {g.k, kDepth}}, {blocks_for(blocks, 1), dim3(kThreads)},
         gemm_bf16_kernel<C, Shape>, product);
}

}  // namespace

template <class C>
void multiply_bf16(const Context& context, const Product<bf16, C>& g) {
  if (g.n <= NarrowWarpTile::kN) {
    launch_bf16<NarrowWarpTile>(context, g);
  } else if (g.m <= NarrowWarpTile::kN) {
    launch_bf16<NarrowWarpTile>(context, g.transposed());
  } else {
    launch_bf16<WideWarpTile>(context, g);
  }
}

template void multiply_bf16(const Context&, const Product<bf16, bf16>&);
template void multiply_bf16(const Context&, const Product<bf16, float>&);

}  // namespace lora::kernels::cuda
