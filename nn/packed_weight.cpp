#include "nn/packed_weight.hpp"

#include <algorithm>

#include "core/autocast.hpp"
#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/join.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/view.hpp"
#include "nn/adaptable.hpp"

namespace lora::nn {

namespace {

// 1 MiB in f32: stays in the cache from its expansion to its use. Fewer rows than this make a product slow.
constexpr Index kPiece = 1 << 18, kFewestRows = 64;

/// f(first, last) for the pieces of rows, in order.
template <class F>
void for_pieces(const Quantized4Bit& q, Index groups, const F& f) {
  const Index rows = q.shape[0], of_row = std::max<Index>(1, q.numel() / std::max<Index>(1, rows));
  const Index step = groups > 1 ? rows : std::max(kFewestRows, kPiece / of_row);
  Index first = 0;
  do {  // once without rows too, so that there is a result
    const Index last = std::min(rows, first + step);
    f(first, last);
    first = last;
  } while (first < rows);
}

/// The axis of the layer's result that counts outputs.
int output_axis(const AdaptableLayer& layer, const Tensor& y) {
  return y.ndim() - layer.per_output(zeros({layer.weight_shape()[0]}, y.dtype())).ndim();
}

Tensor join(const std::vector<Tensor>& parts, int axis) { return parts.size() == 1 ? parts.front() : cat(parts, axis); }

Tensor forward_in_pieces(const AdaptableLayer& layer, const Quantized4Bit& q, const Tensor& x, const Tensor& bias) {
  const NoGrad no_grad;
  std::vector<Tensor> parts;
  for_pieces(q, layer.groups(), [&](Index first, Index last) {
    const Tensor part_of_bias = bias.defined() ? narrow(bias.detach(), 0, first, last - first) : Tensor{};
    parts.push_back(layer.apply(x.detach(), to(dequantize_4bit(q, first, last), layer.dtype()), part_of_bias));
  });
  return join(parts, output_axis(layer, parts.front()));
}

/// How to go back from the result's cotangent to that of x. It outlives the layer.
struct Backward {
  Quantized4Bit q;
  Saved packed, absmax;  // proof that nobody changed them
  DType dtype;
  Index groups;
  int axis;
  InputGradient gradient;
  DType products = autocast_dtype();  // in the forward pass

  Tensor operator()(const Tensor& gy) const {
    packed.get("packed_weight");
    absmax.get("packed_weight");
    const Autocast as_forward(products);
    Tensor gx;
    for_pieces(q, groups, [&](Index first, Index last) {
      const Tensor part = gradient(narrow(gy, axis, first, last - first), to(dequantize_4bit(q, first, last), dtype));
      gx = gx.defined() ? gx + part : part;
    });
    return gx;
  }
};

}  // namespace

Tensor apply_packed(const AdaptableLayer& layer, const Quantized4Bit& q, const Tensor& x, const Tensor& bias) {
  const Tensor y = forward_in_pieces(layer, q, x, bias);
  const Tensor shift = bias.defined() ? layer.per_output(bias) : bias;
  Backward backward{
      q, Saved(q.packed), Saved(q.absmax), layer.dtype(), layer.groups(), output_axis(layer, y), layer.input_gradient(x.shape())};
  return record("packed_weight", {x, shift}, y, [backward = std::move(backward)](const Node& node, const Tensor& gy) -> Grads {
    return {node.wants(0) ? backward(gy) : Tensor{}, gy};
  });
}

}  // namespace lora::nn
