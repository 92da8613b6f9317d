// Rows quantize_4bit, dequantize_4bit, quantize_8bit and dequantize_8bit. Codes and numbers are the CPU's, bit for bit.

#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/cuda/block.hpp"
#include "kernels/cuda/launch.hpp"

namespace lora::kernels::cuda {
namespace {

constexpr Index kWarps = kThreads / kWarp;

struct Larger {
  __device__ std::uint32_t operator()(std::uint32_t a, std::uint32_t b) const { return a > b ? a : b; }
};

/// Numbers begin..end-1 are a block, and this lane's warp has it; none where there are no more blocks.
struct Block {
  Index number, begin, end;
  Index lane;
};

__device__ Block block_of_warp(Index n, Index blocksize) {
  const Index number = thread_index() / kWarp, begin = number * blocksize;
  return {number, begin, begin + blocksize < n ? begin + blocksize : n, threadIdx.x % kWarp};
}

/// Writes the block's largest |x|, infinite or NaN if one is, and returns the factor that brings the block into [-1, 1]; a block of zeros
/// stays zeros. As whole numbers, bits without the sign are ordered as magnitudes are, and NaN comes last.
__device__ float scale_of(const Block& b, const float* x, float* absmax) {
  std::uint32_t bits = 0;
  for (Index i = b.begin + b.lane; i < b.end; i += kWarp) {
    bits = Larger{}(bits, std::bit_cast<std::uint32_t>(x[i]) & 0x7fffffffu);
  }
  const float largest = std::bit_cast<float>(warp_reduce(bits, Larger{}));
  if (b.lane == 0 && b.begin < b.end) {
    absmax[b.number] = largest;
  }
  return 1.0f / (largest > 1e-38f ? largest : 1e-38f);
}

__device__ unsigned code_of(const Codebook4& book, float v) {
  const float place = book.by_magnitude ? std::fabs(v) : v;
  int below = 0;
#pragma unroll
  for (int k = 0; k < 15; ++k) {
    below += place > book.thresholds[k] ? 1 : 0;
  }
  return book.codes[below] | (book.by_magnitude && v < 0.0f ? 8u : 0u);
}

/// A warp for a block; a lane makes whole bytes. An odd number is followed by the code of 0.
__global__ void quantize_4bit_kernel(Codebook4 book, Index n, Index blocksize, const float* x, std::uint8_t* codes, float* absmax) {
  const Block b = block_of_warp(n, blocksize);
  const float scale = scale_of(b, x, absmax);
  for (Index i = b.begin + 2 * b.lane; i < b.end; i += 2 * kWarp) {
    const unsigned first = code_of(book, x[i] * scale);
    const unsigned second = i + 1 < b.end ? code_of(book, x[i + 1] * scale) : book.codes[book.by_magnitude ? 0 : 7];
    codes[i / 2] = static_cast<std::uint8_t>(first << 4 | second);
  }
}

/// Where numbers of a part lie: number i is element first + i, of block (first + i) >> shift.
struct Part {
  Index first, numel;
  int shift;
};

Part part_of(const BlockCodes& q, Index first, const View& y) {
  return {first, y.numel(), std::countr_zero(static_cast<std::uint64_t>(q.blocksize))};
}

__global__ void dequantize_4bit_kernel(Part part, const std::uint8_t* codes, const float* absmax, const float* table, float* y) {
  const Index i = thread_index(), at = part.first + i;
  if (i < part.numel) {
    const int both = codes[at / 2];
    y[i] = table[at % 2 == 0 ? both >> 4 : both & 15] * absmax[at >> part.shift];
  }
}

/// How many of the 255 numbers between neighbours of the map lie below v: the nearest of the map, the lower of two as near.
__device__ int nearest(const float* between, float v) {
  int low = 0, high = 255;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (v > between[middle]) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

__global__ void quantize_8bit_kernel(const float* map, Index n, Index blocksize, const float* x, std::uint8_t* codes, float* absmax) {
  GPU_SHARED(float, between, [kThreads]);
  if (threadIdx.x < 255) {
    between[threadIdx.x] = (map[threadIdx.x] + map[threadIdx.x + 1]) / 2;
  }
  __syncthreads();
  const Block b = block_of_warp(n, blocksize);
  const float scale = scale_of(b, x, absmax);
  for (Index i = b.begin + b.lane; i < b.end; i += kWarp) {
    codes[i] = static_cast<std::uint8_t>(nearest(between, x[i] * scale));
  }
}

/// The product rounded by itself: fused into a sum, that would differ from the CPU's.
__device__ float rounded_product(float a, float b) {
#ifdef __CUDACC__
  return __fmul_rn(a, b);
#else
  volatile float product = a * b;
  return product;
#endif
}

__global__ void dequantize_8bit_kernel(Part part, float offset, const std::uint8_t* codes, const float* absmax, const float* table,
                                       float* y) {
  const Index i = thread_index(), at = part.first + i;
  if (i < part.numel) {
    y[i] = rounded_product(table[codes[at]], absmax[at >> part.shift]) + offset;
  }
}

/// Blocks of n numbers to warps; those of a last block that find none do nothing.
template <class... P, class... A>
void launch_warps(const Context& context, Row row, Index n, Index blocksize, void (*kernel)(P...), const A&... args) {
  if (n > 0) {
    const LaunchShape shape{blocks_for((n + blocksize - 1) / blocksize, kWarps), dim3(kThreads)};
    launch(context, row, {{n, kWarps * blocksize}}, shape, kernel, args...);
  }
}

}  // namespace

void quantize_4bit(const Context& context, const Codebook4& book, Index blocksize, const ConstView& x, const View& codes,
                   const View& absmax) {
  launch_warps(context, Row::quantize_4bit, x.numel(), blocksize, quantize_4bit_kernel, book, x.numel(), blocksize, x.ptr<float>(),
               codes.ptr<std::uint8_t>(), absmax.ptr<float>());
}

void dequantize_4bit(const Context& context, const BlockCodes& q, Index first, const View& y) {
  launch_each(context, Row::dequantize_4bit, y.numel(), dequantize_4bit_kernel, part_of(q, first, y), q.codes.ptr<std::uint8_t>(),
              q.absmax.ptr<float>(), q.table.ptr<float>(), y.ptr<float>());
}

void quantize_8bit(const Context& context, const ConstView& map, Index blocksize, const ConstView& x, const View& codes,
                   const View& absmax) {
  launch_warps(context, Row::quantize_8bit, x.numel(), blocksize, quantize_8bit_kernel, map.ptr<float>(), x.numel(), blocksize,
               x.ptr<float>(), codes.ptr<std::uint8_t>(), absmax.ptr<float>());
}

void dequantize_8bit(const Context& context, const BlockCodes& q, Index first, double offset, const View& y) {
  launch_each(context, Row::dequantize_8bit, y.numel(), dequantize_8bit_kernel, part_of(q, first, y), static_cast<float>(offset),
              q.codes.ptr<std::uint8_t>(), q.absmax.ptr<float>(), q.table.ptr<float>(), y.ptr<float>());
}

}  // namespace lora::kernels::cuda
