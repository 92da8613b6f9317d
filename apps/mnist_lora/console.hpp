#pragma once
// What a run says on the terminal when it is done.

#include <cstdio>
#include <ostream>
#include <string>

#include "apps/mnist_lora/results.hpp"

namespace mnist_lora {

/// Whether to colour what goes to this stream: it is a terminal, TERM is not `dumb` and NO_COLOR is unset or empty.
bool use_colour(std::FILE* stream);

/// One line a run: rank, trainable parameters, validation and test accuracies (adapters enabled), time.
/// Columns are aligned; with `colour` the best adapter of each accuracy is green and the heading is bold.
void print_summary(std::ostream& out, const Results& results, const std::string& tuned, bool colour);

}  // namespace mnist_lora
