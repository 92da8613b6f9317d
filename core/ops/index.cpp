#include "core/ops/index.hpp"

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/kernel_call.hpp"
#include "core/ops/view.hpp"

namespace lora {

namespace {

void check_indices(const Tensor& index, Index rows) {
  const Tensor values = contiguous(index);
  const std::int64_t* at = values.data<std::int64_t>();
  for (Index i = 0; i < index.numel(); ++i) {
    require(at[i] >= 0 && at[i] < rows, "index_select", "index ", at[i], " at position ", i, " is outside the rows 0..", rows - 1);
  }
}

/// Elements of one row; works for tensors without rows too.
Index row_size(const Shape& shape) {
  Index size = 1;
  for (int i = 1; i < shape.ndim(); ++i) {
    size *= shape[i];
  }
  return size;
}

}  // namespace

Tensor index_select(const Tensor& x, const Tensor& index) {
  detail::require_same_device("index_select", x, index);
  require(x.ndim() > 0 && index.ndim() == 1 && index.dtype() == DType::i64, "index_select", "needs x [N,..] and an index i64[K], got ", x,
          " and ", index);
  check_indices(index, x.size(0));
  const Index columns = row_size(x.shape());
  const Tensor rows = reshape(x.detach(), {x.size(0), columns});
  Shape shape = x.shape();
  shape[0] = index.size(0);
  Tensor y = empty(shape, x.dtype(), x.device());
  detail::kernels_of(x).index_select(detail::context_of(x), rows.view(), index.view(), reshape(y, {index.size(0), columns}).mutable_view());
  return record("index_select", {x}, y, [index = Saved(index), from = x.shape(), columns](const Node& node, const Tensor& gy) -> Grads {
    Tensor gx = empty({from[0], columns}, gy.dtype(), gy.device());
    detail::kernels_of(gy).index_select_grad(detail::context_of(gy), index.get(node.op()).view(), reshape(gy, {gy.size(0), columns}).view(),
                                             gx.mutable_view());
    return {reshape(gx, from)};
  });
}

}  // namespace lora
