// Row copy: elements of one type are moved as bits, others converted.

#include <cstdint>

#include "kernels/cuda/convert.hpp"
#include "kernels/cuda/elementwise.hpp"
#include "kernels/cuda/transpose.hpp"

namespace lora::kernels::cuda {

namespace {

template <class Bits>
__global__ void move_kernel(Layout<2> at, const Bits* in, Bits* out) {
  const Elements<2> mine(at);
  Bits v[kPerThread] = {};
  mine.load<1>(in, v);
  mine.store(v, out);
}

template <class From>
__global__ void convert_kernel(Layout<2> at, const From* in, DType to, void* out) {
  const Elements<2> mine(at);
  Wide<From> v[kPerThread] = {};
  mine.each([&](int j) { v[j] = widened(in[mine.in<1>(j)]); });
  visit_memory(to, [&]<class To>(Tag<To>) {
    To* const y = static_cast<To*>(out);
    mine.each([&](int j) { y[mine.in<0>(j)] = narrowed<To>(v[j]); });
  });
}

/// Tiles of a transpose: threads of a warp run along the axis that is adjacent in the input when they read, and in the output when they
/// write.
template <class Bits>
__global__ void transpose_kernel(Transpose t, const Bits* in, Bits* out) {
  GPU_SHARED(Bits, tile, [kTransposeTile][kTransposeTile + 1]);
  const TransposeTile at = t.tile(blockIdx.x);
  for (Index j = threadIdx.y; j < at.rows; j += blockDim.y) {
    if (threadIdx.x < at.columns) {
      tile[j][threadIdx.x] = in[at.in + j * t.in_row + threadIdx.x];
    }
  }
  __syncthreads();
  for (Index j = threadIdx.y; j < at.columns; j += blockDim.y) {
    if (threadIdx.x < at.rows) {
      out[at.out + j * t.out_column + threadIdx.x] = tile[threadIdx.x][j];
    }
  }
}

/// Elements without gaps on both sides in the widest units that they are a whole number of.
Index widest_unit(const ConstView& in, const View& out, Index bytes, Index size) {
  const std::uintptr_t places =
      reinterpret_cast<std::uintptr_t>(in.data) | reinterpret_cast<std::uintptr_t>(out.data) | static_cast<std::uintptr_t>(bytes);
  while (size < 8 && places % static_cast<std::uintptr_t>(2 * size) == 0) {
    size *= 2;
  }
  return size;
}

void move_all(const Context& context, const ConstView& in, const View& out) {
  Layout<2> at = make_layout<2>(out.shape, {&out.strides, &in.strides});
  auto size = static_cast<Index>(itemsize(out.dtype));
  const bool flat = at.ndim == 1 && at.stride[0][0] == 1 && at.stride[1][0] == 1;
  if (flat) {
    const Index bytes = at.numel * size;
    size = widest_unit(in, out, bytes, size);
    at.numel = at.size[0] = bytes / size;
  }
  const Transpose t = transpose_of(at);
  visit_bits(static_cast<std::size_t>(size), [&]<class Bits>(Tag<Bits>) {
    if (t.tiles() > 0) {
      launch_transpose(context, Row::copy, t, transpose_kernel<Bits>, in.ptr<Bits>(), out.ptr<Bits>());
    } else {
      launch_elements(context, Row::copy, at, move_kernel<Bits>, in.ptr<Bits>(), out.ptr<Bits>());
    }
  });
}

}  // namespace

void copy(const Context& context, const ConstView& in, const View& out) {
  if (in.dtype == out.dtype) {
    return move_all(context, in, out);
  }
  const Layout<2> at = make_layout<2>(out.shape, {&out.strides, &in.strides});
  visit_dtype(in.dtype, [&]<class T>(Tag<T>) {
    launch_elements(context, Row::copy, at, convert_kernel<InMemory<T>>, in.ptr<InMemory<T>>(), out.dtype, out.data);
  });
}

}  // namespace lora::kernels::cuda
