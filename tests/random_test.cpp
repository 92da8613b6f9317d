#include "core/ops/random.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "core/base/threads.hpp"
#include "core/ops/view.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;

namespace {

using Words = std::array<std::uint32_t, 4>;

/// Gives the number of threads back at the end of a test.
struct Threads {
  Threads() : before(num_threads()) {}
  ~Threads() { set_num_threads(before); }
  int before;
};

struct Moments {
  double mean = 0, variance = 0, skewness = 0, kurtosis = 0, lowest = 0, highest = 0;
};

Moments moments(const Tensor& x) {
  const auto v = x.to_vector<double>();
  const auto n = static_cast<double>(v.size());
  Moments m;
  m.mean = std::accumulate(v.begin(), v.end(), 0.0) / n;
  for (const double value : v) {
    const double d = value - m.mean;
    m.variance += d * d / n;
    m.skewness += d * d * d / n;
    m.kurtosis += d * d * d * d / n;
  }
  m.lowest = *std::min_element(v.begin(), v.end());
  m.highest = *std::max_element(v.begin(), v.end());
  return m;
}

bool is_permutation_of_all(std::vector<Index> order) {
  std::sort(order.begin(), order.end());
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (order[i] != static_cast<Index>(i)) {
      return false;
    }
  }
  return true;
}

}  // namespace

TEST_CASE("random: philox gives the known answers of its authors", "[random]") {
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  const std::uint32_t all = 0xffffffff;
  CHECK(philox({all, all, all, all}, {all, all}) == Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("random: a state is a counter of 64 bits, a stream and a seed", "[random]") {
  const PhiloxState state{0xa409382200000000u, 0x0370734413198a2eu, 0x85a308d3243f6a00u};
  CHECK(state.block(0x88) == philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0x00000000, 0xa4093822}));
  const PhiloxState edge{1, 2, 0xffffffffu};
  CHECK(edge.block(1) == philox({0, 1, 2, 0}, {1, 0}));  // the carry into the second word
}

TEST_CASE("random: tensors are the words of the sequence", "[random]") {
  Generator generator(42, 7);
  const PhiloxState start = generator.state();
  const auto f32 = uniform({37}, 0.0, 1.0, DType::f32, generator).to_vector<float>();
  const PhiloxState second = generator.state();
  CHECK(second.offset == start.offset + 10);  // ceil(37 / 4) blocks
  for (std::size_t i = 0; i < f32.size(); ++i) {
    CHECK(f32[i] == uniform_f32(start.block(i / 4)[i % 4]));
  }
  const auto f64 = uniform({5}, 0.0, 1.0, DType::f64, generator).to_vector<double>();
  for (std::size_t i = 0; i < f64.size(); ++i) {
    const auto words = second.block(i / 2);
    CHECK(f64[i] == uniform_f64(words[2 * (i % 2)], words[2 * (i % 2) + 1]));
  }
}

TEST_CASE("random: equal states give equal bits, other seeds and streams do not", "[random]") {
  const auto draw = [](std::uint64_t seed, std::uint64_t stream) {
    Generator generator(seed, stream);
    return uniform({16}, 0, 1, DType::f64, generator);
  };
  CHECK(same_bits(draw(1, 0), draw(1, 0)));
  CHECK_FALSE(same_bits(draw(1, 0), draw(2, 0)));
  CHECK_FALSE(same_bits(draw(1, 0), draw(1, 1)));
  manual_seed(5);
  const Tensor first = randn({3});
  const PhiloxState saved = default_generator().state();
  const Tensor second = randn({3});
  CHECK_FALSE(same_bits(first, second));
  default_generator().set_state(saved);
  CHECK(same_bits(second, randn({3})));
  manual_seed(5);
  CHECK(same_bits(first, randn({3})));
}

TEST_CASE("random: any number of threads gives the same bits", "[random]") {
  const Threads restore;
  const Tensor x = ones({100'003});
  const auto draw = [&] {
    Generator generator(3);
    return std::vector<Tensor>{uniform({100'003}, -1, 1, DType::f32, generator), uniform({70'001}, 0, 1, DType::f64, generator),
                               randn({100'003}, DType::f32, generator), randn({70'001}, DType::f64, generator), dropout(x, 0.3, generator)};
  };
  set_num_threads(1);
  const auto one = draw();
  for (const int threads : {2, 3, 5}) {
    set_num_threads(threads);
    const auto many = draw();
    for (std::size_t i = 0; i < one.size(); ++i) {
      INFO(threads << " threads, tensor " << i);
      CHECK(same_bits(one[i], many[i]));
    }
  }
}

TEST_CASE("random: moments of uniform and normal numbers", "[random]") {
  // Bounds are 5 standard errors for a million numbers: sd of the mean is sigma / 1000, of the other moments as noted.
  for (const DType dtype : {DType::f32, DType::f64}) {
    INFO(dtype);
    Generator generator(11);
    const Moments u = moments(uniform({1'000'000}, -2.0, 4.0, dtype, generator));
    CHECK(std::abs(u.mean - 1.0) <= 5 * std::sqrt(3.0) / 1000);
    CHECK(std::abs(u.variance - 3.0) <= 5 * std::sqrt(9.0 * 0.8) / 1000);  // var of (x-mean)^2 is 0.8 sigma^4
    CHECK(u.lowest >= -2.0);
    CHECK(u.highest < 4.0);
    CHECK(u.highest > 3.999);
    const Moments n = moments(randn({1'000'000}, dtype, generator));
    CHECK(std::abs(n.mean) <= 5.0 / 1000);
    CHECK(std::abs(n.variance - 1.0) <= 5 * std::sqrt(2.0) / 1000);
    CHECK(std::abs(n.skewness) <= 5 * std::sqrt(15.0) / 1000);        // var of x^3
    CHECK(std::abs(n.kurtosis - 3.0) <= 5 * std::sqrt(96.0) / 1000);  // var of x^4
    CHECK(n.highest > 4.0);
  }
}

TEST_CASE("random: a uniform number is never the upper bound", "[random]") {
  // Block 38471471 of seed 0 begins with a word whose 24 upper bits are all ones: 1 + (1 - 2^-24) lies half way between two f32.
  Generator generator(PhiloxState{0, 0, 38471471});
  CHECK(uniform({1}, 1.0, 2.0, DType::f32, generator).item<double>() < 2.0);
}

TEST_CASE("random: a permutation has everything once", "[random]") {
  Generator generator(9);
  for (const Index n : {0, 1, 2, 3, 100, 4097}) {
    CHECK(is_permutation_of_all(permutation(n, generator)));
  }
  const PhiloxState state = generator.state();
  const auto order = permutation(50, generator);
  generator.set_state(state);
  CHECK(permutation(50, generator) == order);
  CHECK(permutation(50, generator) != order);
}

TEST_CASE("random: permutations are uniform", "[random]") {
  Generator generator(10);
  std::array<std::array<int, 4>, 4> at{};  // how often element e is at place i
  constexpr int kDraws = 40'000;
  for (int k = 0; k < kDraws; ++k) {
    const auto order = permutation(4, generator);
    for (std::size_t i = 0; i < 4; ++i) {
      ++at[i][static_cast<std::size_t>(order[i])];
    }
  }
  for (const auto& row : at) {
    for (const int count : row) {
      CHECK(std::abs(count - kDraws / 4) <= 5 * std::sqrt(kDraws * 0.25 * 0.75));  // 5 standard deviations
    }
  }
}

TEST_CASE("random: dropout drops p of the elements, scales the rest, and keeps the expectation", "[random]") {
  for (const double p : {0.1, 0.5, 0.9}) {
    Generator generator(21);
    const Tensor x = full({200'000}, 3.0, DType::f64);
    const auto y = dropout(x, p, generator).to_vector<double>();
    const auto dropped = static_cast<double>(std::count(y.begin(), y.end(), 0.0));
    const auto n = static_cast<double>(y.size());
    CHECK(std::abs(dropped / n - p) <= 5 * std::sqrt(p * (1 - p) / n));
    CHECK(std::all_of(y.begin(), y.end(), [p](double v) { return v == 0.0 || v == 3.0 / (1.0 - p); }));
  }
}

TEST_CASE("random: dropout without probability takes nothing from the generator", "[random]") {
  Generator generator(1);
  const Tensor x = ones({4});
  CHECK(dropout(x, 0.0, generator).storage() == x.storage());
  CHECK(generator.state().offset == 0);
  (void)dropout(x, 0.5, generator);
  CHECK(generator.state().offset == 1);
  CHECK_THAT(error_of([&] { (void)dropout(x, 1.0, generator); }), Contains("dropout") && Contains("got 1"));
  CHECK_THAT(error_of([&] { (void)dropout(x, -0.1, generator); }), Contains("dropout"));
  CHECK_THAT(error_of([&] { (void)dropout(x, std::nan(""), generator); }), Contains("dropout"));
  CHECK_THAT(error_of([&] { (void)dropout(arange(3), 0.5, generator); }), Contains("dropout") && Contains("i64[3]@cpu"));
}

TEST_CASE("random: the mask of dropout does not depend on the strides of its input", "[random]") {
  const Tensor x = random({5, 7}, 1.0, 2.0);
  Generator one(4), two(4);
  CHECK(same_bits(dropout(x, 0.5, one), dropout(reversed_strides(x), 0.5, two)));
}
