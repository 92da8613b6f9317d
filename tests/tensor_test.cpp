#include "core/tensor.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <sstream>

#include "core/base/device_backend.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/reduce.hpp"
#include "core/ops/view.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;

namespace {

constexpr DType kAll[] = {DType::f32, DType::f64, DType::bf16, DType::f16, DType::u8, DType::i32, DType::i64, DType::boolean};
constexpr Index kHuge = Index{1} << 62;

std::vector<double> values(const Tensor& x) { return x.to_vector<double>(); }

Tensor doubles(const std::vector<double>& v) { return from_values(v, {static_cast<Index>(v.size())}); }

std::string text(const Tensor& x) {
  std::ostringstream out;
  out << x;
  return out.str();
}

}  // namespace

TEST_CASE("tensor: factories give the values, type and shape asked for", "[tensor]") {
  for (const DType dtype : kAll) {
    INFO(dtype);
    CHECK(values(zeros({2, 3}, dtype)) == std::vector<double>(6, 0.0));
    CHECK(values(ones({3}, dtype)) == std::vector<double>(3, 1.0));
    CHECK(values(full({}, 1.0, dtype)) == std::vector<double>{1.0});
    const Tensor x = empty({2, 0, 3}, dtype);
    CHECK(x.dtype() == dtype);
    CHECK(x.numel() == 0);
    CHECK(x.nbytes() == 0);
    CHECK(x.is_contiguous());
    CHECK(values(x).empty());
    CHECK(values(zeros_like(ones({2}, dtype))) == std::vector<double>{0, 0});
  }
  CHECK(values(full({2}, 7.0, DType::u8)) == std::vector<double>{7, 7});
  CHECK(values(arange(4)) == std::vector<double>{0, 1, 2, 3});
  CHECK(arange(3, DType::f32).dtype() == DType::f32);
  CHECK(arange(0).shape() == Shape{0});
  CHECK(from_values(std::vector<float>{1, 2}, {2, 1}).dtype() == DType::f32);
  CHECK_FALSE(ones({2}).requires_grad());
}

TEST_CASE("tensor: a scalar has no axes and one element", "[tensor]") {
  const Tensor x = full({}, 2.5, DType::f64);
  CHECK(x.ndim() == 0);
  CHECK(x.numel() == 1);
  CHECK(x.item<double>() == 2.5);
  CHECK(text(x) == "f64[]@cpu");
  CHECK_THAT(error_of([&] { (void)x.size(0); }), Contains("axis 0"));
}

TEST_CASE("tensor: sizes that cannot be are errors", "[tensor]") {
  CHECK_THAT(error_of([] { (void)empty({2, -1}); }), Contains("[2,-1]") && Contains("negative"));
  CHECK_THAT(error_of([] { (void)empty({kHuge, 4}); }), Contains("too many elements"));
  CHECK_THAT(error_of([] { (void)empty({0, kHuge, 4}); }), Contains("too many elements"));
  CHECK(error_of([] { (void)empty({kHuge}, DType::f64); }) != "no error");  // the bytes do not fit in 64 bits
  CHECK_THAT(error_of([] { (void)arange(-1); }), Contains("arange") && Contains("-1"));
  CHECK_THAT(error_of([] {
               (void)from_values(std::vector<float>{1, 2}, {3});
             }),
             Contains("from_values") && Contains("2 values") && Contains("[3]"));
  CHECK_THAT(error_of([] { (void)Shape{1, 1, 1, 1, 1, 1, 1, 1, 1}; }), Contains("at most 8"));
}

TEST_CASE("tensor: views of impossible sizes are errors", "[tensor]") {
  const Tensor none = empty({0, 3});
  const Tensor one = ones({1});
  CHECK_THAT(error_of([&] { (void)expand(one, {-2}); }), Contains("expand"));
  CHECK_THAT(error_of([&] { (void)expand(one, {-1, 1}); }), Contains("expand"));
  CHECK_THAT(error_of([&] { (void)expand(one, {kHuge, 4}); }), Contains("expand"));
  CHECK_THAT(error_of([&] { (void)reshape(none, {Index{1} << 32, Index{1} << 32}); }), Contains("reshape"));
  CHECK_THAT(error_of([&] { (void)reshape(none, {0, -1}); }), Contains("reshape"));
  CHECK_THAT(error_of([&] { (void)reshape(ones({6}), {-1, -1}); }), Contains("at most one"));
  CHECK_THAT(error_of([&] { (void)reshape(ones({6}), {4, -1}); }), Contains("f32[6]@cpu"));
  CHECK_THAT(error_of([&] { (void)narrow(one, 0, std::numeric_limits<Index>::max(), 1); }), Contains("narrow"));
  CHECK_THAT(error_of([&] { (void)narrow(one, 0, 0, std::numeric_limits<Index>::min()); }), Contains("narrow"));
  const auto storage = Storage::allocate(64, kCpu);
  CHECK_THAT(error_of([&] { Tensor(storage, DType::f64, {9}, {1}); }), Contains("leaves its storage"));
  CHECK_THAT(error_of([&] { Tensor(storage, DType::f64, {2}, {-1}); }), Contains("leaves its storage"));
  CHECK_THAT(error_of([&] { Tensor(storage, DType::f64, {2}, {kHuge}, 1); }), Contains("leaves its storage"));
  CHECK(values(Tensor(storage, DType::f64, {3}, {0}, 7)).size() == 3);
}

TEST_CASE("tensor: views share storage and version", "[tensor]") {
  Tensor x = clone(reshape(arange(6, DType::f64), {2, 3}));
  const std::vector<Tensor> views{t(x), reshape(x, {6}), narrow(x, 1, 1, 2), unsqueeze(x, 0), expand(x, {4, 2, 3}), x.detach(), flatten(x)};
  const auto before = x.storage()->version();
  for (const Tensor& view : views) {
    CHECK(view.storage() == x.storage());
  }
  x.fill_(9.0);
  CHECK(x.storage()->version() > before);
  for (const Tensor& view : views) {
    CHECK(values(view) == std::vector<double>(static_cast<std::size_t>(view.numel()), 9.0));
    CHECK(view.storage()->version() == x.storage()->version());
  }
  narrow(x, 1, 0, 1).fill_(1.0);
  CHECK(values(x) == std::vector<double>{1, 9, 9, 1, 9, 9});
  CHECK(clone(x).storage() != x.storage());
  CHECK(contiguous(x).storage() == x.storage());
  CHECK(contiguous(t(x)).storage() != x.storage());
  CHECK(values(t(x)) == std::vector<double>{1, 1, 9, 9, 9, 9});
}

TEST_CASE("tensor: copy_ converts, broadcasts and may overlap itself", "[tensor]") {
  Tensor x = zeros({2, 3}, DType::i32);
  x.copy_(doubles({1.9, -2.9, 3}));
  CHECK(values(x) == std::vector<double>{1, -2, 3, 1, -2, 3});
  Tensor line = doubles({0, 1, 2, 3, 4, 5});
  narrow(line, 0, 1, 5).copy_(narrow(line, 0, 0, 5));
  CHECK(values(line) == std::vector<double>{0, 0, 1, 2, 3, 4});
  Tensor square = clone(reshape(arange(9, DType::f64), {3, 3}));
  square.copy_(t(square));
  CHECK(values(square) == std::vector<double>{0, 3, 6, 1, 4, 7, 2, 5, 8});
  t(x).copy_(full({1}, 5.0));
  CHECK(values(x) == std::vector<double>(6, 5.0));
  CHECK_THAT(error_of([&] { x.copy_(ones({2})); }), Contains("copy_") && Contains("[2]") && Contains("[2,3]"));
  CHECK_THAT(error_of([&] { x.copy_(ones({4, 2, 3})); }), Contains("copy_") && Contains("f32[4,2,3]@cpu") && Contains("i32[2,3]@cpu"));
}

TEST_CASE("tensor: copy_ into repeated elements is refused, since the last one written would win", "[tensor]") {
  Tensor once = zeros({1, 3});
  Tensor twice = expand(once, {2, 3});
  CHECK_THAT(error_of([&] { twice.copy_(reshape(arange(6, DType::f32), {2, 3})); }), Contains("copy_") && Contains("more than once"));
  CHECK(values(once) == std::vector<double>(3, 0.0));
  Tensor none = zeros({3, 0});
  none.copy_(ones({3, 0}));  // the stride of the first axis is 0, but no element repeats
}

TEST_CASE("tensor: element access wants the right type, number and place", "[tensor]") {
  const Tensor x = ones({2, 3});
  CHECK_THAT(error_of([&] { (void)x.data<double>(); }), Contains("f64") && Contains("f32[2,3]@cpu"));
  CHECK_THAT(error_of([&] { (void)x.item<float>(); }), Contains("item") && Contains("f32[2,3]@cpu"));
  CHECK_THAT(error_of([] { (void)empty({0}).item<float>(); }), Contains("item") && Contains("f32[0]@cpu"));
  CHECK_THAT(error_of([] { (void)Tensor().shape(); }), Contains("before it was given a value"));
  CHECK(text(Tensor()) == "undefined tensor");
  CHECK(narrow(arange(5), 0, 3, 1).item<int>() == 3);
  CHECK(t(reshape(arange(4), {2, 2})).to_vector<std::int32_t>() == std::vector<std::int32_t>{0, 2, 1, 3});
}

TEST_CASE("tensor: item keeps all 64 bits of an integer", "[tensor]") {
  const std::int64_t odd = (std::int64_t{1} << 53) + 1;  // no f64 has this value
  CHECK(from_values(std::vector<std::int64_t>{odd}, {1}).item<std::int64_t>() == odd);
  CHECK(from_values(std::vector<std::int64_t>{odd}, {1}).to_vector<std::int64_t>().front() == odd);
}

TEST_CASE("tensor: casts keep what every type can hold", "[tensor]") {
  const std::vector<double> small{0, 1, 2, 3, 100};
  for (const DType from : kAll) {
    const Tensor x = to(doubles(small), from);
    for (const DType dtype : kAll) {
      INFO(from << " to " << dtype);
      const bool truth = from == DType::boolean || dtype == DType::boolean;
      const Tensor y = to(x, dtype);
      CHECK(y.dtype() == dtype);
      CHECK(values(y) == (truth ? std::vector<double>{0, 1, 1, 1, 1} : small));
      CHECK((y.storage() == x.storage()) == (from == dtype));
      CHECK(values(to(narrow(x, 0, 1, 2), dtype)) == (truth ? std::vector<double>{1, 1} : std::vector<double>{1, 2}));
    }
  }
}

TEST_CASE("tensor: casts to integers truncate, saturate, and take NaN as 0", "[tensor]") {
  const double inf = std::numeric_limits<double>::infinity();
  const Tensor x = doubles({-3.7, 3.7, -0.5, 300, -inf, inf, std::nan("")});
  CHECK(to(x, DType::u8).to_vector<std::uint8_t>() == std::vector<std::uint8_t>{0, 3, 0, 255, 0, 255, 0});
  const std::int32_t low = std::numeric_limits<std::int32_t>::min(), high = std::numeric_limits<std::int32_t>::max();
  CHECK(to(x, DType::i32).to_vector<std::int32_t>() == std::vector<std::int32_t>{-3, 3, 0, 300, low, high, 0});
  CHECK(values(to(x, DType::boolean)) == std::vector<double>{1, 1, 1, 1, 1, 1, 1});
  const auto wide = to(doubles({9.3e18, -9.3e18}), DType::i64).to_vector<std::int64_t>();
  CHECK(wide == std::vector<std::int64_t>{std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()});
}

TEST_CASE("tensor: casts to 16 bits round to nearest even", "[tensor]") {
  const Tensor x = doubles({1.0 + 0x1p-11, 1.0 + 3 * 0x1p-11, 65520, -1e-9, 0.1});
  CHECK(values(to(x, DType::f16)) == std::vector<double>{1.0, 1.0 + 0x1p-9, std::numeric_limits<double>::infinity(), 0.0, 0.0999755859375});
  CHECK(values(to(doubles({1.0 + 0x1p-8, 1.0 + 3 * 0x1p-8, 0.1}), DType::bf16)) == std::vector<double>{1.0, 1.0 + 0x1p-6, 0.10009765625});
}

TEST_CASE("tensor: errors of ops name the op and both operands", "[tensor]") {
  const Tensor a = ones({2, 3});
  CHECK_THAT(error_of([&] { (void)add(a, ones({4})); }), Contains("[add]") && Contains("[2,3]") && Contains("[4]"));
  CHECK_THAT(error_of([&] { (void)mul(a, ones({3}, DType::f64)); }),
             Contains("[mul]") && Contains("f32[2,3]@cpu") && Contains("f64[3]@cpu"));
  CHECK_THAT(error_of([&] { (void)exp(arange(3)); }), Contains("[exp]") && Contains("i64[3]@cpu"));
  CHECK_THAT(error_of([&] { (void)sum(a, {2}); }), Contains("[sum]") && Contains("axis 2"));
  CHECK_THAT(error_of([&] { (void)sum(a, {1, -1}); }), Contains("[sum]") && Contains("twice"));
  CHECK_THAT(error_of([&] { (void)permute(a, {0}); }), Contains("[permute]") && Contains("f32[2,3]@cpu"));
  CHECK_THAT(error_of([&] { (void)squeeze(a, 2); }), Contains("[squeeze]") && Contains("axis 2"));
  CHECK_THAT(error_of([&] { (void)expand(a, {3, 3}); }), Contains("[expand]"));
  CHECK_THAT(error_of([&] { (void)unsqueeze(ones({1, 1, 1, 1, 1, 1, 1, 1}), 0); }), Contains("at most 8"));
}

TEST_CASE("tensor: a device that the build lacks is named", "[tensor]") {
  const Device lacking{DeviceType::cuda, cuda_available() ? 99 : 0};
  const std::string error = error_of([&] { (void)empty({2}, DType::f32, lacking); });
  CHECK_THAT(error, Contains(cuda_available() ? "cuda:99" : "this build"));
}

TEST_CASE("tensor: results keep the order of axes in memory", "[tensor]") {
  const Tensor image = empty_channels_last({2, 3, 4, 5});
  CHECK(image.strides() == Shape{60, 1, 15, 3});
  CHECK(empty_like(image).strides() == image.strides());
  CHECK(zeros_like(permute(zeros({2, 3, 4}), {2, 0, 1})).strides() == Shape{1, 12, 4});
  CHECK(empty_like(narrow(image, 1, 0, 2)).strides() == Shape{40, 1, 10, 2});  // without the gaps
  CHECK(empty_like(expand(zeros({3, 1}), {2, 3, 4})).is_contiguous());
  CHECK(empty_like(zeros({2, 0})).strides().ndim() == 2);
  CHECK(empty_like(zeros({})).ndim() == 0);

  const Tensor x = channels_last(random({2, 3, 4, 5}));
  const Tensor bias = random({3, 1, 1});
  CHECK(x.strides() == image.strides());
  CHECK(relu(x).strides() == image.strides());
  CHECK((x + bias).strides() == image.strides());
  CHECK((bias * x).strides() == image.strides());
  CHECK((2.0 * x).strides() == image.strides());
  CHECK((x + bias).to_vector<double>() == (contiguous(x) + bias).to_vector<double>());
  CHECK(channels_last(x).storage() == x.storage());
  CHECK(channels_last(contiguous(x)).to_vector<double>() == x.to_vector<double>());
  CHECK_THAT(error_of([] { (void)channels_last(zeros({3})); }), Contains("needs a shape [N, C, ..]"));
}
