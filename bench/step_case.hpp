#pragma once
// The cases of bench_step: training steps and evaluation passes of the experiments' models on synthetic images, doing exactly what
// bench/peers/torch_step.py does.

#include <functional>
#include <string>
#include <vector>

#include "core/tensor.hpp"

namespace lora::bench {

struct StepCase {
  std::string model;  ///< `mlp`, ..
  std::string kind;   ///< `base` (all weights train), `lora`, `dora`, `eval` (forward pass alone)
  int batch = 0;
  int rank = 0;  ///< of adapters; alpha is the same

  /// As the peer has it: `mlp/lora/b64/r8`, without the rank where there is no adapter.
  std::string name() const;
};

/// The cases of models and adapters that the library has; 0 leaves the batch or the rank as in the peer's list.
std::vector<StepCase> step_cases(int batch, int rank);

struct Step {
  std::function<void()> run;
  Index trainable = 0, total = 0;  ///< parameters, as the peer counts them: adapters included
};

/// Model, batch and optimizer (AdamW, lr 1e-3) of a case, ready to run a step.
Step make_step(const StepCase& c);

}  // namespace lora::bench
