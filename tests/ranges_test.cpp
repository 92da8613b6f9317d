#include "core/ranges.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;
using Whole = std::vector<std::int64_t>;
using Real = std::vector<double>;

namespace {

constexpr Index kMax = std::numeric_limits<Index>::max(), kMin = std::numeric_limits<Index>::min();

}  // namespace

TEST_CASE("ranges: arange counts from start to before end", "[ranges]") {
  CHECK(arange(2, 5).to_vector<std::int64_t>() == Whole{2, 3, 4});
  CHECK(arange(0, 7, 3).to_vector<std::int64_t>() == Whole{0, 3, 6});
  CHECK(arange(0, 6, 3).to_vector<std::int64_t>() == Whole{0, 3});
  CHECK(arange(5, -1, -2).to_vector<std::int64_t>() == Whole{5, 3, 1});
  CHECK(arange(4, 4).numel() == 0);
  CHECK(arange(4, 4, -1).numel() == 0);
  CHECK(arange(0, Index{3}).dtype() == DType::i64);
  CHECK(arange(kMax - 1, kMax).to_vector<std::int64_t>() == Whole{kMax - 1});
  CHECK(arange(kMin, kMax, kMax).to_vector<std::int64_t>() == Whole{kMin, -1, kMax - 1});
  CHECK(arange(kMax, kMin, kMin).to_vector<std::int64_t>() == Whole{kMax, -1});
  CHECK(arange(0.0, 1.0, 0.25).to_vector<double>() == Real{0, 0.25, 0.5, 0.75});
  CHECK(arange(1.0, 0, -0.5).to_vector<double>() == Real{1, 0.5});
  CHECK(arange(0, 1, 0.5).dtype() == DType::f32);
  CHECK(arange(0, 3, 1, DType::f64).dtype() == DType::f64);
  CHECK(arange(0.5, 3, 1, DType::f64).to_vector<double>() == Real{0.5, 1.5, 2.5});
}

TEST_CASE("ranges: arange that leads nowhere is an error", "[ranges]") {
  CHECK_THAT(error_of([] { (void)arange(0, 3, 0); }), Contains("[arange]") && Contains("must not be 0"));
  CHECK_THAT(error_of([] { (void)arange(3, 0); }), Contains("[arange]") && Contains("from 3 to 0"));
  CHECK_THAT(error_of([] { (void)arange(0, 3, -1); }), Contains("step of -1"));
  CHECK_THAT(error_of([] { (void)arange(kMin, kMax); }), Contains("too many"));
  CHECK_THAT(error_of([] { (void)arange(0.0, 1e300); }), Contains("too many"));
  CHECK_THAT(error_of([] { (void)arange(0.0, std::nan("")); }), Contains("finite"));
  CHECK_THAT(error_of([] { (void)arange(0.0, HUGE_VAL); }), Contains("finite"));
  CHECK_THAT(error_of([] { (void)arange(-1e308, 1e308, 1e-300); }), Contains("[arange]"));
}

TEST_CASE("ranges: linspace has both ends", "[ranges]") {
  CHECK(linspace(0, 1, 5, DType::f64).to_vector<double>() == Real{0, 0.25, 0.5, 0.75, 1});
  CHECK(linspace(3, -3, 3, DType::f64).to_vector<double>() == Real{3, 0, -3});
  CHECK(linspace(0.1, 0.7, 8, DType::f64).to_vector<double>().back() == 0.7);
  CHECK(linspace(2, 9, 1).to_vector<double>() == Real{2});
  CHECK_THAT(error_of([] { (void)linspace(-1e308, 1e308, 3); }), Contains("finite distance"));
  CHECK(linspace(2, 9, 0).numel() == 0);
  CHECK(linspace(0, 1, 2).dtype() == DType::f32);
  CHECK_THAT(error_of([] { (void)linspace(0, 1, -1); }), Contains("[linspace]") && Contains("-1"));
  CHECK_THAT(error_of([] { (void)linspace(0, 1, kMax); }), Contains("[linspace]"));
}

TEST_CASE("ranges: eye is the identity", "[ranges]") {
  CHECK(eye(3).to_vector<double>() == Real{1, 0, 0, 0, 1, 0, 0, 0, 1});
  CHECK(eye(1, DType::i64).item<int>() == 1);
  CHECK(eye(0).shape() == Shape{0, 0});
  CHECK(eye(2, DType::boolean).dtype() == DType::boolean);
  CHECK_THAT(error_of([] { (void)eye(-1); }), Contains("negative"));
  CHECK(error_of([] { (void)eye(kMax); }) != "no error");
}
