// Every wrapper of ptx.hpp against what ptx_meaning.hpp says that it does, on random inputs: on a GPU this tells whether we read the
// documentation right, on the emulator whether lanes are passed on right.

#include "tests/ptx_conformance.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <random>

#include "core/base/device_backend.hpp"
#include "core/base/half.hpp"

using lora::test::Lanes;
using lora::test::run_cp_async;
using lora::test::run_ldmatrix;
using lora::test::run_mma;
namespace meaning = lora::kernels::cuda::ptx::meaning;

namespace {

constexpr int kRounds = 8;

/// Pointers to the lanes, as the functions of ptx_meaning.hpp take them.
template <class T>
struct Pointers {
  void* at[32];
  explicit Pointers(Lanes<T>& lanes) {
    for (unsigned i = 0; i < 32; ++i) {
      at[i] = &lanes[i];
    }
  }
};

/// Two bf16 that are small whole numbers: sums of their products are exact in any order.
std::uint32_t whole_pair(std::mt19937& random) {
  const auto one = [&] { return std::uint32_t{lora::bf16(static_cast<float>(static_cast<int>(random() % 33) - 16)).bits}; };
  const std::uint32_t low = one();
  return low | one() << 16;
}

}  // namespace

TEST_CASE("ptx: mma_m16n8k16_bf16 multiplies as documented", "[ptx][cuda]") {
  if (!lora::cuda_available()) {
    return;
  }
  std::mt19937 random(1);
  for (int round = 0; round < kRounds; ++round) {
    Lanes<meaning::MmaLane> lanes{};
    for (meaning::MmaLane& lane : lanes) {
      for (float& d : lane.d) {
        d = static_cast<float>(static_cast<int>(random() % 2001) - 1000);
      }
      for (std::uint32_t& a : lane.a) {
        a = whole_pair(random);
      }
      for (std::uint32_t& b : lane.b) {
        b = whole_pair(random);
      }
    }
    const Lanes<meaning::MmaLane> found = run_mma(lanes);
    meaning::mma_m16n8k16_bf16(Pointers(lanes).at);
    for (unsigned lane = 0; lane < 32; ++lane) {
      for (unsigned i = 0; i < 4; ++i) {
        CAPTURE(round, lane, i);
        REQUIRE(found[lane].d[i] == lanes[lane].d[i]);
      }
    }
  }
}

TEST_CASE("ptx: ldmatrix_x4 gives each lane the documented elements", "[ptx][cuda]") {
  if (!lora::cuda_available()) {
    return;
  }
  const bool transposed = GENERATE(false, true);
  std::mt19937 random(2);
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::uint16_t> rows(64 * 8);
    for (std::uint16_t& element : rows) {
      element = static_cast<std::uint16_t>(random());
    }
    Lanes<int> row{};
    Lanes<meaning::LdmatrixLane> lanes{};
    for (unsigned lane = 0; lane < 32; ++lane) {
      row[lane] = static_cast<int>(random() % 64);
      lanes[lane].row = rows.data() + row[lane] * 8;
    }
    const auto found = run_ldmatrix(transposed, rows, row);
    meaning::ldmatrix_x4(Pointers(lanes).at, transposed);
    for (unsigned lane = 0; lane < 32; ++lane) {
      for (unsigned i = 0; i < 4; ++i) {
        CAPTURE(transposed, round, lane, i);
        REQUIRE(found[lane][i] == lanes[lane].result[i]);
      }
    }
  }
}

TEST_CASE("ptx: cp_async16 copies some bytes and zeroes the others", "[ptx][cuda]") {
  if (!lora::cuda_available()) {
    return;
  }
  std::mt19937 random(3);
  for (int round = 0; round < kRounds; ++round) {
    Lanes<std::array<unsigned char, 32>> from{};
    Lanes<int> bytes{};
    for (unsigned lane = 0; lane < 32; ++lane) {
      bytes[lane] = static_cast<int>((lane + static_cast<unsigned>(round)) % 17);
      for (unsigned char& byte : from[lane]) {
        byte = static_cast<unsigned char>(random() | 1u);
      }
    }
    const auto found = run_cp_async(from, bytes);
    for (unsigned lane = 0; lane < 32; ++lane) {
      for (unsigned i = 0; i < 32; ++i) {
        CAPTURE(round, lane, i, bytes[lane]);
        REQUIRE(found[lane][i] == (static_cast<int>(i % 16) < bytes[lane] ? from[lane][i] : 0));
      }
    }
  }
}
