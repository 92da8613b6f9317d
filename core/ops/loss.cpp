#include "core/ops/loss.hpp"

#include <algorithm>

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/kernel_call.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/reduce.hpp"
#include "core/ops/view.hpp"

namespace lora {

namespace {

/// The factor of each loss in the result: 1 / count for a mean, infinite for the mean of nothing, which then is 0 times that, NaN.
double weight_of(Reduction reduction, Index count) { return reduction == Reduction::mean ? 1.0 / static_cast<double>(count) : 1.0; }

/// `losses` as they are, or scale times their sum. Not recorded.
Tensor reduced(Reduction reduction, double scale, const Tensor& losses) {
  if (reduction == Reduction::none) {
    return losses;
  }
  Tensor y = empty(Shape(std::vector<Index>(static_cast<std::size_t>(losses.ndim()), 1)), losses.dtype(), losses.device());
  detail::kernels_of(y).sum(detail::context_of(y), scale, losses.view(), y.mutable_view());
  return reshape(y, {});
}

/// logits [N, C, ..] as [N, .., C], without a copy.
Tensor classes_last(const Tensor& logits) {
  Shape order{0};
  for (int i = 2; i < logits.ndim(); ++i) {
    order.push_back(i);
  }
  order.push_back(1);
  return permute(logits, order);
}

Shape without_classes(const Shape& logits) {
  Shape shape{logits[0]};
  for (int i = 2; i < logits.ndim(); ++i) {
    shape.push_back(logits[i]);
  }
  return shape;
}

void check_operands(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options) {
  constexpr auto kOp = "cross_entropy";
  detail::require_float(kOp, logits);
  detail::require_same_device(kOp, logits, target);
  require(target.dtype() == DType::i64 && logits.ndim() >= 2 && target.shape() == without_classes(logits.shape()), kOp,
          "needs logits [N,C,..] and targets i64[N,..], got ", logits, " and ", target);
  require(options.label_smoothing >= 0.0 && options.label_smoothing <= 1.0, kOp, "label_smoothing ", options.label_smoothing,
          " is outside 0..1");
}

/// Targets as the kernels want them, -1 where they are ignored.
struct Targets {
  Tensor index;
  Index counted = 0;
};

Targets check_targets(const Tensor& target, Index classes, Index ignore_index) {
  Targets checked{contiguous(target), 0};
  const Tensor labels = to(checked.index, kCpu);
  const std::int64_t* label = labels.data<std::int64_t>();
  for (Index i = 0; i < target.numel(); ++i) {
    const bool ignored = label[i] == ignore_index;
    require(ignored || (label[i] >= 0 && label[i] < classes), "cross_entropy", "target ", label[i], " in row ", i,
            " is outside the classes 0..", classes - 1, "; rows to be left out have ignore_index ", ignore_index);
    checked.counted += ignored ? 0 : 1;
  }
  if (ignore_index >= 0 && checked.counted < target.numel()) {
    Tensor marked = clone(labels);
    auto* const first = marked.mutable_data<std::int64_t>();
    std::replace(first, first + target.numel(), static_cast<std::int64_t>(ignore_index), std::int64_t{-1});
    checked.index = to(marked, target.device());
  }
  return checked;
}

void check_pair(std::string_view op, const Tensor& x, const Tensor& target) {
  detail::require_same_float(op, x, target);
  require(x.shape() == target.shape(), op, "needs operands of one shape, got ", x, " and ", target);
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options) {
  check_operands(logits, target, options);
  const Targets targets = check_targets(target, logits.size(1), options.ignore_index);
  Tensor log_probs = empty_like(logits);
  Tensor losses = empty(target.shape(), logits.dtype(), logits.device());
  const double smoothing = options.label_smoothing, weight = weight_of(options.reduction, targets.counted);
  detail::kernels_of(logits).cross_entropy(detail::context_of(logits), smoothing, classes_last(logits.detach()).view(),
                                           targets.index.view(), classes_last(log_probs).mutable_view(), losses.mutable_view());
  return record("cross_entropy", {logits}, reduced(options.reduction, weight, losses),
                [=, log_probs = Saved(log_probs), index = Saved(targets.index)](const Node& node, const Tensor& gy) -> Grads {
                  const Tensor& kept = log_probs.get(node.op());
                  const Tensor& rows = index.get(node.op());
                  const Tensor share = expand(weight == 1.0 ? gy : gy * weight, rows.shape());
                  Tensor gx = empty_like(kept);
                  detail::kernels_of(gy).cross_entropy_grad(detail::context_of(gy), smoothing, classes_last(kept).view(), rows.view(),
                                                            share.view(), classes_last(gx).mutable_view());
                  return {gx};
                });
}

Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
  check_pair("mse_loss", x, target);
  const double weight = weight_of(reduction, x.numel());
  const Tensor difference = sub(x.detach(), target.detach());
  return record("mse_loss", {x, target}, reduced(reduction, weight, mul(difference, difference)),
                [=, difference = Saved(difference)](const Node& node, const Tensor& gy) -> Grads {
                  const Tensor gx = mul(difference.get(node.op()), gy * (2.0 * weight));
                  return {gx, node.wants(1) ? neg(gx) : Tensor{}};
                });
}

Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
  check_pair("l1_loss", x, target);
  const Tensor difference = x - target;
  if (reduction == Reduction::none) {
    return norm(difference, 1.0, {});
  }
  const Tensor total = norm(difference, 1.0);
  return reduction == Reduction::sum ? total : total * weight_of(reduction, x.numel());
}

Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target, Reduction reduction) {
  constexpr auto kOp = "binary_cross_entropy_with_logits";
  check_pair(kOp, x, target);
  const double weight = weight_of(reduction, x.numel());
  Tensor losses = empty_like(x);
  detail::kernels_of(x).bce_with_logits(detail::context_of(x), x.view(), target.view(), losses.mutable_view());
  return record(kOp, {x, target}, reduced(reduction, weight, losses),
                [=, x = Saved(x), target = Saved(target, x.requires_grad())](const Node& node, const Tensor& gy) -> Grads {
                  const Tensor share = gy * weight;
                  const Tensor& logits = x.get(node.op());
                  return {node.wants(0) ? mul(sub(sigmoid(logits), target.get(node.op())), share) : Tensor{},
                          node.wants(1) ? neg(mul(logits, share)) : Tensor{}};
                });
}

}  // namespace lora
