#include "core/base/rng.hpp"

#include <numeric>
#include <utility>

namespace lora {

namespace {

__extension__ using Wide = unsigned __int128;  // for the high word of a 64 x 64 bit product

}  // namespace

Generator& default_generator() {
  static Generator generator;
  return generator;
}

void manual_seed(std::uint64_t seed) { default_generator() = Generator(seed); }

std::vector<Index> permutation(Index n, Generator& generator) {
  std::vector<Index> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), Index{0});
  const PhiloxState random = generator.reserve(4 * n);
  for (Index i = n - 1; i > 0; --i) {
    const auto words = random.block(static_cast<std::uint64_t>(i));
    const std::uint64_t draw = (std::uint64_t{words[1]} << 32) | words[0];
    // The high word of draw * (i + 1): uniform on 0..i up to a bias of (i + 1) / 2^64.
    const auto j = static_cast<std::size_t>((static_cast<Wide>(draw) * static_cast<std::uint64_t>(i + 1)) >> 64);
    std::swap(order[static_cast<std::size_t>(i)], order[j]);
  }
  return order;
}

}  // namespace lora
