// The code of docs/guide.md. tests/check_guide.py compares the two.

#include <catch2/catch.hpp>
#include <cmath>

#include "core/ops/compare.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/loss.hpp"
#include "core/ops/matmul.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/random.hpp"
#include "core/ops/reduce.hpp"
#include "core/ops/view.hpp"
#include "lora/lora.hpp"
#include "lora/peft_files.hpp"
#include "nn/linear.hpp"
#include "nn/optim/adam.hpp"
#include "nn/weights_file.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using lora::test::error_of;
using lora::test::max_difference;

namespace {

class Classifier final : public nn::Module {
 public:
  Classifier() : fc1_(2, 16), fc2_(16, 2) {
    child("fc1", fc1_);
    child("fc2", fc2_);
  }
  Tensor forward(const Tensor& x) const override { return fc2_(relu(fc1_(x))); }
  std::string describe() const override { return "Classifier()"; }

 private:
  nn::Linear fc1_, fc2_;
};

}  // namespace

TEST_CASE("guide: tensors", "[guide]") {
  const Tensor a = from_values(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3});
  const Tensor row = from_values(std::vector<float>{10, 20, 30}, {3});
  const Tensor c = 2.0 * a + row;  // operands broadcast as NumPy's
  CHECK(c.shape() == Shape{2, 3});
  CHECK(c.to_vector<float>() == std::vector<float>{12, 24, 36, 18, 30, 42});
  CHECK(sum(c, {0}).to_vector<float>() == std::vector<float>{30, 54, 78});
  CHECK(matmul(a, t(a)).shape() == Shape{2, 2});
}

TEST_CASE("guide: views", "[guide]") {
  Tensor x = zeros({2, 3});
  narrow(x, 1, 0, 1).fill_(7);  // the first column
  CHECK(x.to_vector<float>() == std::vector<float>{7, 0, 0, 7, 0, 0});
  CHECK(reshape(x, {3, -1}).shape() == Shape{3, 2});
}

TEST_CASE("guide: autograd", "[guide]") {
  Tensor w = from_values(std::vector<double>{1, -2}, {2});
  w.requires_grad_();
  const Tensor loss = sum(exp(w) * w);
  loss.backward();
  const auto slope = [](double v) { return std::exp(v) * (v + 1); };
  CHECK(std::abs(w.grad().to_vector<double>()[0] - slope(1)) < 1e-12);
}

TEST_CASE("guide: training, adapters and files", "[guide]") {
  const test::TempFolder temp;
  const std::filesystem::path folder = temp.path();
  manual_seed(1);
  Classifier model;
  const Tensor x = randn({256, 2});
  const Tensor labels = to(gt(sum(x, {1}), 0.0), DType::i64);  // the side of a line

  optim::AdamW optimizer(model.trainable_parameters(), {.lr = 1e-2});
  for (int step = 0; step < 100; ++step) {
    optimizer.zero_grad();
    const Tensor loss = cross_entropy(model(x), labels);
    loss.backward();
    optimizer.step();
  }
  CHECK(cross_entropy(model(x), labels).item<double>() < 0.1);

  const AttachedAdapter adapter = attach(model, LoraConfig{.r = 4, .lora_alpha = 8, .target_modules = {"fc1", "fc2"}});
  CHECK(count_parameters(model).trainable == 4 * (2 + 16) + 4 * (16 + 2));  // the model itself is frozen

  optim::AdamW tuning(model.trainable_parameters(), {.lr = 1e-2});  // the adapter's tensors alone

  const Tensor adapted = model(x);
  merge_adapters(model);  // W + alpha / r B A: the forward pass costs what the base costs
  CHECK(max_difference(model(x), adapted) < 1e-4);
  unmerge_adapters(model);  // restores every bit

  nn::save_weights(model, folder / "base.safetensors");
  save_adapter(adapter, folder / "tuned");  // adapter_config.json and adapter_model.safetensors, as PEFT has them

  Classifier fresh;
  nn::load_weights(fresh, folder / "base.safetensors");
  load_adapter(fresh, folder / "tuned");
  CHECK(max_difference(fresh(x), adapted) == 0.0);
}

TEST_CASE("guide: errors", "[guide]") {
  const std::string text = error_of([] { (void)matmul(zeros({8, 64}), zeros({32, 64})); });
  CHECK(text == "[matmul] inner sizes differ: a f32[8,64]@cpu, b f32[32,64]@cpu; for a x b^T call linear(a, b)");
}
