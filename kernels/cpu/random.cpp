// Rows uniform, normal and dropout: pieces of one Philox sequence, bit-equal to core/base/rng.hpp whatever the piece.

#include <algorithm>
#include <cmath>

#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/math.hpp"
#include "kernels/cpu/walk.hpp"

namespace lora::kernels::LORA_CPU_ISA {
namespace {

constexpr Index kBlocks = 64;  // made together, so that a round is a loop over vectors
constexpr Index kWords = 4 * kBlocks;

/// Words of blocks first .. first + kBlocks - 1 in their order.
void philox_words(const PhiloxState& random, std::uint64_t first, std::uint32_t (&words)[kWords]) {
  std::uint32_t c0[kBlocks], c1[kBlocks], c2[kBlocks], c3[kBlocks];
  each(kBlocks, [&](Index i) {
    const std::uint64_t at = random.offset + first + static_cast<std::uint64_t>(i);
    c0[i] = static_cast<std::uint32_t>(at);
    c1[i] = static_cast<std::uint32_t>(at >> 32);
    c2[i] = static_cast<std::uint32_t>(random.stream);
    c3[i] = static_cast<std::uint32_t>(random.stream >> 32);
  });
  auto key0 = static_cast<std::uint32_t>(random.seed);
  auto key1 = static_cast<std::uint32_t>(random.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    each(kBlocks, [&](Index i) {
      const std::uint64_t a = std::uint64_t{0xD2511F53u} * c0[i];
      const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * c2[i];
      c0[i] = static_cast<std::uint32_t>(b >> 32) ^ c1[i] ^ key0;
      c1[i] = static_cast<std::uint32_t>(b);
      c2[i] = static_cast<std::uint32_t>(a >> 32) ^ c3[i] ^ key1;
      c3[i] = static_cast<std::uint32_t>(a);
    });
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  each(kBlocks, [&](Index i) {
    words[4 * i] = c0[i];
    words[4 * i + 1] = c1[i];
    words[4 * i + 2] = c2[i];
    words[4 * i + 3] = c3[i];
  });
}

/// Calls f(words, first, count) for elements first .. first + count - 1, which take `per_element` words each.
template <class F>
void for_words(const PhiloxState& random, Index numel, Index per_element, const F& f) {
  const Index elements = kWords / per_element;
  parallel_for(numel, kGrain, [&](Index begin, Index end) {
    for (Index i = begin; i < end; i += elements) {
      std::uint32_t words[kWords];
      philox_words(random, static_cast<std::uint64_t>(i * per_element / 4), words);
      f(static_cast<const std::uint32_t(&)[kWords]>(words), i, std::min(elements, end - i));
    }
  });
}
static_assert(kGrain % kWords == 0, "pieces begin with a whole set of blocks");

/// Uniforms in [0, 1), as uniform_f32 and uniform_f64 have them.
[[gnu::always_inline]] inline double unit_f32(std::uint32_t word) { return static_cast<double>(word >> 8) * 0x1p-24; }
[[gnu::always_inline]] inline double unit_f64(const std::uint32_t* word) {
  return static_cast<double>(((std::uint64_t{word[1]} << 32) | word[0]) >> 11) * 0x1p-53;
}

/// low + span u, rounded the same way on every machine: in f32 the product is exact in double, in f64 it is not rounded.
template <class T>
[[gnu::always_inline]] inline T uniform_in(double low, double span, const std::uint32_t* word) {
  if constexpr (sizeof(T) == 4) {
    return static_cast<float>(low + static_cast<double>(static_cast<float>(span)) * unit_f32(*word));
  } else {
    return std::fma(span, unit_f64(word), low);
  }
}

/// Two independent standard normals from two uniforms in [0, 1). @source Box & Muller 1958
struct Pair {
  double first, second;
};
Pair box_muller(double u, double v) {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - u));
  const double angle = 6.283185307179586477 * v;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

template <class T>
Pair normal_pair(const std::uint32_t* words) {
  if constexpr (sizeof(T) == 4) {
    return box_muller(unit_f32(words[0]), unit_f32(words[1]));
  } else {
    return box_muller(unit_f64(words), unit_f64(words + 2));
  }
}

template <class T>
constexpr Index kWordsPerElement = sizeof(T) / 4;

}  // namespace

void uniform(const Context&, const PhiloxState& random, double low, double high, const View& out) {
  const double span = high - low;
  const Index numel = out.numel();
  visit_real(out.dtype, [&]<class T>(Tag<T>) {
    const T end = static_cast<T>(high);
    const T last = std::nextafter(end, static_cast<T>(low));  // rounding may reach `high`, which is outside of the interval
    for_words(random, numel, kWordsPerElement<T>, [=, to = out.ptr<T>()](const std::uint32_t(&words)[kWords], Index first, Index count) {
      for (Index j = 0; j < count; ++j) {
        const T value = uniform_in<T>(low, span, words + j * kWordsPerElement<T>);
        to[first + j] = value < end ? value : last;
      }
    });
  });
}

void normal(const Context&, const PhiloxState& random, double mean, double std, const View& out) {
  const Index numel = out.numel();
  visit_real(out.dtype, [&]<class T>(Tag<T>) {
    for_words(random, numel, kWordsPerElement<T>, [=, to = out.ptr<T>()](const std::uint32_t(&words)[kWords], Index first, Index count) {
      for (Index j = 0; j < count; j += 2) {
        const Pair pair = normal_pair<T>(words + j * kWordsPerElement<T>);
        to[first + j] = static_cast<T>(mean + std * pair.first);
        if (j + 1 < count) {
          to[first + j + 1] = static_cast<T>(mean + std * pair.second);
        }
      }
    });
  });
}

void dropout(const Context&, const PhiloxState& random, double p, const ConstView& x, const View& y) {
  // u < p for u = w 2^-24 is w < p 2^24, and that is w < ceil(p 2^24) for whole w.
  const auto threshold = static_cast<std::uint32_t>(std::ceil(p * 0x1p24));
  const Index numel = x.numel();
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    const T keep = static_cast<T>(1.0 - p);
    for_words(random, numel, 1, [=, from = x.ptr<T>(), to = y.ptr<T>()](const std::uint32_t(&words)[kWords], Index first, Index count) {
      each(count, [=, &words](Index j) { to[first + j] = kept_if((words[j] >> 8) >= threshold, from[first + j] / keep); });
    });
  });
}

}  // namespace lora::kernels::LORA_CPU_ISA
