#include "core/ops/loss.hpp"

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/kernel_call.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/view.hpp"

namespace lora {

namespace {

void check_targets(const Tensor& target, Index classes) {
  const Tensor values = contiguous(target);
  const std::int64_t* label = values.data<std::int64_t>();
  for (Index i = 0; i < target.numel(); ++i) {
    require(label[i] >= 0 && label[i] < classes, "cross_entropy", "target ", label[i], " in row ", i, " is outside the classes 0..",
            classes - 1);
  }
}

Tensor mean_of(const Tensor& row_loss) {
  Tensor y = empty({1}, row_loss.dtype(), row_loss.device());
  const double scale = 1.0 / static_cast<double>(row_loss.numel());
  detail::kernels_of(y).sum(detail::context_of(y), scale, row_loss.view(), y.mutable_view());
  return reshape(y, {});
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& target) {
  detail::require_float("cross_entropy", logits);
  detail::require_same_device("cross_entropy", logits, target);
  require(
      logits.ndim() == 2 && target.ndim() == 1 && target.dtype() == DType::i64 && target.size(0) == logits.size(0) && logits.size(0) > 0,
      "cross_entropy", "needs logits [N,C] and targets i64[N] with N > 0, got ", logits, " and ", target);
  check_targets(target, logits.size(1));
  Tensor log_probs = empty(logits.shape(), logits.dtype(), logits.device());
  Tensor row_loss = empty({logits.size(0)}, logits.dtype(), logits.device());
  detail::kernels_of(logits).cross_entropy(detail::context_of(logits), logits.view(), target.view(), log_probs.mutable_view(),
                                           row_loss.mutable_view());
  return record("cross_entropy", {logits}, mean_of(row_loss),
                [log_probs = Saved(log_probs), target = Saved(target)](const Node& node, const Tensor& gy) -> Grads {
                  const Tensor& kept = log_probs.get(node.op());
                  const Tensor share = expand(gy / static_cast<double>(kept.size(0)), {kept.size(0)});
                  Tensor gx = empty_like(kept);
                  detail::kernels_of(gy).cross_entropy_grad(detail::context_of(gy), kept.view(), target.get(node.op()).view(), share.view(),
                                                            gx.mutable_view());
                  return {gx};
                });
}

}  // namespace lora
