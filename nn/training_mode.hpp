#pragma once
// Training or evaluation mode for a while.

#include <utility>
#include <vector>

#include "nn/module.hpp"

namespace lora::nn {

/// Sets the mode of a model and, at the end of its life, gives every module below it the mode it had before.
class TrainingMode {
 public:
  TrainingMode(Module& model, bool on) {
    for (const auto& entry : model.named_modules()) {
      before_.emplace_back(entry.second, entry.second->training());
    }
    model.train(on);
  }
  ~TrainingMode() {
    for (const auto& [module, on] : before_) {  // parents come first, so that each module has its own last word
      module->train(on);
    }
  }
  TrainingMode(const TrainingMode&) = delete;
  TrainingMode& operator=(const TrainingMode&) = delete;

 private:
  std::vector<std::pair<Module*, bool>> before_;
};

}  // namespace lora::nn
