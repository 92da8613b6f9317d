#pragma once
// A table of a model's layers: parameters before and after an adapter was attached.

#include "apps/mnist_lora/report.hpp"
#include "nn/module.hpp"

namespace mnist_lora {

/// One line for each layer with parameters of its own, and a last one with the sums.
ReportTable layers_table(const lora::nn::Module& model);

}  // namespace mnist_lora
