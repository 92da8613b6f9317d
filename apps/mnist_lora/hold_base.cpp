#include "apps/mnist_lora/hold_base.hpp"

#include <vector>

#include "apps/mnist_lora/adapters_off.hpp"
#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/index.hpp"
#include "core/ops/loss.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/reduce.hpp"
#include "core/ops/softmax.hpp"
#include "nn/training_mode.hpp"

namespace mnist_lora {

namespace {

using lora::Index;
using lora::Tensor;

/// Rows of the batch that are of other digits.
Tensor rows_of_others(const Tensor& labels, const lora::datasets::DigitSet& tuned) {
  std::vector<Index> rows;
  const std::vector<Index> digits = labels.to_vector<Index>();
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (!tuned.contains(static_cast<int>(digits[i]))) {
      rows.push_back(static_cast<Index>(i));
    }
  }
  return lora::from_values(rows, {static_cast<Index>(rows.size())});
}

Tensor base_log_probabilities(lora::nn::Module& model, const Tensor& x) {
  const lora::NoGrad no_grad;
  const AdaptersOff off(model);
  const lora::nn::TrainingMode evaluation(model, false);
  return log_softmax(model(x), 1);
}

/// The sum over rows of KL(p || q), from logarithms.
Tensor divergence(const Tensor& log_p, const Tensor& log_q) { return sum(exp(log_p) * (log_p - log_q)); }

}  // namespace

lora::nn::LossFunction hold_base(lora::nn::Module& model, const lora::datasets::DigitSet& tuned, double weight) {
  return [&model, tuned, weight](const lora::nn::Module& trained, const lora::nn::Batch& batch) {
    const Tensor rows = to(rows_of_others(batch.y, tuned), batch.x.device());
    if (rows.numel() == 0) {
      return cross_entropy(trained(batch.x), batch.y);
    }
    // First, as it puts the base's own values in the place of the adapter's, which the graph will need.
    const Tensor before = base_log_probabilities(model, index_select(batch.x, 0, rows));
    const Tensor logits = trained(batch.x);
    const Tensor now = log_softmax(index_select(logits, 0, rows), 1);
    return cross_entropy(logits, batch.y) + divergence(before, now) * (weight / static_cast<double>(batch.y.size(0)));
  };
}

}  // namespace mnist_lora
