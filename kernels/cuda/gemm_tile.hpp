#pragma once
// The main loop of plain products: one block makes a tile of the result from panels of both operands in shared memory. An operand is
// seen by its side (rows of the left one, columns of the right one) and its depth (what is summed over):
//   Side side(Index i), Depth depth(Index p)   places worked out once for many elements; beyond the end they say so
//   Value at(Side, Depth)                      the element, 0 where one of them is outside
//   bool along_depth()                         whether neighbours in memory are neighbours in depth

#include "kernels/cuda/gpu.hpp"
#include "kernels/cuda/types.hpp"

namespace lora::kernels::cuda {

/// A tile of kM x kN by kThreads threads, each of which sums kTm x kTn elements.
template <int kM_, int kN_, int kTm_, int kTn_>
struct Tile {
  static constexpr int kM = kM_, kN = kN_, kTm = kTm_, kTn = kTn_;
  static_assert(kM / kTm * (kN / kTn) == kThreads);
};
using SquareTile = Tile<64, 64, 4, 4>;
using TallTile = Tile<64, 16, 4, 1>;  // for few columns

inline constexpr int kTileDepth = 16;

/// Blocks of a tile kernel on one multiprocessor at the least; this bounds their registers.
template <class T>
inline constexpr int kResidentBlocks = sizeof(T) == 8 ? 1 : 2;

inline constexpr Index kFewColumns = 16;

/// A strided matrix as an operand.
template <class T>
struct MatrixOperand {
  using Value = Compute<T>;
  const T* data;
  Index sides, depths, side_stride, depth_stride;

  struct Side {
    const T* at;  // null: outside
  };
  struct Depth {
    Index offset;
    bool inside;
  };
  __device__ bool along_depth() const { return depth_stride == 1 && side_stride != 1; }
  __device__ Side side(Index i) const { return {i < sides ? data + i * side_stride : nullptr}; }
  __device__ Depth depth(Index p) const { return {p * depth_stride, p < depths}; }
  __device__ Value at(const Side& s, const Depth& d) const {
    return s.at != nullptr && d.inside ? static_cast<Value>(s.at[d.offset]) : Value(0);
  }
};

/// The same elements with sides for depths.
template <class Operand>
struct Transposed {
  using Value = typename Operand::Value;
  using Side = typename Operand::Depth;
  using Depth = typename Operand::Side;
  Operand of;

  __device__ bool along_depth() const { return !of.along_depth(); }
  __device__ Side side(Index i) const { return of.depth(i); }
  __device__ Depth depth(Index p) const { return of.side(p); }
  __device__ Value at(const Side& s, const Depth& d) const { return of.at(d, s); }
};

/// A panel in shared memory: kTileDepth rows of kSides elements. The pad keeps rows 16-byte aligned and out of the same banks.
template <class Value, int kSides>
using Panel = Value[kTileDepth][static_cast<unsigned>(kSides + 4)];

/// The elements of the panels that one thread brings, through registers, so that reading the next panel overlaps with computing.
template <int kSides, class Operand>
class Carrier {
 public:
  using Value = typename Operand::Value;

  __device__ Carrier(const Operand& operand, Index first) : operand_(operand), along_(operand.along_depth()) {
#pragma unroll
    for (int r = 0; r < kEach; ++r) {
      sides_[r] = operand.side(first + side_of(r));
    }
  }

  __device__ void fetch(Index first_depth) {
#pragma unroll
    for (int r = 0; r < kEach; ++r) {
      values_[r] = operand_.at(sides_[r], operand_.depth(first_depth + depth_of(r)));
    }
  }

  __device__ void put(Panel<Value, kSides>& panel) const {
#pragma unroll
    for (int r = 0; r < kEach; ++r) {
      panel[depth_of(r)][side_of(r)] = values_[r];
    }
  }

 private:
  static constexpr int kEach = kSides * kTileDepth / kThreads;
  static_assert(kEach > 0 && kThreads % kTileDepth == 0);

  __device__ static int number(int r) { return static_cast<int>(threadIdx.x) + r * kThreads; }
  __device__ int side_of(int r) const { return along_ ? number(r) / kTileDepth : number(r) % kSides; }
  __device__ int depth_of(int r) const { return along_ ? number(r) % kTileDepth : number(r) / kSides; }

  const Operand& operand_;
  bool along_;
  typename Operand::Side sides_[static_cast<unsigned>(kEach)];
  Value values_[static_cast<unsigned>(kEach)];
};

/// Where a block's tile is, and which depths it sums.
struct TilePlace {
  Index row, column, begin, end;
};

/// What one thread sums of a tile.
template <class Shape, class Value>
using TileSums = Value[static_cast<unsigned>(Shape::kTm)][static_cast<unsigned>(Shape::kTn)];

template <class Shape, class Value>
__device__ inline void add_products(const Panel<Value, Shape::kM>& left, const Panel<Value, Shape::kN>& right,
                                    TileSums<Shape, Value>& sums) {
  const int row = static_cast<int>(threadIdx.x) / (Shape::kN / Shape::kTn) * Shape::kTm;
  const int column = static_cast<int>(threadIdx.x) % (Shape::kN / Shape::kTn) * Shape::kTn;
#pragma unroll 8
  for (int p = 0; p < kTileDepth; ++p) {
    Value a[Shape::kTm], b[Shape::kTn];
#pragma unroll
    for (int i = 0; i < Shape::kTm; ++i) {
      a[i] = left[p][row + i];
    }
#pragma unroll
    for (int j = 0; j < Shape::kTn; ++j) {
      b[j] = right[p][column + j];
    }
#pragma unroll
    for (int i = 0; i < Shape::kTm; ++i) {
#pragma unroll
      for (int j = 0; j < Shape::kTn; ++j) {
        sums[i][j] += a[i] * b[j];
      }
    }
  }
}

/// Calls store(row)(column, sum) for the elements of the tile that this thread has, some of them outside of the result. All threads of the
/// block must call it. Operands must be 0 from place.end on.
template <class Shape, class Left, class Right, class Store>
__device__ inline void multiply_tile(const Left& left, const Right& right, const TilePlace& place, const Store& store) {
  using Value = typename Left::Value;
  GPU_SHARED(Value, left_panel, [kTileDepth][Shape::kM + 4]);
  GPU_SHARED(Value, right_panel, [kTileDepth][Shape::kN + 4]);
  TileSums<Shape, Value> sums = {};
  Carrier<Shape::kM, Left> left_carrier(left, place.row);
  Carrier<Shape::kN, Right> right_carrier(right, place.column);
  if (place.begin < place.end) {  // without depths an operand may not be able to say where they are
    left_carrier.fetch(place.begin);
    right_carrier.fetch(place.begin);
  }
  for (Index p = place.begin; p < place.end; p += kTileDepth) {
    left_carrier.put(left_panel);
    right_carrier.put(right_panel);
    __syncthreads();
    if (p + kTileDepth < place.end) {
      left_carrier.fetch(p + kTileDepth);
      right_carrier.fetch(p + kTileDepth);
    }
    add_products<Shape>(left_panel, right_panel, sums);
    __syncthreads();
  }
  const Index row = place.row + static_cast<int>(threadIdx.x) / (Shape::kN / Shape::kTn) * Shape::kTm;
  const Index column = place.column + static_cast<int>(threadIdx.x) % (Shape::kN / Shape::kTn) * Shape::kTn;
#pragma unroll
  for (int i = 0; i < Shape::kTm; ++i) {
    const auto store_at = store(row + i);
#pragma unroll
    for (int j = 0; j < Shape::kTn; ++j) {
      store_at(column + j, sums[i][j]);
    }
  }
}

}  // namespace lora::kernels::cuda
