#pragma once
// What a method adds to training beside the loss of a batch: a term of the loss, and work after each step.

#include <vector>

#include "core/serialize.hpp"
#include "core/tensor.hpp"

namespace lora::nn {

/// A part of a training that Trainer knows only by what it does, such as a regulariser or a schedule that prunes parameters.
class TrainingTerm {
 public:
  TrainingTerm() = default;
  virtual ~TrainingTerm() = default;
  TrainingTerm(const TrainingTerm&) = delete;
  TrainingTerm& operator=(const TrainingTerm&) = delete;

  /// A scalar to add to the loss of the step under way, with its graph; undefined adds nothing.
  virtual Tensor loss() const { return {}; }
  /// Called after the optimizer's step, while the gradients are still there.
  virtual void after_step() {}
  /// False while the training has not yet come to a model as it is meant to be, as while parameters are still to be pruned. What is
  /// settled stays so.
  virtual bool settled() const { return true; }
  /// For the owner to call once, when the training is over: what only training needed, such as pruned parameters, goes. Optimizers and
  /// checkpoints from before then no longer fit the model.
  virtual void finish() {}

  /// What after_step() has gathered, under stable names. The tensors are handles: copy them to keep them.
  virtual NamedTensors state() const { return {}; }
  /// Takes copies of what state() gave; parameters of the model are not touched.
  /// @throws Error naming what is missing, unexpected or of another shape or type; then nothing was changed
  virtual void load_state(const NamedTensors& state) {
    require(state.empty(), "training term", "the state has ", state.size(),
            " tensors, but this term keeps none; it is of another training");
  }
};

/// Copies of the states of several terms, under `0.NAME` for the first.
NamedTensors state_of(const std::vector<TrainingTerm*>& terms);
/// The inverse. @throws Error if the state is not of these terms; then some may have theirs
void load_state(const std::vector<TrainingTerm*>& terms, const NamedTensors& state);

}  // namespace lora::nn
