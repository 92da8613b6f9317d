// Loads weights that PyTorch saved, predicts, and compares with what PyTorch predicted.
//   load_pytorch model.safetensors expected.safetensors
#include <cmath>
#include <iostream>

#include "core/ops/pointwise.hpp"
#include "core/ops/reduce.hpp"
#include "core/serialize.hpp"
#include "models/mlp.hpp"
#include "nn/weights_file.hpp"

using namespace lora;

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::cerr << "usage: load_pytorch MODEL EXPECTED\n";
    return 2;
  }
  models::Mlp model;  // the layers of the PyTorch model under the same names: fc1, fc2, fc3
  nn::load_weights(model, argv[1]);
  model.eval();

  const SafetensorsFile expected = load_safetensors(argv[2]);
  const Tensor logits = model(expected.at("x"));
  const Tensor& theirs = expected.at("logits.base");

  const auto ours = argmax(logits).to_vector<std::int64_t>();
  const auto wanted = argmax(theirs).to_vector<std::int64_t>();
  std::cout << "image  here  PyTorch\n";
  for (std::size_t i = 0; i < ours.size(); ++i) {
    std::cout << "    " << i << "     " << ours[i] << "        " << wanted[i] << '\n';
  }

  const Tensor difference = logits - theirs;
  const double rms = std::sqrt(mean(difference * difference).item<double>());
  std::cout << "the logits " << (rms < 1e-5 ? "agree" : "DIFFER") << '\n';
  return rms < 1e-5 ? 0 : 1;
} catch (const Error& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
