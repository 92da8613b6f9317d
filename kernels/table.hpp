#pragma once
// The kernels of one device as a table of functions, generated from kernels.def.

#include "core/base/device.hpp"
#include "core/base/rng.hpp"
#include "core/base/view.hpp"
#include "kernels/binary_ops.hpp"
#include "kernels/pointwise_ops.hpp"
#include "kernels/quantize.hpp"
#include "kernels/reduce_ops.hpp"
#include "kernels/window.hpp"

namespace lora::kernels {

/// Where a kernel runs. `stream` is the device's own handle, null on the CPU.
struct Context {
  Device device;
  void* stream = nullptr;
};

/// Constants of one optimizer step. First g = -g with `maximize`. With `decoupled`, p -= lr weight_decay p (AdamW), else
/// g += weight_decay p (Adam); then
///   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,  p -= lr / bias1 * m / (sqrt(v / bias2) + eps)
/// where AMSGrad has max_v = max(max_v, v) in place of v in the last.
/// @source Kingma & Ba 2015, arXiv:1412.6980; Loshchilov & Hutter 2019, arXiv:1711.05101; Reddi et al. 2018, arXiv:1904.09237
struct AdamStep {
  double lr, beta1, beta2, eps, weight_decay;
  double bias1, bias2;  // 1 - beta1^t, 1 - beta2^t
  bool decoupled, maximize;
};

/// What Adam keeps of a parameter, each of its shape and type.
struct AdamState {
  View m, v;
  const View* max_v = nullptr;  // null: no AMSGrad
};

/// Constants of one optimizer step. First g = -g with `maximize`, and g += weight_decay p; then, with momentum,
///   b = momentum b + (1 - dampening) g,  g = nesterov ? g + momentum b : b
/// and p -= lr g.
/// @source Sutskever et al. 2013, On the importance of initialization and momentum in deep learning
struct SgdStep {
  double lr, momentum, dampening, weight_decay;
  bool nesterov, maximize;
};

/// What a normalisation multiplies by and adds, [m] contiguous; null for 1 and 0.
struct NormAffine {
  const ConstView* weight = nullptr;
  const ConstView* bias = nullptr;
};

/// A normalisation of columns: xhat = (x - mean) / sqrt(var + eps), with mean and var [m] contiguous.
struct ColumnNorm {
  ConstView mean, var;
  double eps;
};

/// What the gradient of a normalisation of columns needs besides: the weight, and where mean and var are those of x the results of
/// batch_norm_grad_sums. Null for a weight of 1, and for a mean and var that are constants.
struct ColumnNormGrad {
  const ConstView* weight = nullptr;
  const ConstView* sum_xhat = nullptr;
  const ConstView* sum = nullptr;
};

/// A normalisation of rows: xhat = (x - mean) rstd, with mean and rstd [n] contiguous.
struct RowNorm {
  ConstView mean, rstd;
};

/// The same to write to.
struct RowNormOut {
  View mean, rstd;
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

/// The device with the stream that its kernels run on.
Context context(const Device& device);

}  // namespace lora::kernels
