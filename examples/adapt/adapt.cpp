// Turns a network that knows AND into one that knows XOR with LoRA, and takes the adapter through files into the weights.
#include <iostream>

#include "core/base/rng.hpp"
#include "core/ops/loss.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/reduce.hpp"
#include "lora/lora.hpp"
#include "lora/peft_files.hpp"
#include "models/mlp.hpp"
#include "nn/optim/adam.hpp"
#include "nn/weights_file.hpp"

using namespace lora;

/// Trains what is not frozen.
void train(nn::Module& model, const Tensor& inputs, const std::vector<std::int64_t>& answers) {
  optim::AdamW optimizer(model.trainable_parameters(), {.lr = 0.02});
  for (int step = 0; step < 200; ++step) {
    optimizer.zero_grad();
    cross_entropy(model(inputs), from_values(answers, {4})).backward();
    optimizer.step();
  }
}

void print(const char* what, const Tensor& logits) {
  std::cout << what;
  for (const std::int64_t answer : argmax(logits).to_vector<std::int64_t>()) {
    std::cout << ' ' << answer;
  }
  std::cout << '\n';
}

int main() {
  manual_seed(1);
  const Tensor inputs = from_values<float>({0, 0, 0, 1, 1, 0, 1, 1}, {4, 2});
  const models::MlpOptions sizes{.inputs = 2, .hidden = 16, .classes = 2};

  models::Mlp model(sizes);
  train(model, inputs, {0, 0, 0, 1});
  nn::save_weights(model, "and.safetensors");
  print("trained on AND:         ", model(inputs));

  const AttachedAdapter adapter = attach(model, LoraConfig{.r = 4, .lora_alpha = 8});
  train(model, inputs, {0, 1, 1, 0});  // the adapter alone: attach() froze the rest
  save_adapter(adapter, "xor");        // a folder that PEFT reads
  print("with LoRA, on XOR:      ", model(inputs));

  models::Mlp other(sizes);
  nn::load_weights(other, "and.safetensors");
  load_adapter(other, "xor");
  print("both read from files:   ", other(inputs));

  merge_adapters(other);
  nn::save_weights(other, "merged.safetensors");
  const Tensor difference = other(inputs) - model(inputs);
  std::cout << "merged, the same answers: " << (mean(difference * difference).item<double>() < 1e-10 ? "yes" : "no") << '\n';
}
