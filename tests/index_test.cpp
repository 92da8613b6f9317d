#include "core/ops/index.hpp"

#include <catch2/catch.hpp>

#include "core/base/threads.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/view.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;
using Values = std::vector<std::int64_t>;

namespace {

Tensor integers(const Values& values, const Shape& shape) { return from_values(values, shape); }
Tensor integers(const Values& values) { return integers(values, {static_cast<Index>(values.size())}); }

/// The gradient of x[0] where every input but the integers takes part.
Tensor first_gradient(const OpCase& c, const Tensor& cotangent, int threads) {
  const int before = num_threads();
  set_num_threads(threads);
  const Tensor gradient = gradients(c, c.inputs, cotangent).front();
  set_num_threads(before);
  return gradient;
}

}  // namespace

TEST_CASE("index: rows, columns and elements are picked from every type", "[index]") {
  for (const DType dtype : {DType::f32, DType::f64, DType::bf16, DType::f16, DType::u8, DType::i32, DType::i64, DType::boolean}) {
    const Tensor x = to(reshape(arange(12), {3, 4}), dtype), plain = to(x, DType::i64);
    const auto at = [&](Index i, Index j) { return select(select(plain, 0, i), 0, j).item<std::int64_t>(); };
    INFO(dtype);
    CHECK(index_select(x, 1, integers({3, 0})).to_vector<std::int64_t>() ==
          Values{at(0, 3), at(0, 0), at(1, 3), at(1, 0), at(2, 3), at(2, 0)});
    CHECK(index_select(x, -2, integers({2})).to_vector<std::int64_t>() == Values{at(2, 0), at(2, 1), at(2, 2), at(2, 3)});
    CHECK(gather(x, 1, integers({1, 2, 3, 0}, {2, 2})).to_vector<std::int64_t>() == Values{at(0, 1), at(0, 2), at(1, 3), at(1, 0)});
    CHECK(gather(x, 0, integers({1, 2, 0}, {1, 3})).to_vector<std::int64_t>() == Values{at(1, 0), at(2, 1), at(0, 2)});
    CHECK(embedding(x, integers({2, 2}, {2, 1})).shape() == Shape{2, 1, 4});
    CHECK(index_select(x, 0, integers({})).dtype() == dtype);
  }
}

TEST_CASE("index: what is added adds up", "[index]") {
  const Tensor x = ones({2, 3}), more = to(reshape(arange(8), {2, 4}), DType::f32);
  const Tensor y = scatter_add(x, 1, integers({0, 0, 2, 0, 1, 1, 1, 1}, {2, 4}), more);
  CHECK(y.to_vector<float>() == std::vector<float>{5, 1, 3, 1, 23, 1});
  CHECK(x.to_vector<float>() == std::vector<float>(6, 1.0f));
}

TEST_CASE("index: results keep the order of axes in memory", "[index]") {
  const Tensor image = channels_last(random({2, 3, 4, 5}));
  CHECK(index_select(image, 1, integers({2, 1, 0, 0})).strides() == channels_last_strides({2, 4, 4, 5}));
  CHECK(index_select(image, 0, integers({1})).strides()[1] == 1);
  CHECK(index_select(contiguous(image), 1, integers({2})).is_contiguous());
}

TEST_CASE("index: the padding row gets no gradient, others theirs", "[index]") {
  for (const Index padding : {1, -2}) {
    Tensor weight = ones({3, 2}).requires_grad_();
    embedding(weight, integers({1, 2, 1, 0, 2}), padding).backward(ones({5, 2}));
    CHECK(weight.grad().to_vector<float>() == std::vector<float>{1, 1, 0, 0, 2, 2});
  }
  const Tensor weight = ones({3, 2});
  CHECK_THAT(error_of([&] { (void)embedding(weight, integers({0}), 3); }),
             Contains("[embedding] padding_idx 3") && Contains("f32[3,2]@cpu"));
  CHECK_THAT(error_of([&] { (void)embedding(weight, integers({0}), -4); }), Contains("padding_idx -4"));
}

TEST_CASE("index: an index outside is named with its position", "[index]") {
  const Tensor x = zeros({3, 4});
  CHECK_THAT(error_of([&] {
               (void)index_select(x, 0, integers({0, 3}));
             }),
             Contains("[index_select] index 3 at position [1] is outside axis 0 of f32[3,4]@cpu"));
  CHECK_THAT(error_of([&] { (void)index_select(x, 1, integers({0, -1})); }), Contains("index -1 at position [1]"));
  CHECK_THAT(error_of([&] { (void)gather(x, 1, integers({0, 1, 2, 9, 0, 0}, {3, 2})); }), Contains("[gather] index 9 at position [1,1]"));
  CHECK_THAT(error_of([&] { (void)gather(x, 1, t(integers({0, 1, 2, 9, 0, 0}, {2, 3}))); }), Contains("index 9 at position [0,1]"));
  CHECK_THAT(error_of([&] { (void)embedding(x, integers({3}, {})); }), Contains("[embedding] index 3 at position []"));
  CHECK_THAT(error_of([&] { (void)scatter_add(x, 0, integers({-5}, {1, 1}), ones({1, 1})); }), Contains("[scatter_add] index -5"));
  CHECK_THAT(error_of([] { (void)index_select(zeros({0, 2}), 0, integers({0})); }), Contains("index 0 at position [0]"));
  CHECK_THAT(error_of([&] { (void)index_select(x, 0, to(integers({7}), DType::i32)); }), Contains("index 7"));
}

TEST_CASE("index: operands that do not go together are errors", "[index]") {
  const Tensor x = zeros({3, 4});
  CHECK_THAT(error_of([&] { (void)index_select(x, 0, ones({1})); }),
             Contains("[index_select]") && Contains("f32[1]@cpu") && Contains("to()"));
  CHECK_THAT(error_of([&] { (void)index_select(x, 2, integers({0})); }), Contains("axis 2"));
  CHECK_THAT(error_of([&] { (void)index_select(x, 0, integers({0}, {1, 1})); }), Contains("i64[1,1]@cpu"));
  CHECK_THAT(error_of([&] { (void)index_select(ones({}), 0, integers({0})); }), Contains("[index_select]"));
  CHECK_THAT(error_of([&] { (void)gather(x, 0, integers({0})); }), Contains("[gather]") && Contains("i64[1]@cpu"));
  CHECK_THAT(error_of([&] { (void)gather(x, 0, integers({0, 0, 0, 0, 0}, {1, 5})); }), Contains("[gather]") && Contains("i64[1,5]@cpu"));
  CHECK_THAT(error_of([&] { (void)gather(x, 0, to(integers({0}, {1, 1}), DType::u8)); }), Contains("u8[1,1]@cpu"));
  CHECK_THAT(error_of([&] { (void)scatter_add(x, 0, integers({0}, {1, 1}), ones({1, 2})); }), Contains("[scatter_add]"));
  CHECK_THAT(error_of([&] { (void)scatter_add(x, 0, integers({0}, {1, 1}), ones({1, 1}, DType::f64)); }), Contains("differ in dtype"));
  CHECK_THAT(error_of([&] { (void)scatter_add(arange(3), 0, integers({0}), arange(1)); }), Contains("computes in f32 or f64"));
  CHECK_THAT(error_of([&] { (void)embedding(ones({3}), integers({0})); }), Contains("[embedding]") && Contains("f32[3]@cpu"));
  CHECK(error_of([&] { (void)embedding(x, Tensor()); }) != "no error");
}

TEST_CASE("index: a changed index is noticed by the gradient", "[index]") {
  Tensor x = ones({3, 2}).requires_grad_(), at = integers({0, 2});
  const Tensor y = index_select(x, 0, at);
  at.fill_(100.0);
  CHECK_THAT(error_of([&] { y.backward(ones({2, 2})); }), Contains("[index_select]") && Contains("changed in place"));
}

TEST_CASE("index: gradients have the same bits for any number of threads", "[index][threads]") {
  const Index n = 3000;
  std::vector<std::int64_t> values;
  for (Index i = 0; i < n; ++i) {
    values.push_back(i * i % 37);
  }
  const Tensor at = integers(values);
  const std::vector<OpCase> cases = {
      {"few columns", [](const Tensors& x) { return embedding(x[0], x[1]); }, {random({37, 20}), at}},
      {"many columns", [](const Tensors& x) { return embedding(x[0], x[1]); }, {random({37, 300}), at}},
      {"gather", [](const Tensors& x) { return gather(x[0], 1, x[1]); }, {random({30, 37}), reshape(at, {30, 100})}},
      {"gather, first axis", [](const Tensors& x) { return gather(x[0], 0, x[1]); }, {random({37, 30}), reshape(at, {100, 30})}},
  };
  for (const OpCase& c : cases) {
    INFO(c.name);
    const Tensor cotangent = random(c.run(c.inputs).shape()), alone = first_gradient(c, cotangent, 1);
    for (const int threads : {2, 3, 5}) {
      CHECK(same_bits(first_gradient(c, cotangent, threads), alone));
    }
  }
}
