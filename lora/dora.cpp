#include "lora/dora.hpp"

#include "core/autocast.hpp"
#include "core/autograd.hpp"
#include "core/ops/compare.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/matmul.hpp"
#include "core/ops/norm.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/reduce.hpp"
#include "core/ops/view.hpp"

namespace lora {

namespace {

/// Values for each output in the shape that PEFT gives the magnitude.
Tensor as_magnitude(const nn::AdaptableLayer& layer, const Tensor& values) {
  const Tensor shaped = layer.per_output(values);
  return shaped.ndim() == 1 ? shaped : unsqueeze(shaped, 0);
}

/// values[o] for each element of row o of `matrix`, to be broadcast.
Tensor per_row(const Tensor& values, const Tensor& matrix) {
  Shape shape = matrix.shape();
  for (int axis = 1; axis < shape.ndim(); ++axis) {
    shape[axis] = 1;
  }
  return reshape(values, shape);
}

/// Of a [groups, features, inputs] what features of a group have at the inputs of that group: a view [groups, features, inputs / groups].
Tensor at_own_inputs(const Tensor& a) {
  const Tensor dense = contiguous(a);
  const Index groups = a.size(0), features = a.size(1), inputs = a.size(2), own = inputs / groups;
  return Tensor(dense.storage(), dense.dtype(), {groups, features, own}, {features * inputs + own, inputs, 1}, dense.offset());
}

/// gain (base - bias) + bias, which is base bit for bit where the gain is 1. A batch normalisation of mean 0 and variance 1 does it in one
/// pass, and its gradient in two.
Tensor rescaled(const nn::AdaptableLayer& layer, const Tensor& base, const Tensor& gain) {
  const bool outputs_last = layer.per_output(gain).ndim() == 1;
  const Tensor x = outputs_last ? reshape(base, {-1, gain.numel()}) : base;
  const Tensor shift = layer.bias().defined() ? (1.0 - gain) * layer.bias() : Tensor{};
  const BatchStatistics none{zeros_like(gain), full(gain.shape(), 1.0, gain.dtype(), gain.device())};
  const Tensor y = batch_norm(x, none, gain, shift, 0.0);
  return outputs_last ? reshape(y, base.shape()) : y;
}

}  // namespace

DoraAdapter::DoraAdapter(const nn::AdaptableLayer& layer, const LoraConfig& config, Generator& generator)
    : LoraAdapter(layer, config, generator), magnitude_(param("lora_magnitude_vector", as_magnitude(layer, norms(layer)))) {}

Tensor DoraAdapter::squared_norms(const Tensor& weight) const {
  const std::lock_guard lock(mutex_);
  if (seen_.lock() != weight.storage() || seen_version_ != weight.storage()->version()) {
    squares_ = sum(square(flatten(weight, 1)), {1});
    seen_ = weight.storage();
    seen_version_ = weight.storage()->version();
  }
  return squares_;
}

Tensor DoraAdapter::norms(const nn::AdaptableLayer& layer) const {
  const NoGrad no_grad;
  const Autocast exact(DType::f32);  // the squares cancel: rounded products would move the gain of every output
  const Index groups = layer.groups(), out = b().size(0), features = a().size(0) / groups;
  const Tensor own_weight = layer.weight().detach();
  const Tensor weight = reshape(own_weight, {groups, out / groups, -1});
  const Tensor a = reshape(this->a(), {groups, features, -1}), b = reshape(this->b(), {groups, out / groups, features});
  const Tensor cross = matmul(weight, transpose(at_own_inputs(a), 1, 2)), gram = matmul(a, transpose(a, 1, 2));
  const Tensor change = sum(b * (2.0 * scaling() * cross + scaling() * scaling() * matmul(b, gram)), {2});
  // Where W and s B A cancel, rounding may leave less than nothing.
  return sqrt(clamp(squared_norms(own_weight) + reshape(change, {out}), 0.0));
}

Tensor DoraAdapter::gain(const nn::AdaptableLayer& layer) const {
  const Tensor n = norms(layer), none = eq(n, 0.0);
  return where(none, 1.0, reshape(magnitude_, {-1}) / where(none, 1.0, n));
}

Tensor DoraAdapter::add_to(const Tensor& sum, const nn::AdaptableLayer& layer, const Tensor& x, const Tensor& base) const {
  const Tensor gain = this->gain(layer), own = rescaled(layer, base, gain);
  const Tensor addend = sum.storage() == base.storage() ? own : sum + (own - base);
  return layer.up(layer.down(dropped(layer, x), a()), per_row(gain, b()) * b(), scaling(), addend);
}

Tensor DoraAdapter::merged_weight(const nn::AdaptableLayer& layer, const Tensor& weight) const {
  const Tensor own = layer.spread(layer.weight()), gain = per_row(this->gain(layer), own);
  return layer.spread(weight) + ((gain - 1.0) * own + gain * (scaling() * layer.outer(b(), a())));
}

}  // namespace lora
