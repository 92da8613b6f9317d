#pragma once
// One training of an experiment: what is trained on what, and how.

#include <cstdint>
#include <optional>
#include <string>

#include "datasets/digits.hpp"
#include "datasets/random_affine.hpp"
#include "lora/lora.hpp"

namespace mnist_lora {

/// How the learning rate goes on from the start.
enum class LrPlan {
  one_cycle,  ///< up to the peak and down to almost nothing over all epochs
  constant,   ///< for runs that their validation ends
  falling,    ///< the same, but half after each epoch: running statistics lag behind weights that move fast
};

struct RunPlan {
  std::string name;              ///< of the run and of its adapter folder
  std::string adapter = "none";  ///< as in Run
  int rank = 0;
  double alpha = 0;
  lora::datasets::DigitSet digits;
  double peak_lr = 0;       ///< the highest of the schedule
  double weight_decay = 0;  ///< decoupled (AdamW)
  lora::LoraInit init = lora::LoraInit::kaiming;
  std::string target = "all";  ///< see AdapterRequest
  LrPlan lr_plan = LrPlan::one_cycle;
  std::optional<int> epochs = {}, patience = {};  ///< where they are not those of the command line
  /// Of the other digits' images this share is trained on as well, with the base's outputs held on them; all digits then validate.
  double keep_others = 0;
  int replays = 1;                           ///< times that an epoch has each of those images
  bool keep_last = false;                    ///< end with the weights of the last epoch, not with those that did best on validation images
  lora::datasets::RandomAffine affine = {};  ///< what is done to training images
  bool own_norms = false;                    ///< the adapter has its own batch normalisations, which are trained too

  bool is_base() const { return adapter == "none"; }
  /// The stream of random numbers that initialises this run: its own, so that runs do not depend on which others there are.
  std::uint64_t random_stream() const;
};

}  // namespace mnist_lora
