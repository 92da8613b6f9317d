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

thread_local detail::Recording recording = detail::Recording::on;
thread_local std::vector<Saved>* seen = nullptr;  // in mode `watched`
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
  explicit Engine(bool retain_graph) : retain_graph_(retain_graph), first_replayed_(next_sequence.load()) {}

  void run(const Edge& root, const Tensor& gradient) {
    accumulate(root, gradient);
    while (!pending_.empty()) {
      const auto first = pending_.extract(pending_.begin());  // it holds the node, which may have no other owner after a replay
      step(*first.mapped().node, first.mapped().cotangent);
    }
    commit();
  }

 private:
  struct Pending {
    std::shared_ptr<Node> node;
    Tensor cotangent;
  };

  static void add_to(Tensor& sum, const Tensor& gradient) { sum = sum.defined() ? add(sum, gradient) : gradient; }

  void accumulate(const Edge& edge, const Tensor& gradient) {
    const Tensor fitting = sum_to(gradient, edge.shape);  // undoes broadcasting
    if (edge.leaf != nullptr) {
      add_to(leaves_[edge.leaf], fitting);
      return;
    }
    Pending& pending = pending_[edge.node->sequence()];
    pending.node = edge.node;
    add_to(pending.cotangent, fitting);
  }

  void step(Node& node, const Tensor& gy) {
    require(!node.released(), node.op(),
            "backward ran over this graph before and freed it; pass retain_graph = true to the first backward");
    if (const Tensor again = node.replay(); again.defined()) {
      // Recorded just now, so its nodes come first, in the place and order that they would have had: sums have the same bits.
      if (const Edge edge = edge_to(again); edge.wanted()) {
        accumulate(edge, gy);
      }
    } else {
      go_on(node, node.vjp(gy));
    }
    if (!retain_graph_ || node.sequence() >= first_replayed_) {
      node.release();
    }
  }

  void go_on(const Node& node, const Grads& grads) {
    for (std::size_t i = 0; i < grads.size(); ++i) {
      if (grads[i].defined() && node.wants(i)) {
        accumulate(node.edges()[i], grads[i]);
      }
    }
  }

  void commit() {
    for (auto& [leaf, gradient] : leaves_) {
      // A leaf owns its gradient: one that is a view or shared (two leaves of a sum, the caller's cotangent) is copied.
      const bool own = gradient.is_unshared() && gradient.is_contiguous();
      gradient = leaf->grad.defined() ? add(leaf->grad, gradient) : own ? gradient : clone(gradient);
    }
    for (auto& [leaf, gradient] : leaves_) {  // nothing can fail from here on
      leaf->grad = gradient;
    }
  }

  bool retain_graph_;
  std::uint64_t first_replayed_;                              // nodes from here on belong to this run alone
  std::map<std::uint64_t, Pending, std::greater<>> pending_;  // latest recorded first
  std::unordered_map<std::shared_ptr<AutogradMeta>, Tensor> leaves_;
};

}  // namespace

bool grad_enabled() { return recording != detail::Recording::off; }

namespace detail {

RecordingMode::RecordingMode(Recording mode, std::vector<Saved>* list) : before_(recording), seen_before_(seen) {
  recording = mode;
  seen = list;
}

RecordingMode::~RecordingMode() {
  recording = before_;
  seen = seen_before_;
}

Recording recording_mode() { return recording; }

}  // namespace detail

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
  if (recording == Recording::off) {
    return false;
  }
  bool wanted = false;
  for (const Tensor& input : inputs) {
    if (input.defined() && input.requires_grad()) {
      wanted = true;
      if (recording == Recording::watched) {
        seen->emplace_back(input);
      }
    }
  }
  return wanted && recording == Recording::on;
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
