// The rows of blockwise quantization against plain loops, for every instruction set that the machine has and for CUDA.

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "core/base/threads.hpp"
#include "tests/support/kernel_array.hpp"

using lora::DType;
using lora::Index;
using lora::kernels::BlockCodes;
using lora::kernels::Codebook4;
using lora::kernels::Context;
using lora::test::cpu_tables;
using lora::test::kernel_tables;
using lora::test::KernelArray;

namespace {

constexpr Index kSizes[] = {0, 1, 2, 31, 32, 33, 63, 64, 65, 127, 4095, 4096, 4097, 40001};
constexpr Index kBlocksizes[] = {32, 64, 128, 256, 512, 1024, 2048, 4096};

/// Codes 0..15 of values -1, -13/15, .., 1, or with the sign apart 0..7 of 0, 1/7, .., 1.
Codebook4 even_codebook(bool by_magnitude) {
  Codebook4 book{};
  book.by_magnitude = by_magnitude;
  for (int k = 0; k < 15; ++k) {
    const float half = (static_cast<float>(k) + 0.5f) / 7.0f;
    book.thresholds[k] = by_magnitude ? (k < 7 ? half : std::numeric_limits<float>::infinity()) : static_cast<float>(2 * k - 14) / 15.0f;
  }
  for (int k = 0; k < 16; ++k) {
    book.codes[k] = static_cast<std::uint8_t>(by_magnitude ? k & 7 : k);
  }
  return book;
}

Index blocks_of(Index n, Index blocksize) { return (n + blocksize - 1) / blocksize; }

float largest_of(const KernelArray& x, Index begin, Index end) {
  double largest = 0;
  for (Index i = begin; i < end; ++i) {
    largest = std::max(largest, std::abs(x.get(i)));
  }
  return static_cast<float>(largest);
}

int code_of(const Codebook4& book, float v) {
  int below = 0;
  for (const float threshold : book.thresholds) {
    below += (book.by_magnitude ? std::abs(v) : v) > threshold ? 1 : 0;
  }
  return book.codes[below] + (book.by_magnitude && v < 0 ? 8 : 0);
}

/// The two codes of every byte, in order.
int code_in(const KernelArray& packed, Index i) {
  const int byte = static_cast<int>(packed.get(i / 2));
  return i % 2 == 0 ? byte >> 4 : byte & 15;
}

}  // namespace

TEST_CASE("kernels: numbers become 4-bit codes block by block", "[kernels][quant]") {
  const bool by_magnitude = GENERATE(false, true);
  const Codebook4 book = even_codebook(by_magnitude);
  for (const auto& [isa, k] : kernel_tables()) {
    for (const Index n : kSizes) {
      for (const Index blocksize : kBlocksizes) {
        KernelArray x(DType::f32, {n}), packed(DType::u8, {(n + 1) / 2}), absmax(DType::f32, {blocks_of(n, blocksize)});
        x.scramble(static_cast<int>(blocksize));
        k->quantize_4bit(Context{}, book, blocksize, x.read(), packed.view(), absmax.view());
        CAPTURE(isa, by_magnitude, n, blocksize);
        for (Index i = 0; i < n; ++i) {
          const Index block = i / blocksize;
          if (i % blocksize == 0) {
            REQUIRE(absmax.get(block) == largest_of(x, i, std::min(n, i + blocksize)));
          }
          const float v = static_cast<float>(x.get(i)) * (1.0f / static_cast<float>(absmax.get(block)));
          if (code_in(packed, i) != code_of(book, v)) {
            FAIL("code " << code_in(packed, i) << " of element " << i);
          }
        }
        if (n % 2 == 1) {
          REQUIRE(code_in(packed, n) == (by_magnitude ? 0 : 7));  // the code of 0
        }
      }
    }
  }
}

TEST_CASE("kernels: 4-bit codes become numbers, from any element on", "[kernels][quant]") {
  for (const auto& [isa, k] : kernel_tables()) {
    for (const Index blocksize : {32, 64, 4096}) {
      constexpr Index n = 9001;
      KernelArray packed(DType::u8, {(n + 1) / 2}), absmax(DType::f32, {blocks_of(n, blocksize)}), table(DType::f32, {16});
      packed.fill_by([](Index i) { return static_cast<double>(i * 37 % 256); });
      absmax.scramble(3);
      table.scramble(4);
      const BlockCodes q{packed.read(), absmax.read(), table.read(), blocksize};
      for (const Index first : {0, 1, 31, 32, 33, 64, 4999, 9001}) {
        for (const Index count : {Index{0}, Index{1}, Index{2}, Index{63}, Index{4000}, n - first}) {
          if (first + count > n) {
            continue;
          }
          KernelArray y(DType::f32, {count});
          k->dequantize_4bit(Context{}, q, first, y.view());
          CAPTURE(isa, blocksize, first, count);
          Index wrong = 0;
          for (Index i = 0; i < count; ++i) {
            const auto value = static_cast<float>(table.get(code_in(packed, first + i)));
            wrong += y.get(i) == value * static_cast<float>(absmax.get((first + i) / blocksize)) ? 0 : 1;
          }
          REQUIRE(wrong == 0);
        }
      }
    }
  }
}

TEST_CASE("kernels: 8-bit codes are the nearest of the map, and become numbers again", "[kernels][quant]") {
  KernelArray map(DType::f32, {256});
  map.fill_by([](Index i) { return std::copysign(std::pow((static_cast<double>(i) - 128) / 128, 2), static_cast<double>(i) - 128); });
  for (const auto& [isa, k] : kernel_tables()) {
    for (const Index n : {0, 1, 255, 256, 257, 20000}) {
      KernelArray x(DType::f32, {n}), codes(DType::u8, {n}), absmax(DType::f32, {blocks_of(n, 256)}), y(DType::f32, {n});
      x.scramble(5);
      k->quantize_8bit(Context{}, map.read(), 256, x.read(), codes.view(), absmax.view());
      CAPTURE(isa, n);
      for (Index i = 0; i < n; ++i) {
        const double v = x.get(i) / absmax.get(i / 256), distance = std::abs(v - map.get(static_cast<Index>(codes.get(i))));
        for (const Index other : {Index{-1}, Index{1}}) {
          const Index code = static_cast<Index>(codes.get(i)) + other;
          REQUIRE((code < 0 || code > 255 || distance <= std::abs(v - map.get(code)) + 1e-7));  // v is rounded to f32 in the kernel
        }
      }
      const BlockCodes q{codes.read(), absmax.read(), map.read(), 256};
      for (const Index first : {Index{0}, n / 3, n}) {
        KernelArray part(DType::f32, {n - first});
        k->dequantize_8bit(Context{}, q, first, 0.25, part.view());
        Index wrong = 0;
        for (Index i = 0; i < part.numel(); ++i) {
          const auto value = static_cast<float>(map.get(static_cast<Index>(codes.get(first + i))));
          const float product = value * static_cast<float>(absmax.get((first + i) / 256));
          wrong += part.get(i) == product + 0.25f ? 0 : 1;
        }
        REQUIRE(wrong == 0);
      }
    }
  }
}

TEST_CASE("kernels: of two values as near the lower is taken", "[kernels][quant]") {
  KernelArray map(DType::f32, {256}), x(DType::f32, {3}), codes(DType::u8, {3}), absmax(DType::f32, {1});
  map.fill_by([](Index i) { return (static_cast<double>(i) - 128) / 128; });
  x.set(0, 1.0);
  x.set(1, 1.5 / 128);
  x.set(2, -1.5 / 128);
  for (const auto& [isa, k] : kernel_tables()) {
    CAPTURE(isa);
    k->quantize_8bit(Context{}, map.read(), 256, x.read(), codes.view(), absmax.view());
    CHECK(codes.get(1) == 129);
    CHECK(codes.get(2) == 126);
  }
}

TEST_CASE("kernels: zeros and tiny numbers quantize to finite codes, and what is not finite shows in absmax", "[kernels][quant]") {
  const Codebook4 book = even_codebook(false);
  for (const auto& [isa, k] : kernel_tables()) {
    for (const double odd : {0.0, 1e-44, 1e-39, 1e38, std::nan(""), std::numeric_limits<double>::infinity()}) {
      KernelArray x(DType::f32, {65}), packed(DType::u8, {33}), absmax(DType::f32, {2}), y(DType::f32, {65}), table(DType::f32, {16});
      x.fill_by([](Index) { return 0; });
      x.set(70 % 65, odd);
      table.fill_by([](Index i) { return (2.0 * static_cast<double>(i) - 15) / 15; });
      k->quantize_4bit(Context{}, book, 64, x.read(), packed.view(), absmax.view());
      k->dequantize_4bit(Context{}, {packed.read(), absmax.read(), table.read(), 64}, 0, y.view());
      CAPTURE(isa, odd);
      CHECK(std::isfinite(absmax.get(0)) == std::isfinite(odd));
      CHECK(absmax.get(1) == 0);
      CHECK(y.get(64) == 0);
    }
  }
}

TEST_CASE("kernels: quantization has the same bits for any number of threads", "[kernels][quant][threads]") {
  const int before = lora::num_threads();
  const Codebook4 book = even_codebook(true);
  for (const auto& [isa, k] : cpu_tables()) {
    KernelArray x(DType::f32, {100001}), table(DType::f32, {16});
    x.scramble(6);
    table.scramble(7);
    std::vector<std::vector<unsigned char>> seen;
    for (const int threads : {1, 2, 3}) {
      lora::set_num_threads(threads);
      KernelArray packed(DType::u8, {50001}), absmax(DType::f32, {1563}), y(DType::f32, {100001 - 5});
      k->quantize_4bit(Context{}, book, 64, x.read(), packed.view(), absmax.view());
      k->dequantize_4bit(Context{}, {packed.read(), absmax.read(), table.read(), 64}, 5, y.view());
      seen.push_back(packed.bytes());
      seen.back().insert(seen.back().end(), y.bytes().begin(), y.bytes().end());
    }
    CAPTURE(isa);
    CHECK(seen[0] == seen[1]);
    CHECK(seen[0] == seen[2]);
  }
  lora::set_num_threads(before);
}
