#include "core/ops/norm.hpp"

#include <cmath>

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/kernel_call.hpp"
#include "core/ops/pointwise.hpp"

namespace lora {

namespace {

using kernels::ColumnNorm;

bool takes_part(const Tensor& x) { return x.defined() && x.requires_grad(); }

/// A dense tensor as a row-major matrix: what lies innermost in memory are its columns.
template <class V>
V matrix(V view, Index columns) {
  const Index rows = columns > 0 ? view.numel() / columns : 0;
  view.shape = {rows, columns};
  view.strides = {columns, 1};
  return view;
}

/// A view with an address, for what may be undefined; made from a row-major tensor that lives as long.
class OptionalView {
 public:
  explicit OptionalView(const Tensor& x) : defined_(x.defined()), view_(defined_ ? x.view() : ConstView{}) {}
  const ConstView* get() const { return defined_ ? &view_ : nullptr; }

 private:
  bool defined_;
  ConstView view_;
};

Tensor contiguous_or_none(const Tensor& x) { return x.defined() ? contiguous(x.detach()) : x; }

void check_parameter(std::string_view op, const Tensor& x, const char* name, const Tensor& parameter, const Shape& wanted) {
  if (parameter.defined()) {
    detail::require_same_float(op, x, parameter);
    require(parameter.shape() == wanted, op, name, " is ", parameter, ", but x ", x, " needs one of shape ", wanted);
  }
}

void check_eps(std::string_view op, double eps) { require(std::isfinite(eps) && eps >= 0.0, op, "eps is ", eps, "; it must be 0 or more"); }

/// Checks what both kinds of batch normalisation take.
void check_batch_norm(std::string_view op, const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  detail::require_float(op, x);
  require(x.ndim() >= 2, op, "needs x [N, C, ..], got ", x);
  check_parameter(op, x, "weight", weight, {x.size(1)});
  check_parameter(op, x, "bias", bias, {x.size(1)});
  check_eps(op, eps);
}

/// The operands of a batch normalisation as kernels read them: x channels-last, the others row-major.
struct BatchNorm {
  Tensor x, mean, var, weight, bias;
  double eps;
};

BatchNorm operands(const Tensor& x, const BatchStatistics& by, const Tensor& weight, const Tensor& bias, double eps) {
  return {x, contiguous(by.mean.detach()), contiguous(by.var.detach()), contiguous_or_none(weight), contiguous_or_none(bias), eps};
}

Tensor normalized(const BatchNorm& o) {
  const OptionalView weight(o.weight), bias(o.bias);
  const Index channels = o.x.size(1);
  Tensor y = empty_channels_last(o.x.shape(), o.x.dtype(), o.x.device());
  detail::kernels_of(o.x).batch_norm(detail::context_of(o.x), matrix(o.x.view(), channels), {o.mean.view(), o.var.view(), o.eps},
                                     {weight.get(), bias.get()}, matrix(y.mutable_view(), channels));
  return y;
}

/// What the gradient reads: x only where its statistics or the gradients of weight and bias do.
struct SavedBatchNorm {
  Saved x, mean, var, weight;
  bool has_weight, training;
  double eps;
};

SavedBatchNorm save(const BatchNorm& o, bool training, bool affine_takes_part) {
  const bool has_weight = o.weight.defined();
  return {Saved(o.x, training || affine_takes_part),
          Saved(o.mean),
          Saved(o.var),
          has_weight ? Saved(o.weight) : Saved(),
          has_weight,
          training,
          o.eps};
}

Tensor batch_norm_gx(const SavedBatchNorm& s, const ColumnNorm& norm, const Tensor& gy, const Tensor& gw, const Tensor& gb) {
  const OptionalView weight(s.has_weight ? s.weight.get("batch_norm") : Tensor{});
  const OptionalView sum_xhat(s.training ? gw : Tensor{}), sum(s.training ? gb : Tensor{});
  const Index channels = gy.size(1);
  const ConstView x = s.training ? s.x.get("batch_norm").view() : gy.view();  // not read in evaluation
  Tensor gx = empty_channels_last(gy.shape(), gy.dtype(), gy.device());
  detail::kernels_of(gy).batch_norm_grad(detail::context_of(gy), matrix(x, channels), matrix(gy.view(), channels), norm,
                                         {weight.get(), sum_xhat.get(), sum.get()}, matrix(gx.mutable_view(), channels));
  return gx;
}

Grads batch_norm_grads(const SavedBatchNorm& s, const Node& node, const Tensor& any_gy) {
  const Tensor gy = channels_last(any_gy);
  const ColumnNorm norm{s.mean.get("batch_norm").view(), s.var.get("batch_norm").view(), s.eps};
  const Index channels = gy.size(1);
  Tensor gw, gb;
  if (node.wants(1) || node.wants(2) || s.training) {
    gw = empty({channels}, gy.dtype(), gy.device());
    gb = empty({channels}, gy.dtype(), gy.device());
    detail::kernels_of(gy).batch_norm_grad_sums(detail::context_of(gy), matrix(s.x.get("batch_norm").view(), channels),
                                                matrix(gy.view(), channels), norm, gw.mutable_view(), gb.mutable_view());
  }
  return {node.wants(0) ? batch_norm_gx(s, norm, gy, gw, gb) : Tensor{}, gw, gb};
}

/// The operands of a layer normalisation, all row-major, x with the normalised axes as columns.
struct LayerNorm {
  Tensor x, weight, mean, rstd;
  Index columns;
};

Tensor layer_norm_gx(const LayerNorm& o, const kernels::RowNorm& norm, const Tensor& gy) {
  const OptionalView weight(o.weight);
  Tensor gx = empty(gy.shape(), gy.dtype(), gy.device());
  detail::kernels_of(gy).layer_norm_grad(detail::context_of(gy), matrix(o.x.view(), o.columns), matrix(gy.view(), o.columns), norm,
                                         weight.get(), matrix(gx.mutable_view(), o.columns));
  return gx;
}

Grads layer_norm_grads(const LayerNorm& o, const Node& node, const Tensor& any_gy, const Shape& normalized_shape) {
  const Tensor gy = contiguous(any_gy);
  const kernels::RowNorm norm{o.mean.view(), o.rstd.view()};
  Tensor gw, gb;
  if (node.wants(1) || node.wants(2)) {
    gw = empty(normalized_shape, gy.dtype(), gy.device());
    gb = empty(normalized_shape, gy.dtype(), gy.device());
    detail::kernels_of(gy).layer_norm_grad_sums(detail::context_of(gy), matrix(o.x.view(), o.columns), matrix(gy.view(), o.columns), norm,
                                                gw.mutable_view(), gb.mutable_view());
  }
  return {node.wants(0) ? layer_norm_gx(o, norm, gy) : Tensor{}, gw, gb};
}

void check_layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight, const Tensor& bias, double eps) {
  detail::require_float("layer_norm", x);
  const int first = x.ndim() - normalized_shape.ndim();
  bool fits = !normalized_shape.empty() && first >= 0;
  for (int i = 0; fits && i < normalized_shape.ndim(); ++i) {
    fits = x.shape()[first + i] == normalized_shape[i];
  }
  require(fits, "layer_norm", "x ", x, " does not end with the axes ", normalized_shape, " that are to be normalised, at least one");
  check_parameter("layer_norm", x, "weight", weight, normalized_shape);
  check_parameter("layer_norm", x, "bias", bias, normalized_shape);
  check_eps("layer_norm", eps);
}

}  // namespace

Tensor batch_norm(const Tensor& x, const BatchStatistics& constants, const Tensor& weight, const Tensor& bias, double eps) {
  check_batch_norm("batch_norm", x, weight, bias, eps);
  require(constants.mean.defined() && constants.var.defined(), "batch_norm",
          "needs a mean and a variance; batch_norm_training() takes x's");
  check_parameter("batch_norm", x, "mean", constants.mean, {x.size(1)});
  check_parameter("batch_norm", x, "var", constants.var, {x.size(1)});
  require(!takes_part(constants.mean) && !takes_part(constants.var), "batch_norm",
          "mean and var are constants and get no gradient; detach() them, or compute the result of other ops");
  const BatchNorm o = operands(channels_last(x.detach()), constants, weight, bias, eps);
  return record("batch_norm", {x, weight, bias}, normalized(o),
                [s = save(o, false, takes_part(weight) || takes_part(bias))](const Node& node, const Tensor& gy) -> Grads {
                  return batch_norm_grads(s, node, gy);
                });
}

BatchNormResult batch_norm_training(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  check_batch_norm("batch_norm", x, weight, bias, eps);
  const Index channels = x.size(1), n = channels > 0 ? x.numel() / channels : x.size(0);
  require(n > 1, "batch_norm", "needs more than one value for each channel to take a variance of, got ", x,
          "; use a larger batch, or eval() to take the running statistics");
  const Tensor dense = channels_last(x.detach());
  BatchStatistics own{empty({channels}, x.dtype(), x.device()), empty({channels}, x.dtype(), x.device())};
  detail::kernels_of(x).batch_norm_stats(detail::context_of(x), matrix(dense.view(), channels), own.mean.mutable_view(),
                                         own.var.mutable_view());
  const BatchNorm o = operands(dense, own, weight, bias, eps);
  const Tensor y = record("batch_norm", {x, weight, bias}, normalized(o),
                          [s = save(o, true, true)](const Node& node, const Tensor& gy) -> Grads { return batch_norm_grads(s, node, gy); });
  const double count = static_cast<double>(n);
  return {y, {own.mean, affine(own.var, count / (count - 1.0), 0.0)}};
}

void move_running_statistics(BatchStatistics running, const BatchStatistics& batch, double momentum) {
  require(momentum >= 0.0 && momentum <= 1.0, "move_running_statistics", "momentum is ", momentum, "; it must be in [0, 1]");
  const NoGrad no_grad;
  const Tensor mean = running.mean * (1.0 - momentum) + batch.mean * momentum;
  const Tensor var = running.var * (1.0 - momentum) + batch.var * momentum;
  running.mean.copy_(mean);
  running.var.copy_(var);
}

Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight, const Tensor& bias, double eps) {
  check_layer_norm(x, normalized_shape, weight, bias, eps);
  const Index columns = normalized_shape.numel(), rows = columns > 0 ? x.numel() / columns : 0;
  const LayerNorm o{contiguous(x.detach()), contiguous_or_none(weight), empty({rows}, x.dtype(), x.device()),
                    empty({rows}, x.dtype(), x.device()), columns};
  const Tensor b = contiguous_or_none(bias);
  const OptionalView weight_view(o.weight), bias_view(b);
  Tensor y = empty(x.shape(), x.dtype(), x.device());
  detail::kernels_of(x).layer_norm(detail::context_of(x), eps, matrix(o.x.view(), columns), {weight_view.get(), bias_view.get()},
                                   {o.mean.mutable_view(), o.rstd.mutable_view()}, matrix(y.mutable_view(), columns));
  return record("layer_norm", {x, weight, bias}, y,
                [x = Saved(o.x), w = o.weight.defined() ? Saved(o.weight) : Saved(), has_weight = o.weight.defined(), mean = Saved(o.mean),
                 rstd = Saved(o.rstd), normalized_shape](const Node& node, const Tensor& gy) -> Grads {
                  const LayerNorm kept{x.get("layer_norm"), has_weight ? w.get("layer_norm") : Tensor{}, mean.get("layer_norm"),
                                       rstd.get("layer_norm"), normalized_shape.numel()};
                  return layer_norm_grads(kept, node, gy, normalized_shape);
                });
}

}  // namespace lora
