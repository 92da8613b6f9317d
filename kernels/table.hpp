#pragma once
// The kernels of one device as a table of functions, generated from kernels.def.

#include "core/base/device.hpp"
#include "core/base/rng.hpp"
#include "core/base/view.hpp"
#include "kernels/binary_ops.hpp"
#include "kernels/pointwise_ops.hpp"

namespace lora::kernels {

/// Where a kernel runs. `stream` is the device's own handle, null on the CPU.
struct Context {
  Device device;
  void* stream = nullptr;
};

/// Constants of one optimizer step. With `decoupled`, p -= lr weight_decay p (AdamW), else g += weight_decay p (Adam); then
///   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,  p -= lr / bias1 * m / (sqrt(v / bias2) + eps)
/// @source Kingma & Ba 2015, arXiv:1412.6980; Loshchilov & Hutter 2019, arXiv:1711.05101
struct AdamStep {
  double lr, beta1, beta2, eps, weight_decay;
  double bias1, bias2;  // 1 - beta1^t, 1 - beta2^t
  bool decoupled;
};

/// One function pointer a row of kernels.def.
struct KernelTable {
#define KERNEL(name, parameters) void(*name) parameters;
#include "kernels/kernels.def"
#undef KERNEL
};

/// The table of `device`. On the CPU the one for the widest instruction set of this machine (see cpu/isa.hpp).
/// @throws Error if this build has no kernels for the device
const KernelTable& table(const Device& device);

}  // namespace lora::kernels
