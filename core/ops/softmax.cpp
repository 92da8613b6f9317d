#include "core/ops/softmax.hpp"

#include "core/autograd.hpp"
#include "core/ops/kernel_call.hpp"
#include "core/ops/view.hpp"

namespace lora {

namespace {

Tensor softmax_along(std::string_view name, bool log, const Tensor& x, Index dim) {
  detail::require_float(name, x);
  if (x.ndim() == 0) {
    normalize_dim(name, dim, 1);
    return reshape(softmax_along(name, log, reshape(x, {1}), 0), {});
  }
  const int axis = normalize_dim(name, dim, x.ndim());
  Tensor y = empty_like(x);
  detail::kernels_of(x).softmax(detail::context_of(x), log, axis, x.view(), y.mutable_view());
  return record(name, {x}, y, [log, axis, y = Saved(y)](const Node& node, const Tensor& gy) -> Grads {
    const Tensor& kept = y.get(node.op());
    Tensor gx = empty_like(kept);
    detail::kernels_of(gy).softmax_grad(detail::context_of(gy), log, axis, kept.view(), gy.view(), gx.mutable_view());
    return {gx};
  });
}

}  // namespace

Tensor softmax(const Tensor& x, Index dim) { return softmax_along("softmax", false, x, dim); }

Tensor log_softmax(const Tensor& x, Index dim) { return softmax_along("log_softmax", true, x, dim); }

}  // namespace lora
