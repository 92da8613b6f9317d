#pragma once
// What training tells about itself: a record for each step and each epoch.

#include <vector>

#include "core/base/shape.hpp"

namespace lora::nn {

/// One finished epoch. Epochs count from 1.
struct EpochRecord {
  Index epoch = 0;
  double loss = 0;          ///< mean over the samples trained on, in nats
  double lr = 0;            ///< learning rate of the epoch's last step
  double val_accuracy = 0;  ///< percent
  double val_loss = 0;      ///< mean over the validation samples, in nats
  double seconds = 0;       ///< training and validation
};

using History = std::vector<EpochRecord>;

/// One finished step.
struct StepRecord {
  Index epoch = 0;         ///< from 1
  Index epochs = 0;        ///< asked for
  Index step = 0;          ///< in this epoch, from 1
  Index steps = 0;         ///< in an epoch
  Index samples = 0;       ///< in this batch
  Index samples_done = 0;  ///< in this epoch
  double loss = 0;         ///< of this batch
  double mean_loss = 0;    ///< over the samples of this epoch so far
  double lr = 0;           ///< of this step
};

}  // namespace lora::nn
