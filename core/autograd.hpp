#pragma once
// Reverse-mode automatic differentiation: how an op records itself, and the engine that runs the records backwards.
// Gradients are first order only: backward() records nothing.

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/tensor.hpp"

namespace lora {

/// What an op keeps for its gradient: the data without the graph, and proof that nobody changed it since.
class Saved {
 public:
  Saved() = default;
  explicit Saved(const Tensor& tensor);
  /// Saves `tensor` if `needed`, else nothing: what only the gradient of a frozen operand would read is let go.
  Saved(const Tensor& tensor, bool needed);
  /// The tensor as it was saved. @throws Error naming `op` if it was changed in place since
  const Tensor& get(std::string_view op) const;

 private:
  Tensor tensor_;
  std::uint64_t version_ = 0;
};

/// True where ops record themselves on this thread.
bool grad_enabled();

namespace detail {

/// What ops of a thread do beside computing: record themselves, nothing, or tell what they would have recorded themselves for.
enum class Recording { on, off, watched };

/// Sets this thread's mode for a while. In mode `watched` grad_enabled() is true, ops leave no graph, and the inputs that require a
/// gradient are listed in `seen`.
class RecordingMode {
 public:
  explicit RecordingMode(Recording mode, std::vector<Saved>* seen = nullptr);
  ~RecordingMode();
  RecordingMode(const RecordingMode&) = delete;
  RecordingMode& operator=(const RecordingMode&) = delete;

 private:
  Recording before_;
  std::vector<Saved>* seen_before_;
};

Recording recording_mode();

}  // namespace detail

/// While it lives, ops of this thread record nothing.
class NoGrad {
 public:
  NoGrad() : mode_(detail::Recording::off) {}

 private:
  detail::RecordingMode mode_;
};

/// Cotangents of an op's inputs, in their order; undefined where none is wanted.
using Grads = std::vector<Tensor>;

/// Where a gradient goes on: to the node of the input, or to the leaf itself.
struct Edge {
  std::shared_ptr<Node> node;
  std::shared_ptr<AutogradMeta> leaf;
  Shape shape;  // of the input, so that the engine can undo broadcasting
  bool wanted() const { return node != nullptr || leaf != nullptr; }
};

/// One recorded op.
class Node {
 public:
  Node(std::string_view op, std::span<const Tensor> inputs);
  virtual ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  std::string_view op() const { return op_; }
  const std::vector<Edge>& edges() const { return edges_; }
  std::vector<Edge>& edges() { return edges_; }
  /// Position in the order of recording: inputs come before what uses them.
  std::uint64_t sequence() const { return sequence_; }
  /// Whether input `i` takes part in the graph.
  bool wants(std::size_t i) const { return edges_[i].wanted(); }

  /// Cotangents of the inputs from that of the output. Those of broadcast inputs may have the output's shape.
  virtual Grads vjp(const Tensor& gy) const = 0;
  /// Drops what was saved.
  virtual void release() = 0;
  virtual bool released() const = 0;
  /// For a node that stands for a part of the graph which was not kept: its output recorded anew, where the engine goes on instead of
  /// asking for vjp(). Undefined for all others.
  virtual Tensor replay() const { return {}; }

 private:
  std::string_view op_;
  std::vector<Edge> edges_;
  std::uint64_t sequence_;
};

/// The autograd side of a tensor.
struct AutogradMeta {
  bool requires_grad = false;
  Tensor grad;                 // leaves only
  std::shared_ptr<Node> node;  // results only
};

namespace detail {

bool should_record(std::span<const Tensor> inputs);

/// A node whose vjp is a closure `Grads(const Node&, const Tensor& gy)`; what it captures is what the op saves.
template <class Vjp>
class ClosureNode final : public Node {
 public:
  ClosureNode(std::string_view op, std::span<const Tensor> inputs, Vjp vjp)
      : Node(op, inputs), vjp_(std::make_unique<Vjp>(std::move(vjp))) {}
  Grads vjp(const Tensor& gy) const override { return (*vjp_)(*this, gy); }
  void release() override { vjp_.reset(); }
  bool released() const override { return vjp_ == nullptr; }

 private:
  std::unique_ptr<Vjp> vjp_;
};

}  // namespace detail

/// Makes `y` the recorded result of `op` on `inputs`, if gradients are on and an input needs one; gives `y` back.
/// @param vjp  closure `Grads(const Node& node, const Tensor& gy)`, gy of y's shape with any strides (0 too); it captures Saved tensors,
/// never `y` itself (that would be a cycle)
template <class Vjp>
Tensor record(std::string_view op, std::span<const Tensor> inputs, Tensor y, Vjp&& vjp) {
  if (detail::should_record(inputs)) {
    y.set_node(std::make_shared<detail::ClosureNode<std::decay_t<Vjp>>>(op, inputs, std::forward<Vjp>(vjp)));
  }
  return y;
}
/// The same for inputs written out, as in `record("mul", {a, b}, ..)`.
template <class Vjp>
Tensor record(std::string_view op, std::initializer_list<Tensor> inputs, Tensor y, Vjp&& vjp) {
  return record(op, std::span<const Tensor>(inputs.begin(), inputs.size()), std::move(y), std::forward<Vjp>(vjp));
}

/// For an op without a gradient: backward through it is an error that names it.
Tensor record_without_gradient(std::string_view op, std::initializer_list<Tensor> inputs, Tensor y);

}  // namespace lora
