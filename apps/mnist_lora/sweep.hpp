#pragma once
// A sweep over ranks and learning rates, as table and heat map.

#include <string>
#include <vector>

#include "apps/mnist_lora/plots.hpp"
#include "apps/mnist_lora/report.hpp"

namespace mnist_lora {

/// What a run of the sweep came to.
struct SweepPoint {
  int rank = 0;
  double lr = 0;
  double reduction = 0;  ///< per cent of the base's errors on the tuned digits that are gone; may be NaN
  double accuracy = 0;   ///< on all digits, per cent
};

/// One line a rank, one column a learning rate: fewer errors on the `tuned` digits, and the accuracy on all.
ReportTable sweep_table(const std::vector<SweepPoint>& points, const std::string& tuned);

/// Fewer errors on the `tuned` digits, by rank and learning rate.
Figure sweep_map(const std::vector<SweepPoint>& points, const std::string& tuned);

}  // namespace mnist_lora
