#include "nn/evaluate.hpp"

#include "core/autograd.hpp"
#include "core/ops/loss.hpp"
#include "core/ops/reduce.hpp"
#include "nn/training_mode.hpp"

namespace lora::nn {

namespace {

void check_batch(const Tensor& logits, const std::vector<Index>& target, Index classes) {
  require(logits.ndim() == 2 && logits.size(1) > 0, "evaluate", "the model gave ", logits, "; it must give logits [N,C]");
  for (const Index label : target) {
    require(label >= 0 && label < classes, "evaluate", "target ", label, " is outside the classes 0..", classes - 1,
            "; give evaluate() the number of classes");
  }
}

/// Adds a batch; accuracy and loss are sums until the end.
void add_batch(Evaluation& sum, const Tensor& logits, const Batch& batch) {
  const std::vector<Index> target = batch.y.to_vector<Index>();
  check_batch(logits, target, static_cast<Index>(sum.errors_per_class.size()));
  const auto n = static_cast<Index>(target.size());
  sum.loss += cross_entropy(logits, batch.y).item<double>() * static_cast<double>(n);
  const std::vector<Index> guess = argmax(logits).to_vector<Index>();
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (guess[i] == target[i]) {
      sum.accuracy += 1;
    } else {
      ++sum.errors_per_class[static_cast<std::size_t>(target[i])];
    }
  }
  sum.predicted.insert(sum.predicted.end(), guess.begin(), guess.end());
  sum.samples += n;
}

}  // namespace

Evaluation evaluate(Module& model, const BatchSource& source, Index classes) {
  require(classes > 0, "evaluate", "classes is ", classes, "; it must be 1 or more");
  const TrainingMode mode(model, false);
  const NoGrad off;
  Evaluation result;
  result.errors_per_class.resize(static_cast<std::size_t>(classes));
  const Device device = model.device();
  for (Index i = 0; i < source.batches(); ++i) {
    const Batch batch = to(source.batch(0, i), device);
    if (batch.y.numel() > 0) {
      add_batch(result, model(batch.x), batch);
    }
  }
  if (result.samples > 0) {
    result.accuracy *= 100.0 / static_cast<double>(result.samples);
    result.loss /= static_cast<double>(result.samples);
  }
  return result;
}

}  // namespace lora::nn
