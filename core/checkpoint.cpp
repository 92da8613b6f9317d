#include "core/checkpoint.hpp"

#include "core/autocast.hpp"
#include "core/autograd.hpp"
#include "core/base/rng.hpp"

namespace lora {

namespace {

thread_local bool replaying = false;

/// The default generator at an earlier place, and recomputing(), for a while.
class Replaying {
 public:
  explicit Replaying(const PhiloxState& random) : random_before_(default_generator().state()), before_(replaying) {
    default_generator().set_state(random);
    replaying = true;
  }
  ~Replaying() {
    replaying = before_;
    default_generator().set_state(random_before_);
  }
  Replaying(const Replaying&) = delete;
  Replaying& operator=(const Replaying&) = delete;

 private:
  PhiloxState random_before_;
  bool before_;
};

/// All that a second call needs. The graph of the inputs is in the edges of the node: handles here would destroy it recursively.
struct Recipe {
  detail::CheckpointedFunction f;
  std::vector<Saved> inputs;  // empty ones for undefined inputs
  std::vector<Saved> seen;    // what requires a gradient and f read
  PhiloxState random;
  DType products = autocast_dtype();  // as of the first call
  Shape shape;                        // of the result
  DType dtype = DType::f32;
};

class CheckpointNode final : public Node {
 public:
  CheckpointNode(std::span<const Tensor> inputs, Recipe recipe)
      : Node("checkpoint", inputs), recipe_(std::make_unique<Recipe>(std::move(recipe))) {
    for (const Tensor& input : inputs) {
      recipe_->inputs.push_back(input.defined() ? Saved(input) : Saved());
      defined_.push_back(input.defined());
    }
  }
  Grads vjp(const Tensor&) const override { return {}; }
  void release() override { recipe_.reset(); }
  bool released() const override { return recipe_ == nullptr; }

  Tensor replay() const override {
    for (const Saved& tensor : recipe_->seen) {
      tensor.get(op());
    }
    std::vector<Tensor> inputs;
    for (std::size_t i = 0; i < defined_.size(); ++i) {
      inputs.push_back(defined_[i] ? input(i) : Tensor{});
    }
    const Replaying again(recipe_->random);
    const Autocast as_before(recipe_->products);
    const detail::RecordingMode on(detail::Recording::on);
    const Tensor y = recipe_->f(inputs);
    require(y.defined() && y.shape() == recipe_->shape && y.dtype() == recipe_->dtype, op(), "the function gave ", recipe_->dtype,
            recipe_->shape, " at first and ", y, " in backward; it must do the same each time");
    return y;
  }

 private:
  /// Input `i` at its place in the graph.
  Tensor input(std::size_t i) const {
    Tensor x = recipe_->inputs[i].get(op()).detach();
    const Edge& edge = edges()[i];
    if (edge.node != nullptr) {
      x.set_node(edge.node);
    } else if (edge.leaf != nullptr) {
      x.set_meta(edge.leaf);
    }
    return x;
  }

  std::unique_ptr<Recipe> recipe_;
  std::vector<bool> defined_;
};

}  // namespace

bool recomputing() { return replaying; }

namespace detail {

Tensor checkpoint(CheckpointedFunction f, const std::vector<Tensor>& inputs) {
  if (recording_mode() != Recording::on) {
    return f(inputs);  // nothing is kept, or by a checkpoint around this one
  }
  Recipe recipe;
  recipe.random = default_generator().state();
  Tensor y;
  {
    const RecordingMode watched(Recording::watched, &recipe.seen);
    y = f(inputs);
  }
  require(y.defined(), "checkpoint", "the function gave an undefined tensor; it must give a result");
  if (recipe.seen.empty() && !y.requires_grad()) {
    return y;
  }
  recipe.f = std::move(f);
  recipe.shape = y.shape();
  recipe.dtype = y.dtype();
  y = y.detach();  // it may be an input
  y.set_node(std::make_shared<CheckpointNode>(inputs, std::move(recipe)));
  return y;
}

}  // namespace detail

}  // namespace lora
