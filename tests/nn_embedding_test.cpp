#include <catch2/catch.hpp>
#include <cmath>

#include "core/ops/convert.hpp"
#include "core/ops/index.hpp"
#include "core/ops/random.hpp"
#include "core/ops/reduce.hpp"
#include "core/ops/view.hpp"
#include "nn/embedding.hpp"
#include "nn/layers.hpp"
#include "nn/linear.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;

namespace {

Tensor tokens() { return from_values(std::vector<std::int64_t>{3, 0, 3, 2, 1, 4}, {2, 3}); }

}  // namespace

TEST_CASE("nn: Embedding looks up rows of a weight that starts normal", "[nn]") {
  manual_seed(5);
  const nn::Embedding layer(200, 50);
  manual_seed(5);
  CHECK(same_bits(layer.weight(), randn({200, 50})));
  const Tensor y = layer(tokens());
  CHECK(y.shape() == Shape{2, 3, 50});
  CHECK(same_bits(select(select(y, 0, 1), 0, 2), select(layer.weight(), 0, 4)));
  CHECK(layer(to(tokens(), DType::i32)).shape() == Shape{2, 3, 50});
  CHECK(layer(zeros({0}, DType::i64)).shape() == Shape{0, 50});
  CHECK(layer.describe() == "Embedding(200, 50)");
  CHECK(layer.state_dict().size() == 1);
  CHECK(layer.state_dict()[0].name == "weight");
  CHECK(nn::Embedding(3, 2, std::nullopt, DType::f64).weight().dtype() == DType::f64);
}

TEST_CASE("nn: the padding row of Embedding is zero and stays as it is", "[nn]") {
  const nn::Embedding layer(5, 4, -2);
  CHECK(layer.padding_idx() == 3);
  CHECK(layer.describe() == "Embedding(5, 4, padding_idx=3)");
  CHECK(max_abs(select(layer.weight(), 0, 3)) == 0);
  CHECK(max_abs(select(layer.weight(), 0, 2)) > 0);
  sum(layer(tokens())).backward();
  const Tensor gradient = layer.weight().grad();
  CHECK(max_abs(select(gradient, 0, 3)) == 0);
  CHECK(sum(gradient).item<double>() == 4 * 4);
}

TEST_CASE("nn: integers run through a Sequential that starts with Embedding", "[nn]") {
  nn::Sequential model;
  const nn::Embedding& first = model.add<nn::Embedding>(5, 4);
  const nn::Linear& last = model.add<nn::Linear>(4, 2);
  const Tensor rows = index_select(first.weight(), 0, reshape(tokens(), {6}));
  CHECK(same_bits(model(tokens()), last(reshape(rows, {2, 3, 4}))));
  sum(model(tokens())).backward();
  CHECK(first.weight().grad().defined());
}

TEST_CASE("nn: Embedding refuses what it cannot look up", "[nn]") {
  const nn::Embedding layer(5, 4);
  CHECK_THAT(error_of([&] { (void)layer(ones({2})); }), Contains("[embedding]") && Contains("f32[2]@cpu"));
  CHECK_THAT(error_of([&] { (void)layer(full({2, 2}, 5, DType::i64)); }), Contains("index 5 at position [0,0]"));
  CHECK_THAT(error_of([] { nn::Embedding(5, 4, 5); }), Contains("[Embedding] padding_idx 5"));
  CHECK_THAT(error_of([] { nn::Embedding(0, 4, 0); }), Contains("[Embedding]"));
  CHECK_THAT(error_of([] { nn::Embedding(-1, 4); }), Contains("negative"));
}
