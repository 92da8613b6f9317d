#pragma once
// Everything that an interrupted training needs to go on with the same bits.

#include <limits>
#include <map>
#include <string>

#include "core/base/rng.hpp"
#include "core/serialize.hpp"
#include "nn/history.hpp"
#include "nn/optim/scheduler.hpp"
#include "nn/snapshot.hpp"

namespace lora::nn {

/// How far a training has come.
struct TrainProgress {
  Index epoch = 0;            ///< epochs finished
  Index step = 0;             ///< steps finished in the epoch under way
  Index samples = 0;          ///< samples of these
  double loss_sum = 0;        ///< over these samples
  double lr = 0;              ///< learning rate of the last step
  double seconds = 0;         ///< spent on the epoch under way
  Index best_epoch = 0;       ///< from 1; 0 before the first validation
  double best_accuracy = -1;  ///< percent
  double best_loss = std::numeric_limits<double>::infinity();
  bool finished = false;  ///< nothing is left to do, and the best weights are in place if that was asked for
  History history;
};

/// The tensors are copies: training on does not change them.
struct TrainState {
  TrainProgress progress;
  Snapshot now;   ///< the model
  Snapshot best;  ///< the model after the best epoch, or before the first
  NamedTensors optimizer;
  NamedTensors terms, best_terms;            ///< of the training terms, now and with the best weights: `0.NAME` is of the first
  optim::SchedulerState scheduler;           ///< empty without a scheduler
  PhiloxState generator;                     ///< of default_generator()
  std::map<std::string, std::string> notes;  ///< the caller's own, as of the command and its options
};

}  // namespace lora::nn
