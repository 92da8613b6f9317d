#pragma once
// Counter-based random numbers: the same bits on every device and for any number of threads.

#include <array>
#include <cstdint>
#include <vector>

#include "core/base/shape.hpp"

namespace lora {

/// Philox4x32-10: four random words for a 128-bit counter and a 64-bit key.
/// @source Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"
constexpr std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
  }
  return counter;
}

/// A place in a random sequence. Block `i` of four words is philox({offset + i (64 bit), stream (64 bit)}, seed).
struct PhiloxState {
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;
  std::uint64_t offset = 0;

  constexpr std::array<std::uint32_t, 4> block(std::uint64_t i) const {
    const std::uint64_t at = offset + i;
    return philox({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at >> 32), static_cast<std::uint32_t>(stream),
                   static_cast<std::uint32_t>(stream >> 32)},
                  {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  }
  friend bool operator==(const PhiloxState&, const PhiloxState&) = default;
};

/// Uniform in [0, 1) with 24 random bits.
constexpr float uniform_f32(std::uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

/// Uniform in [0, 1) with 53 random bits.
constexpr double uniform_f64(std::uint32_t low, std::uint32_t high) {
  return static_cast<double>(((std::uint64_t{high} << 32) | low) >> 11) * 0x1p-53;
}

/// Hands out disjoint pieces of one random sequence. Streams of one seed never overlap.
class Generator {
 public:
  explicit Generator(std::uint64_t seed = 0, std::uint64_t stream = 0) : state_{seed, stream, 0} {}
  explicit Generator(const PhiloxState& state) : state_(state) {}

  /// The next ceil(words / 4) blocks of the sequence, for the caller alone.
  PhiloxState reserve(Index words) {
    const PhiloxState piece = state_;
    state_.offset += static_cast<std::uint64_t>((words + 3) / 4);
    return piece;
  }
  /// What a checkpoint needs to go on with the same bits.
  const PhiloxState& state() const { return state_; }
  void set_state(const PhiloxState& state) { state_ = state; }

 private:
  PhiloxState state_;
};

/// The generator that initialisers and dropout use unless they are given one. One a process, not for use from several threads at once.
Generator& default_generator();

/// Starts the default generator anew.
void manual_seed(std::uint64_t seed);

/// A uniformly random order of 0..n-1 (Fisher-Yates; the same for equal generator states everywhere).
std::vector<Index> permutation(Index n, Generator& generator);

}  // namespace lora
