#include "bench/ops.hpp"
#include "bench/support.hpp"
#include "core/ops/matmul.hpp"
#include "core/ops/random.hpp"

namespace lora::bench {

namespace {

void add_matmul(Index m, Index n, Index k) {
  const Tensor a = randn({m, k}), b = randn({k, n});
  const auto flops = 2.0 * static_cast<double>(m * n * k);
  const auto bytes = 4.0 * static_cast<double>(m * k + k * n + m * n);
  const std::string name = "matmul/" + std::to_string(m) + 'x' + std::to_string(n) + 'x' + std::to_string(k);
  add_case(name, {flops, bytes}, [a, b] { (void)matmul(a, b); });
}

/// y = x W^T + b: forward, and forward with the gradients of x, W and b.
void add_linear(Index batch, Index in, Index out) {
  const Tensor bias = randn({out});
  const auto flops = 2.0 * static_cast<double>(batch * in * out);
  const std::string size = std::to_string(batch) + 'x' + std::to_string(in) + "->" + std::to_string(out);
  const Tensor x = randn({batch, in}), weight = randn({out, in});
  add_case("linear/" + size, {flops}, [=] { (void)linear(x, weight, bias); });
  Tensor x1 = randn({batch, in}), weight1 = randn({out, in}), bias1 = randn({out});
  for (Tensor* leaf : {&x1, &weight1, &bias1}) {
    leaf->requires_grad_();
  }
  add_case("linear_train/" + size, {3 * flops}, [=, gy = randn({batch, out})]() mutable {
    linear(x1, weight1, bias1).backward(gy);
    for (Tensor* leaf : {&x1, &weight1, &bias1}) {
      leaf->set_grad({});
    }
  });
}

}  // namespace

void add_matrix_ops() {
  add_matmul(64, 64, 784);
  add_matmul(256, 256, 256);
  add_matmul(1024, 1024, 1024);
  add_matmul(12544, 128, 576);  // the im2col product of a VGG layer
  add_linear(64, 784, 64);
  add_linear(64, 2304, 1024);
}

}  // namespace lora::bench
