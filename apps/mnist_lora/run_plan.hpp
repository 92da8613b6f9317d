#pragma once
// One training of an experiment: what is trained on what, and how.

#include <cstdint>
#include <string>

#include "datasets/digits.hpp"
#include "lora/lora.hpp"

namespace mnist_lora {

struct RunPlan {
  std::string name;              ///< of the run and of its adapter folder
  std::string adapter = "none";  ///< as in Run
  int rank = 0;
  double alpha = 0;
  lora::datasets::DigitSet digits;
  double peak_lr = 0;       ///< the highest of the one-cycle schedule
  double weight_decay = 0;  ///< decoupled (AdamW)
  lora::LoraInit init = lora::LoraInit::kaiming;
  std::string target = "all";  ///< see AdapterRequest

  bool is_base() const { return adapter == "none"; }
  /// The stream of random numbers that initialises this run: its own, so that runs do not depend on which others there are.
  std::uint64_t random_stream() const;
};

}  // namespace mnist_lora
