#pragma once
// The loss of an adapter that is tuned on some digits and must leave the others as they are.

#include "datasets/digits.hpp"
#include "nn/trainer.hpp"

namespace mnist_lora {

/// Over the N images of a batch, with p the base's probabilities (adapters off, evaluation mode) and q those with the adapter:
///   1/N sum of -log q[label] + 1/N sum over images of other digits than `tuned` of weight KL(p || q)
/// @param model  that is trained; must live as long as the result
/// @source distillation: Hinton et al. 2015, arXiv:1503.02531; of the old model to keep what it knows: Li & Hoiem 2016, arXiv:1606.09282
lora::nn::LossFunction hold_base(lora::nn::Module& model, const lora::datasets::DigitSet& tuned, double weight);

}  // namespace mnist_lora
