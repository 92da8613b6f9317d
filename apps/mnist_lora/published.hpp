#pragma once
// Numbers that others have reported for the same experiment.

#include <map>
#include <string>

namespace mnist_lora {

/// A run's name and per cent on the digits that it was tuned on.
using Published = std::map<std::string, double>;

}  // namespace mnist_lora
