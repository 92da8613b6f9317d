#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "core/base/threads.hpp"
#include "core/ops/attention.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/view.hpp"
#include "core/serialize.hpp"
#include "nn/activation.hpp"
#include "nn/attention.hpp"
#include "tests/support/kernel_array.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/source_file.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;
using kernels::Context;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

AttentionOptions masked_by(const Tensor& mask) {
  AttentionOptions options;
  options.attn_mask = mask;
  return options;
}

/// The layer of the reference file.
std::unique_ptr<nn::MultiheadAttention> reference_layer(const SafetensorsFile& file, bool batch_first = true) {
  auto layer = std::make_unique<nn::MultiheadAttention>(6, 2, nn::MultiheadAttentionOptions{true, batch_first}, DType::f64);
  nn::StateDict state;
  for (const auto& [name, tensor] : file.tensors) {
    if (name.rfind("state.", 0) == 0) {
      state.push_back({name.substr(6), tensor});
    }
  }
  layer->load_state_dict(state);
  return layer;
}

Tensor leaf_of(const Tensor& x) {
  Tensor y = clone(x);
  y.requires_grad_();
  return y;
}

/// Both libraries round sums of some tens of terms of size 10.
void check_near(const Tensor& found, const Tensor& expected) {
  CHECK(max_difference(found, expected) <= 1e-13 * std::max(1.0, max_abs(expected)));
}

}  // namespace

TEST_CASE("attention: a query that may see no key gives zeros and gets no gradient", "[attention]") {
  const Tensor q = leaf_of(random({2, 4})), k = leaf_of(random({3, 4})), v = leaf_of(random({3, 5}));
  const Tensor none = to(from_values(std::vector<std::int64_t>{0, 0, 0, 1, 1, 0}, {2, 3}), DType::boolean);
  const Tensor never = from_values(std::vector<double>{-kInf, -kInf, -kInf, 0, 0, -kInf}, {2, 3});
  const Tensor a = scaled_dot_product_attention(q, k, v, masked_by(none)), b = scaled_dot_product_attention(q, k, v, masked_by(never));
  CHECK(max_abs(narrow(a, 0, 0, 1)) == 0);
  CHECK(same_bits(a, b));
  a.backward(random({2, 5}));
  CHECK(max_abs(narrow(q.grad(), 0, 0, 1)) == 0);
  CHECK(max_abs(narrow(q.grad(), 0, 1, 1)) > 0);
  CHECK(max_abs(narrow(v.grad(), 0, 2, 1)) == 0);
}

TEST_CASE("attention: NaN is not hidden, and large scores do not overflow", "[attention]") {
  const Tensor one = ones({1, 2}, DType::f64), v = random({2, 2});
  const Tensor nan = full({2, 2}, std::nan(""), DType::f64);
  CHECK(std::isnan(max_abs(scaled_dot_product_attention(one, nan, v))));
  CHECK(max_difference(scaled_dot_product_attention(one, full({2, 2}, 1e6, DType::f64), v),
                       scaled_dot_product_attention(one, zeros({2, 2}, DType::f64), v)) == 0);
}

TEST_CASE("attention: what does not fit is named", "[attention]") {
  const auto error = [](const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& options = {}) {
    return error_of([&] { scaled_dot_product_attention(q, k, v, options); });
  };
  const Tensor x = zeros({2, 3, 4});
  CHECK_THAT(error(x, zeros({2, 3, 5}), x), Contains("[..,S,E]") && Contains("f32[2,3,5]@cpu"));
  CHECK_THAT(error(x, x, zeros({2, 2, 4})), Contains("f32[2,2,4]@cpu"));
  CHECK_THAT(error(zeros({4}), x, x), Contains("f32[4]@cpu"));
  CHECK_THAT(error(x, zeros({5, 3, 4}), x), Contains("do not broadcast"));
  CHECK_THAT(error(x, to(x, DType::f64), x), Contains("differ in dtype"));
  CHECK_THAT(error(x, x, x, masked_by(zeros({3, 3}, DType::f64))), Contains("neither bool"));
  CHECK_THAT(error(x, x, x, masked_by(zeros({5, 2, 3, 3}))), Contains("does not broadcast"));
  AttentionOptions both = masked_by(zeros({3, 3}));
  both.is_causal = true;
  CHECK_THAT(error(x, x, x, both), Contains("exclude each other"));
  AttentionOptions infinite;
  infinite.scale = kInf;
  CHECK_THAT(error(x, x, x, infinite), Contains("scale is inf"));
}

TEST_CASE("attention: MultiheadAttention has PyTorch's parameters, values and gradients", "[attention]") {
  const SafetensorsFile file = load_safetensors(lora::test::source_file("tests/data/multihead_attention.safetensors"));
  const auto layer = reference_layer(file);
  const auto check_parameters = [&](const std::string& name) {
    for (const auto& [parameter, tensor] : layer->named_parameters()) {
      INFO(name << parameter);
      check_near(tensor.grad(), file.at(name + parameter));
    }
    layer->zero_grad();
  };
  const Tensor x = leaf_of(file.at("self.query"));
  const Tensor y = (*layer)(x);
  check_near(y, file.at("self.y"));
  y.backward(file.at("self.cotangent"));
  check_near(x.grad(), file.at("self.grad.query"));
  check_parameters("self.grad.");

  const Tensor query = leaf_of(file.at("cross.query")), key = leaf_of(file.at("cross.key")), value = leaf_of(file.at("cross.value"));
  const Tensor crossed = layer->forward(query, key, value, masked_by(file.at("cross.mask")));
  check_near(crossed, file.at("cross.y"));
  crossed.backward(file.at("cross.cotangent"));
  check_near(query.grad(), file.at("cross.grad.query"));
  check_near(key.grad(), file.at("cross.grad.key"));
  check_near(value.grad(), file.at("cross.grad.value"));
  check_parameters("cross.grad.");
}

TEST_CASE("attention: axes of MultiheadAttention", "[attention]") {
  const SafetensorsFile file = load_safetensors(lora::test::source_file("tests/data/multihead_attention.safetensors"));
  const auto first = reference_layer(file), second = reference_layer(file, false);
  const Tensor x = file.at("self.query"), y = file.at("self.y");
  check_near(transpose((*second)(transpose(x, 0, 1)), 0, 1), y);
  check_near(first->forward(x, x, x), y);
  check_near((*first)(reshape(narrow(x, 0, 1, 1), {4, 6})), reshape(narrow(y, 0, 1, 1), {4, 6}));
  CHECK((*first)(zeros({0, 4, 6}, DType::f64)).shape() == Shape{0, 4, 6});
  CHECK_THAT(error_of([&] { (*first)(zeros({2, 4, 5}, DType::f64)); }), Contains("[..,6]") && Contains("f64[2,4,5]@cpu"));
  CHECK_THAT(error_of([] { nn::MultiheadAttention(6, 4); }), Contains("embed_dim is 6 and heads 4"));
  CHECK_THAT(error_of([] { nn::MultiheadAttention(-1, 1); }), Contains("embed_dim is -1"));
  const nn::MultiheadAttention plain(4, 1, {false, false});
  CHECK(plain.describe() == "MultiheadAttention(4, 1, bias=false)");
  CHECK(plain.parameters().size() == 2);
  CHECK(max_abs(nn::MultiheadAttention(4, 2).parameters()[1]) == 0);
}

TEST_CASE("kernels: softmax with masks and its gradient", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const DType mask_dtype = GENERATE_COPY(DType::boolean, dtype);
  const bool masked = GENERATE(false, true);
  for (const auto& [isa, k] : kernel_tables()) {
    for (const Index m : {0, 1, 2, 15, 16, 17, 33, 1025}) {
      const Index n = 5, batch = 3;
      KernelArray x(dtype, {batch, n, m}), mask(mask_dtype, {batch, n, m}, Shape{m, 0, 1}), y(dtype, {batch, n, m});
      x.scramble(1).fill_by([&](Index i) { return 30 + 5 * x.get(i); });
      mask.fill_by(
          [&](Index i) { return mask_dtype == DType::boolean ? static_cast<double>(i % m % 3 != 0) : static_cast<double>(i % m) / 8; });
      const ConstView view = mask.read();
      k->masked_softmax(Context{}, !masked, x.read(), masked ? &view : nullptr, y.view());
      const auto weight = [&](Index i) {
        const bool allowed = masked ? mask_dtype != DType::boolean || mask.get(i) != 0 : i % m <= i / m % n;
        return allowed ? std::exp(x.get(i) - 30 + (masked && mask_dtype != DType::boolean ? mask.get(i) : 0)) : 0.0;
      };
      std::vector<double> want;
      for (Index i = 0; i < batch * n * m; ++i) {
        double total = 0;
        for (Index j = 0; j < m; ++j) {
          total += weight(i / m * m + j);
        }
        want.push_back(total > 0 ? weight(i) / total : 0);
      }
      CAPTURE(isa, dtype, mask_dtype, masked, m);
      const double near = 256 * rounding(dtype);  // scores of up to 165 round before exp
      REQUIRE(worst(y, [&](Index i) { return want[static_cast<std::size_t>(i)]; }) <= near);
    }
  }
}

TEST_CASE("attention: the same bits for any number of threads", "[attention][threads]") {
  const Tensor q = to(random({2, 4, 130, 16}), DType::f32), k = to(random({2, 4, 150, 16}), DType::f32);
  const int before = num_threads();
  Tensors reference;
  for (const int threads : {1, 2, 3}) {
    set_num_threads(threads);
    const Tensor a = leaf_of(q), b = leaf_of(k);
    const Tensor y = scaled_dot_product_attention(a, b, b);
    y.backward(ones(y.shape()));
    const Tensors found{y, a.grad(), b.grad()};
    reference = threads == 1 ? found : reference;
    for (std::size_t i = 0; i < found.size(); ++i) {
      CHECK(same_bits(found[i], reference[i]));
    }
  }
  set_num_threads(before);
}

TEST_CASE("nn: activations as layers", "[nn]") {
  const Tensor x = random({2, 3});
  CHECK(same_bits(nn::Sigmoid()(x), sigmoid(x)));
  CHECK(same_bits(nn::SiLU()(x), silu(x)));
  CHECK(same_bits(nn::GELU()(x), gelu(x)));
  CHECK(same_bits(nn::GELU(GeluApproximate::tanh)(x), gelu_tanh(x)));
  CHECK(same_bits(nn::Tanh()(x), tanh(x)));
  CHECK(nn::Tanh().describe() == "Tanh()");
}
