#pragma once
// What figures over epochs share.

#include <string>
#include <vector>

#include "apps/mnist_lora/axis.hpp"
#include "apps/mnist_lora/results.hpp"

namespace mnist_lora {

/// The runs that have epochs.
std::vector<const Run*> drawn_runs(const Results& results);

/// Of one value of all epochs of these runs.
Range epoch_range(const std::vector<const Run*>& runs, double EpochRow::*value);

/// `set xrange` and tics for the epochs of these runs, `most` tics or fewer.
std::string epoch_axis(const std::vector<const Run*>& runs, int most);

}  // namespace mnist_lora
