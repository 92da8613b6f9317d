#include "core/autograd.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <unordered_map>

#include "core/ops/convert.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/reduce.hpp"

namespace lora {

namespace {

thread_local bool recording = true;
std::atomic<std::uint64_t> next_sequence{0};

Edge edge_to(const Tensor& input) {
  if (!input.defined() || !input.requires_grad()) {
    return {};
  }
  return {input.node(), input.is_leaf() ? input.meta() : nullptr, input.shape()};
}

/// Lets go of the nodes of `edges`; those that nobody else holds go to `owned`. A node that several edges lead to is let go by each in
/// turn, and owned by the last.
void take_owned(std::vector<Edge>& edges, std::vector<std::shared_ptr<Node>>& owned) {
  for (Edge& edge : edges) {
    std::shared_ptr<Node> node = std::move(edge.node);
    if (node != nullptr && node.use_count() == 1) {
      owned.push_back(std::move(node));
    }
  }
}

/// One run of backward(). Gradients reach the leaves at the end only, so an error on the way changes nothing.
class Engine {
 public:
  explicit Engine(bool retain_graph) : retain_graph_(retain_graph) {}

  void run(const Edge& root, const Tensor& gradient) {
    accumulate(root, gradient);
    while (!pending_.empty()) {
      const auto first = pending_.extract(pending_.begin());
      step(*first.mapped().node, first.mapped().cotangent);
    }
    commit();
  }

 private:
  struct Pending {
    Node* node = nullptr;
    Tensor cotangent;
  };

  static void add_to(Tensor& sum, const Tensor& gradient) { sum = sum.defined() ? add(sum, gradient) : gradient; }

  void accumulate(const Edge& edge, const Tensor& gradient) {
    const Tensor fitting = sum_to(gradient, edge.shape);  // undoes broadcasting
    if (edge.leaf != nullptr) {
      add_to(leaves_[edge.leaf.get()], fitting);
      return;
    }
    Pending& pending = pending_[edge.node->sequence()];
    pending.node = edge.node.get();
    add_to(pending.cotangent, fitting);
  }

  void step(Node& node, const Tensor& gy) {
    require(!node.released(), node.op(),
            "backward ran over this graph before and freed it; pass retain_graph = true to the first backward");
    const Grads grads = node.vjp(gy);
    for (std::size_t i = 0; i < grads.size(); ++i) {
      if (grads[i].defined() && node.wants(i)) {
        accumulate(node.edges()[i], grads[i]);
      }
    }
    if (!retain_graph_) {
      node.release();
    }
  }

  void commit() {
    for (auto& [leaf, gradient] : leaves_) {
      // A leaf owns its gradient: one that is a view or shared (two leaves of a sum, the caller's cotangent) is copied.
      const bool own = gradient.is_unshared() && gradient.is_contiguous();
      add_to(leaf->grad, own ? gradient : clone(gradient));
    }
  }

  bool retain_graph_;
  std::map<std::uint64_t, Pending, std::greater<>> pending_;  // latest recorded first
  std::unordered_map<AutogradMeta*, Tensor> leaves_;
};

}  // namespace

bool grad_enabled() { return recording; }

NoGrad::NoGrad() : before_(recording) { recording = false; }

NoGrad::~NoGrad() { recording = before_; }

Saved::Saved(const Tensor& tensor) : tensor_(tensor.detach()), version_(tensor.storage()->version()) {}

Saved::Saved(const Tensor& tensor, bool needed) : Saved(needed ? Saved(tensor) : Saved()) {}

const Tensor& Saved::get(std::string_view op) const {
  require(tensor_.storage()->version() == version_, op, "a tensor ", tensor_,
          " that the gradient needs was changed in place after it was used; change a clone(), or change it after backward");
  return tensor_;
}

Node::Node(std::string_view op, std::span<const Tensor> inputs)
    : op_(op), sequence_(next_sequence.fetch_add(1, std::memory_order_relaxed)) {
  edges_.reserve(inputs.size());
  for (const Tensor& input : inputs) {
    edges_.push_back(edge_to(input));
  }
}

Node::~Node() {  // iterative: a long chain of nodes must not exhaust the stack
  std::vector<std::shared_ptr<Node>> owned;
  take_owned(edges_, owned);
  while (!owned.empty()) {
    const std::shared_ptr<Node> node = std::move(owned.back());
    owned.pop_back();
    take_owned(node->edges_, owned);
  }
}

namespace detail {

bool should_record(std::span<const Tensor> inputs) {
  if (!recording) {
    return false;
  }
  for (const Tensor& input : inputs) {
    if (input.defined() && input.requires_grad()) {
      return true;
    }
  }
  return false;
}

}  // namespace detail

Tensor record_without_gradient(std::string_view op, std::initializer_list<Tensor> inputs, Tensor y) {
  return record(op, inputs, std::move(y), [](const Node& node, const Tensor&) -> Grads {
    fail(node.op(), "has no gradient; call detach() on its input, or compute it under NoGrad");
  });
}

void Tensor::backward(const Tensor& gradient, bool retain_graph) const {
  require(requires_grad(), "backward", *this, " does not depend on a tensor that requires a gradient");
  require(gradient.defined() || numel() == 1, "backward", *this, " has more than one element; pass the gradient of the loss for it");
  const NoGrad no_grad;
  const Tensor start = gradient.defined() ? gradient.detach() : full(shape(), 1.0, dtype(), device());
  require(start.shape() == shape() && start.dtype() == dtype() && start.device() == device(), "backward", "the gradient ", start,
          " does not fit ", *this);
  Engine(retain_graph).run({node(), is_leaf() ? meta() : nullptr, shape()}, start);
}

}  // namespace lora
