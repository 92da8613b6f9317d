// Rows quantize_4bit, dequantize_4bit, quantize_8bit and dequantize_8bit.

#include <bit>
#include <cmath>

#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/walk.hpp"

namespace lora::kernels::LORA_CPU_ISA {
namespace {

constexpr Index kMaxBlock = 4096;

[[gnu::always_inline]] inline Index smaller(Index a, Index b) { return a < b ? a : b; }

Index blocks_of(Index n, Index blocksize) { return (n + blocksize - 1) / blocksize; }

/// f(block, begin, end) for all blocks of n numbers.
template <class F>
void for_blocks(Index n, Index blocksize, const F& f) {
  const Index grain = blocksize < kGrain ? kGrain / blocksize : 1;
  parallel_for(blocks_of(n, blocksize), grain, [&](Index first, Index last) {
    for (Index block = first; block < last; ++block) {
      f(block, block * blocksize, smaller(n, (block + 1) * blocksize));
    }
  });
}

/// Largest |x|, infinite or NaN if one is: as whole numbers, bits without the sign are ordered as magnitudes are, and NaN comes last.
float largest_of(const float* x, Index n) {
  std::uint32_t largest = 0;
  for (Index i = 0; i < n; ++i) {
    const std::uint32_t magnitude = std::bit_cast<std::uint32_t>(x[i]) & 0x7fffffffu;
    largest = magnitude > largest ? magnitude : largest;
  }
  return std::bit_cast<float>(largest);
}

/// Factor that brings a block into [-1, 1]. A block of zeros stays zeros, whose codes decode to 0.
float inverse_of(float absmax) { return 1.0f / (absmax > 1e-38f ? absmax : 1e-38f); }

/// Codes of n <= kMaxBlock numbers.
void codes_of_block(const Codebook4& book, const float* x, Index n, float scale, std::uint8_t* codes) {
  std::int32_t rank[kMaxBlock];
  const bool by_magnitude = book.by_magnitude;
  each(n, [&, by_magnitude](Index i) {
    const float v = x[i] * scale, place = by_magnitude ? std::abs(v) : v;
    std::int32_t below = 0;
#pragma GCC unroll 15
    for (const float threshold : book.thresholds) {
      below += place > threshold;
    }
    rank[i] = below;
  });
  for (Index i = 0; i < n; ++i) {
    const bool negative = by_magnitude && x[i] * scale < 0;
    codes[i] = static_cast<std::uint8_t>(book.codes[rank[i]] | (negative ? 8 : 0));
  }
}

/// Bytes of n codes; an odd number is followed by the code of 0.
void pack(const std::uint8_t* codes, Index n, std::uint8_t zero, std::uint8_t* bytes) {
  for (Index i = 0; i < n; i += 2) {
    const std::uint8_t second = i + 1 < n ? codes[i + 1] : zero;
    bytes[i / 2] = static_cast<std::uint8_t>(codes[i] << 4 | second);
  }
}

/// Numbers begin..end-1 of one block, of which `values` are the sixteen that it has.
void unpack(const std::uint8_t* bytes, Index begin, Index end, const float (&values)[16], float* y) {
  Index i = begin;
  if (i % 2 == 1) {
    *y++ = values[bytes[i / 2] & 15];
    ++i;
  }
  for (; i + 1 < end; i += 2, y += 2) {
    const std::uint8_t both = bytes[i / 2];
    y[0] = values[both >> 4];
    y[1] = values[both & 15];
  }
  if (i < end) {
    *y = values[bytes[i / 2] >> 4];
  }
}

/// How many of the 255 numbers between neighbours of `map` lie below v: the nearest of map, the lower of two as near.
Index nearest(const float* between, float v) {
  Index low = 0, high = 255;
  while (low < high) {
    const Index middle = (low + high) / 2;
    const bool above = v > between[middle];
    low = above ? middle + 1 : low;
    high = above ? high : middle;
  }
  return low;
}

}  // namespace

void quantize_4bit(const Context&, const Codebook4& book, Index blocksize, const ConstView& x, const View& codes, const View& absmax) {
  const auto* from = x.ptr<float>();
  auto* to = codes.ptr<std::uint8_t>();
  auto* largest = absmax.ptr<float>();
  const std::uint8_t zero = book.codes[book.by_magnitude ? 0 : 7];
  for_blocks(x.numel(), blocksize, [&](Index block, Index begin, Index end) {
    std::uint8_t unpacked[kMaxBlock];
    largest[block] = largest_of(from + begin, end - begin);
    codes_of_block(book, from + begin, end - begin, inverse_of(largest[block]), unpacked);
    pack(unpacked, end - begin, zero, to + begin / 2);
  });
}

void dequantize_4bit(const Context&, const BlockCodes& q, Index first, const View& y) {
  const auto* codes = q.codes.ptr<std::uint8_t>();
  const auto *absmax = q.absmax.ptr<float>(), *table = q.table.ptr<float>();
  const Index blocksize = q.blocksize;
  parallel_for(y.numel(), kGrain, [=, to = y.ptr<float>()](Index begin, Index end) {
    for (Index at = first + begin; at < first + end;) {
      const Index block = at / blocksize, stop = smaller(first + end, (block + 1) * blocksize);
      float values[16];
      for (Index k = 0; k < 16; ++k) {
        values[k] = table[k] * absmax[block];
      }
      unpack(codes, at, stop, values, to + (at - first));
      at = stop;
    }
  });
}

void quantize_8bit(const Context&, const ConstView& map, Index blocksize, const ConstView& x, const View& codes, const View& absmax) {
  float between[255];
  for (Index k = 0; k < 255; ++k) {
    between[k] = (map.ptr<float>()[k] + map.ptr<float>()[k + 1]) / 2;
  }
  const auto* from = x.ptr<float>();
  auto* to = codes.ptr<std::uint8_t>();
  auto* largest = absmax.ptr<float>();
  for_blocks(x.numel(), blocksize, [&](Index block, Index begin, Index end) {
    largest[block] = largest_of(from + begin, end - begin);
    const float scale = inverse_of(largest[block]);
    for (Index i = begin; i < end; ++i) {
      to[i] = static_cast<std::uint8_t>(nearest(between, from[i] * scale));
    }
  });
}

void dequantize_8bit(const Context&, const BlockCodes& q, Index first, double offset, const View& y) {
  const auto* codes = q.codes.ptr<std::uint8_t>();
  const auto *absmax = q.absmax.ptr<float>(), *table = q.table.ptr<float>();
  const auto shift = static_cast<float>(offset);
  parallel_for(y.numel(), kGrain, [=, blocksize = q.blocksize, to = y.ptr<float>()](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      to[i] = table[codes[first + i]] * absmax[(first + i) / blocksize];
    }
    // A loop of its own: fused into the product, the sum would differ from bitsandbytes' and between instruction sets.
    for (Index i = begin; i < end; ++i) {
      to[i] += shift;
    }
  });
}

}  // namespace lora::kernels::LORA_CPU_ISA
