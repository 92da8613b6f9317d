// Teaches a small network XOR: tensors, layers, gradients, an optimizer.
#include <iomanip>
#include <iostream>

#include "core/base/rng.hpp"
#include "core/ops/loss.hpp"
#include "core/ops/reduce.hpp"
#include "nn/layers.hpp"
#include "nn/linear.hpp"
#include "nn/optim/adam.hpp"

using namespace lora;

int main() {
  manual_seed(1);  // the same seed gives the same network, bit for bit

  const Tensor inputs = from_values<float>({0, 0, 0, 1, 1, 0, 1, 1}, {4, 2});
  const Tensor answers = from_values<std::int64_t>({0, 1, 1, 0}, {4});

  nn::Sequential network;
  network.add<nn::Linear>(2, 16);
  network.add<nn::ReLU>();
  network.add<nn::Linear>(16, 2);

  optim::Adam optimizer(network.parameters(), {.lr = 0.02});
  std::cout << std::fixed << std::setprecision(3);
  for (int step = 0; step <= 200; ++step) {
    const Tensor loss = cross_entropy(network(inputs), answers);
    if (step % 50 == 0) {
      std::cout << "step " << std::setw(3) << step << ", loss " << loss.item<double>() << '\n';
    }
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
  }

  const auto learned = argmax(network(inputs)).to_vector<std::int64_t>();
  for (std::size_t i = 0; i < learned.size(); ++i) {
    std::cout << i / 2 << " xor " << i % 2 << " = " << learned[i] << '\n';
  }
}
