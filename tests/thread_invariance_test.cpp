#include <catch2/catch.hpp>

#include "core/base/threads.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/loss.hpp"
#include "core/ops/optim.hpp"
#include "core/ops/random.hpp"
#include "lora/lora.hpp"
#include "models/mlp.hpp"
#include "tests/support/op_case.hpp"

using namespace lora;
using namespace lora::test;

namespace {

struct Threads {
  explicit Threads(int n) : before(num_threads()) { set_num_threads(n); }
  ~Threads() { set_num_threads(before); }
  int before;
};

Tensor labels(Index n) {
  std::vector<std::int64_t> values;
  for (Index i = 0; i < n; ++i) {
    values.push_back((i * 7 + 3) % 10);
  }
  return from_values(values, {n});
}

/// One step of Adam on every trainable parameter.
void step(const nn::Module& model, std::vector<Tensor>& state, std::int64_t number) {
  AdamStepOptions options;
  options.step = number;
  auto parameters = model.trainable_parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (state.size() <= 2 * i) {
      state.push_back(zeros_like(parameters[i]));
      state.push_back(zeros_like(parameters[i]));
    }
    adam_step_(options, parameters[i].grad(), parameters[i], state[2 * i], state[2 * i + 1]);
  }
}

/// Everything that a training leaves: losses, gradients, the state of the optimizer, the logits and the parameters.
std::vector<Tensor> train(Index batch, bool adapter, int threads) {
  const Threads scope(threads);
  manual_seed(17);
  models::Mlp model;
  if (adapter) {
    LoraConfig config;
    config.lora_dropout = 0.2;
    attach(model, config);
  }
  const Tensor x = randn({batch, 1, 28, 28});
  const Tensor y = labels(batch);
  std::vector<Tensor> trace, state;
  for (std::int64_t number = 1; number <= 3; ++number) {
    model.zero_grad();
    const Tensor loss = cross_entropy(model(x), y);
    loss.backward();
    trace.push_back(loss.detach());
    step(model, state, number);
  }
  trace.push_back(model(x).detach());
  for (const Tensor& parameter : model.trainable_parameters()) {
    trace.push_back(parameter.grad());
    trace.push_back(clone(parameter.detach()));
  }
  trace.insert(trace.end(), state.begin(), state.end());
  return trace;
}

}  // namespace

TEST_CASE("threads: a training gives the same bits for any number of threads", "[determinism]") {
  for (const bool adapter : {false, true}) {
    for (const Index batch : {1, 3, 64, 1000}) {
      const auto one = train(batch, adapter, 1);
      for (const int threads : {2, 3, 5}) {
        const auto many = train(batch, adapter, threads);
        REQUIRE(many.size() == one.size());
        for (std::size_t i = 0; i < one.size(); ++i) {
          INFO((adapter ? "adapter" : "model") << ", batch " << batch << ", " << threads << " threads, tensor " << i);
          CHECK(same_bits(one[i], many[i]));
        }
      }
    }
  }
}

TEST_CASE("threads: a training depends on its seed", "[determinism]") {
  const auto one = train(3, true, 1);
  manual_seed(18);
  const models::Mlp other;
  CHECK_FALSE(same_bits(one.back(), other.parameters().back()));
  CHECK_FALSE(same_bits(one[0], one[1]));  // the loss moves
}
