// The reductions of every instruction set and of CUDA against plain loops in f64.

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "core/base/threads.hpp"
#include "tests/support/kernel_array.hpp"

using lora::DType;
using lora::Index;
using lora::Shape;
using lora::kernels::Context;
using lora::kernels::KernelTable;
using lora::kernels::ReduceOp;
using lora::test::cpu_tables;
using lora::test::kernel_tables;
using lora::test::KernelArray;
using lora::test::kLayouts;
using lora::test::Layout;
using lora::test::places_of;
using lora::test::rounding;
using lora::test::worst;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

constexpr ReduceOp kOps[] = {ReduceOp::max, ReduceOp::min, ReduceOp::norm1, ReduceOp::norm2, ReduceOp::norm_inf, ReduceOp::logsumexp};

using Values = std::vector<double>;

double extremum(const Values& values, bool largest) {
  double best = largest ? -kInf : kInf;
  for (const double value : values) {
    best = std::isnan(best) || (largest ? value > best : value < best) || std::isnan(value) ? (std::isnan(best) ? best : value) : best;
  }
  return best;
}

double reduced_value(ReduceOp op, Values values) {
  double sum = 0, shift = 0;
  switch (op) {
    case ReduceOp::max: return extremum(values, true);
    case ReduceOp::min: return extremum(values, false);
    case ReduceOp::norm_inf:
      for (double& value : values) {
        value = std::abs(value);
      }
      return values.empty() ? 0 : extremum(values, true);
    case ReduceOp::norm1:
      for (const double value : values) {
        sum += std::abs(value);
      }
      return sum;
    case ReduceOp::norm2:
      for (const double value : values) {
        sum += value * value;
      }
      return std::sqrt(sum);
    case ReduceOp::logsumexp:
      shift = std::isfinite(extremum(values, true)) ? extremum(values, true) : 0;
      for (const double value : values) {
        sum += std::exp(value - shift);
      }
      return std::log(sum) + shift;
  }
  return kNaN;
}

/// Size 1 at the axes that `reduced` names.
Shape kept_shape(Shape shape, unsigned reduced) {
  for (int i = 0; i < shape.ndim(); ++i) {
    shape[i] = ((reduced >> i) & 1u) != 0 ? 1 : shape[i];
  }
  return shape;
}

/// Strides that repeat the elements of `kept` over `shape`.
Shape repeated(const Shape& shape, const Shape& kept) {
  Shape strides = lora::contiguous_strides(kept);
  for (int i = 0; i < shape.ndim(); ++i) {
    strides[i] = kept[i] == shape[i] ? strides[i] : 0;
  }
  return strides;
}

/// For each element of `shape` the one of `kept` that it belongs to.
std::vector<Index> homes_of(const Shape& shape, const Shape& kept) { return places_of(shape, repeated(shape, kept)); }

/// The elements of x that each result is made of.
std::vector<Values> groups_of(const KernelArray& x, const Shape& kept) {
  std::vector<Values> groups(static_cast<std::size_t>(kept.numel()));
  const std::vector<Index> homes = homes_of(x.shape(), kept);
  for (std::size_t i = 0; i < homes.size(); ++i) {
    groups[static_cast<std::size_t>(homes[i])].push_back(x.get(static_cast<Index>(i)));
  }
  return groups;
}

struct Case {
  Shape shape;
  unsigned reduced;
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{1}, Shape{1025}, Shape{70000}, Shape{64, 10}, Shape{10, 65}, Shape{1400, 100},
                             Shape{3, 0, 2}, Shape{4, 33, 65}, Shape{2, 3, 4, 5}, Shape{40000, 2}}) {
    for (unsigned reduced = 0; reduced < (1u << shape.ndim()); ++reduced) {
      cases.push_back({shape, reduced});
    }
  }
  return cases;
}

}  // namespace

TEST_CASE("kernels: reductions over any axes in every layout", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const Layout layout = GENERATE(Layout::contiguous, Layout::reversed, Layout::gaps);
  const double tolerance = dtype == DType::f32 ? rounding(dtype) : 1e-12;  // in f64 both sums round, up to 100000 times
  for (const Case& c : all_cases()) {
    KernelArray x(dtype, c.shape, layout), y(dtype, kept_shape(c.shape, c.reduced));
    x.scramble(3).fill_by([&](Index i) { return 3 * x.get(i); });
    const auto groups = groups_of(x, y.shape());
    for (const ReduceOp op : kOps) {
      for (const auto& [isa, k] : kernel_tables()) {
        y.scramble(4);
        k->reduce(Context{}, op, x.read(), y.view());
        CAPTURE(isa, dtype, c.shape, c.reduced, static_cast<int>(op), static_cast<int>(layout));
        REQUIRE(worst(y, [&](Index i) { return reduced_value(op, groups[static_cast<std::size_t>(i)]); }) <= tolerance);
      }
    }
  }
}

TEST_CASE("kernels: reductions of values that are not finite", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const Index n = GENERATE(4, 50, 3000);  // in columns, in rows, and beyond one pass of the lanes
  const std::vector<Values> patterns = {{kNaN, 1, 2, 3},       {1, 2, 3, kNaN},      {1, kNaN, 3, 2},  {-kInf, -kInf, -kInf, -kInf},
                                        {kInf, 1, -1, kInf},   {kInf, -kInf, 2, 1},  {-kInf, 2, 1, 0}, {0, -0.0, 0, 0},
                                        {kInf, kNaN, 1, kInf}, {1e3, -1e3, 999, 1e3}};
  const Index rows = static_cast<Index>(patterns.size());
  for (const Layout layout : kLayouts) {
    KernelArray x(dtype, {rows, n}, layout), y(dtype, {rows, 1});
    x.fill_by([&](Index i) { return patterns[static_cast<std::size_t>(i / n)][static_cast<std::size_t>(i % n * 4 / n)]; });
    const auto groups = groups_of(x, y.shape());
    for (const ReduceOp op : kOps) {
      for (const auto& [isa, k] : kernel_tables()) {
        k->reduce(Context{}, op, x.read(), y.view());
        CAPTURE(isa, dtype, n, static_cast<int>(op), static_cast<int>(layout));
        REQUIRE(worst(y, [&](Index i) { return reduced_value(op, groups[static_cast<std::size_t>(i)]); }) <= 4 * rounding(dtype));
      }
    }
  }
}

namespace {

double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }

double slope(ReduceOp op, double x, double y) {
  switch (op) {
    case ReduceOp::max:
    case ReduceOp::min: return x == y ? 1 : 0;
    case ReduceOp::norm_inf: return std::abs(x) == y ? sign(x) : 0;
    case ReduceOp::norm1: return sign(x);
    case ReduceOp::norm2: return y == 0 ? 0 : x / y;
    case ReduceOp::logsumexp: return std::exp(x - y);
  }
  return kNaN;
}

/// Values with many ties, the largest among them.
void fill_with_ties(KernelArray& x) {
  x.fill_by([](Index i) { return static_cast<double>((i * 5 + i / 7) % 9 - 4) * 0.5; });
}

}  // namespace

TEST_CASE("kernels: slopes of reductions and the number of ties", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const Layout layout = GENERATE(Layout::contiguous, Layout::reversed, Layout::gaps);
  const bool flat = GENERATE(false, true);  // a cotangent that is one number for all
  for (const Case& c : all_cases()) {
    if (c.shape.numel() > 10000 && (flat || layout != Layout::contiguous)) {
      continue;  // large ones in every layout are reduced above
    }
    const Shape kept = kept_shape(c.shape, c.reduced);
    KernelArray x(dtype, c.shape, layout), y(dtype, kept), gy(dtype, kept), gx(dtype, c.shape, layout), count(dtype, kept);
    fill_with_ties(x);
    gy.scramble(5).fill_by([&](Index i) { return gy.get(flat ? 0 : i); });
    const auto groups = groups_of(x, kept);
    const std::vector<Index> homes = homes_of(c.shape, kept);
    for (const ReduceOp op : kOps) {
      for (const auto& [isa, k] : kernel_tables()) {
        CAPTURE(isa, dtype, c.shape, c.reduced, static_cast<int>(op), static_cast<int>(layout));
        k->reduce(Context{}, op, x.read(), y.view());
        auto from = y.read(), cotangent = gy.read();
        from.shape = cotangent.shape = c.shape;
        from.strides = repeated(c.shape, kept);
        cotangent.strides = flat ? Shape(std::vector<Index>(static_cast<std::size_t>(c.shape.ndim()), 0)) : from.strides;
        k->reduce_grad(Context{}, op, x.read(), from, cotangent, gx.view());
        REQUIRE(worst(gx, [&](Index i) {
                  const Index at = homes[static_cast<std::size_t>(i)];
                  return gy.get(at) * slope(op, x.get(i), y.get(at));
                }) <= 4 * rounding(dtype));
        if (op == ReduceOp::max || op == ReduceOp::min || op == ReduceOp::norm_inf) {
          k->reduce_ties(Context{}, op, x.read(), y.read(), count.view());
          REQUIRE(worst(count, [&](Index i) {
                    double ties = 0;
                    for (const double value : groups[static_cast<std::size_t>(i)]) {
                      ties += (op == ReduceOp::norm_inf ? std::abs(value) : value) == y.get(i) ? 1 : 0;
                    }
                    return ties;
                  }) == 0);
        }
      }
    }
  }
}

TEST_CASE("kernels: the variance loses nothing to a large mean", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const Layout layout = GENERATE(Layout::contiguous, Layout::reversed, Layout::gaps);
  for (const Case& c : all_cases()) {
    const Shape kept = kept_shape(c.shape, c.reduced);
    KernelArray x(dtype, c.shape, layout), y(dtype, kept), mean(DType::f64, kept), gy(dtype, kept), gx(dtype, c.shape, layout);
    x.fill_by([](Index i) { return 1e6 + static_cast<double>(i * 7 % 5) * 0.125; });  // exact in f32
    gy.scramble(6);
    const auto groups = groups_of(x, kept);
    const std::vector<Index> homes = homes_of(c.shape, kept);
    std::vector<double> means, sums;
    for (const Values& values : groups) {
      double total = 0, squares = 0;
      for (const double value : values) {
        total += value - 1e6;
      }
      means.push_back(1e6 + total / static_cast<double>(values.size()));
      for (const double value : values) {
        squares += (value - means.back()) * (value - means.back());
      }
      sums.push_back(0.5 * squares);
    }
    for (const auto& [isa, k] : kernel_tables()) {
      CAPTURE(isa, dtype, c.shape, c.reduced, static_cast<int>(layout));
      k->var(Context{}, 0.5, x.read(), mean.view(), y.view());
      auto centers = mean.read(), cotangent = gy.read();
      centers.shape = cotangent.shape = c.shape;
      centers.strides = cotangent.strides = repeated(c.shape, kept);
      k->var_grad(Context{}, x.read(), centers, cotangent, gx.view());
      // means of 1e6 have units of 1e-10, and up to 100000 of them are added
      REQUIRE(worst(mean, [&](Index i) { return means[static_cast<std::size_t>(i)]; }) <= 1e-14);
      REQUIRE(worst(y, [&](Index i) { return sums[static_cast<std::size_t>(i)]; }) <= (dtype == DType::f32 ? rounding(dtype) : 1e-9));
      REQUIRE(worst(gx, [&](Index i) {
                const Index at = homes[static_cast<std::size_t>(i)];
                return gy.get(at) * (x.get(i) - means[static_cast<std::size_t>(at)]);
              }) <= (dtype == DType::f32 ? rounding(dtype) : 1e-9));
    }
  }
}

TEST_CASE("kernels: reductions have the same bits for any number of threads", "[kernels][threads]") {
  const Shape shape = GENERATE(Shape{300000}, Shape{5000, 70}, Shape{70, 5000}, Shape{100000, 3});
  const unsigned reduced = GENERATE(1u, 2u, 3u);
  const int before = lora::num_threads();
  for (const auto& [isa, k] : cpu_tables()) {
    KernelArray x(DType::f32, shape), means(DType::f64, kept_shape(shape, reduced)), first_means = means;
    KernelArray first(DType::f32, means.shape()), y = first;
    x.scramble(5);
    const auto same = [&](const auto& run) {
      lora::set_num_threads(1);
      run(first, first_means);
      for (const int threads : {2, 3}) {
        lora::set_num_threads(threads);
        y.scramble(1);
        run(y, means);
        CHECK((y.bytes() == first.bytes() && means.bytes() == first_means.bytes()));
      }
    };
    CAPTURE(isa, shape, reduced);
    for (const ReduceOp op : kOps) {
      same([&, table = k](KernelArray& to, KernelArray&) { table->reduce(Context{}, op, x.read(), to.view()); });
    }
    same([&, table = k](KernelArray& to, KernelArray& mean) { table->var(Context{}, 1.0, x.read(), mean.view(), to.view()); });
  }
  lora::set_num_threads(before);
}

TEST_CASE("kernels: argmax and argmin find the first, NaN before all", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const std::vector<double> values = {1,     3,     3,     2,     kNaN, 9,  9,  9, 1, kNaN, kInf, kNaN,
                                      -kInf, -kInf, -kInf, -kInf, -1,   -2, -3, 0, 2, 1,    1,    3};
  const std::vector<double> largest = {1, 0, 1, 0, 3, 3}, smallest = {0, 0, 1, 0, 2, 1};
  for (const auto& [isa, k] : kernel_tables()) {
    for (const Layout layout : kLayouts) {
      KernelArray x(dtype, {6, 4}, layout), y(DType::i64, {6});
      x.fill_by([&](Index i) { return values[static_cast<std::size_t>(i)]; });
      CAPTURE(isa, dtype);
      k->arg_reduce(Context{}, ReduceOp::max, x.read(), y.view());
      CHECK(worst(y, [&](Index i) { return largest[static_cast<std::size_t>(i)]; }) == 0);
      k->arg_reduce(Context{}, ReduceOp::min, x.read(), y.view());
      CHECK(worst(y, [&](Index i) { return smallest[static_cast<std::size_t>(i)]; }) == 0);
    }
    KernelArray none(dtype, {0, 3}), y(DType::i64, {0});
    k->arg_reduce(Context{}, ReduceOp::max, none.read(), y.view());
    KernelArray one(dtype, {1, 1}), place(DType::i64, {1});
    place.set(0, 5);
    k->arg_reduce(Context{}, ReduceOp::min, one.read(), place.view());
    CHECK(place.get(0) == 0);
  }
}
