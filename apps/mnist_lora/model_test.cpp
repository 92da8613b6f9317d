#include "apps/mnist_lora/model_test.hpp"

#include <algorithm>
#include <array>

#include "apps/mnist_lora/adapters_off.hpp"
#include "nn/evaluate.hpp"

namespace mnist_lora {

namespace {

using lora::Index;
using lora::datasets::DigitSet;
using lora::nn::Evaluation;

/// Sums over the images of one digit.
struct DigitScore {
  Index samples = 0;
  Index errors = 0;
  double loss = 0;
};

struct Pass {
  std::array<DigitScore, 10> scores;
  std::vector<Index> predicted;
};

/// Digits that no set has are not looked at.
Pass run_pass(lora::nn::Module& model, const ImagePart& images, const DigitSet& digits, std::int64_t batch_size) {
  Pass pass;
  pass.predicted.assign(images.indices.size(), -1);
  for (int digit = 0; digit <= 9; ++digit) {
    if (!digits.contains(digit)) {
      continue;
    }
    const std::vector<std::size_t> positions = images.positions_of(digit);
    const Evaluation found = lora::nn::evaluate(model, images.loader(positions, batch_size));
    const auto at = static_cast<std::size_t>(digit);
    pass.scores[at] = {found.samples, found.errors_per_class[at], found.loss * static_cast<double>(found.samples)};
    for (std::size_t i = 0; i < positions.size(); ++i) {
      pass.predicted[positions[i]] = found.predicted[i];
    }
  }
  return pass;
}

Index samples_of(const Pass& pass, const DigitSet& digits) {
  Index samples = 0;
  for (int digit = 0; digit <= 9; ++digit) {
    samples += digits.contains(digit) ? pass.scores[static_cast<std::size_t>(digit)].samples : 0;
  }
  return samples;
}

TestRow row_of(const Pass& pass, const DigitSet& digits, bool enabled) {
  TestRow row{digits.str(), enabled, 0, 0, {}};
  Index errors = 0;
  for (std::size_t digit = 0; digit < 10; ++digit) {
    if (digits.contains(static_cast<int>(digit))) {
      row.errors_per_digit[digit] = pass.scores[digit].errors;
      row.loss += pass.scores[digit].loss;
      errors += pass.scores[digit].errors;
    }
  }
  const auto samples = static_cast<double>(samples_of(pass, digits));
  row.loss /= samples;
  row.accuracy = 100.0 * (samples - static_cast<double>(errors)) / samples;
  return row;
}

DigitSet union_of(const std::vector<DigitSet>& sets) {
  DigitSet all;
  for (int digit = 0; digit <= 9; ++digit) {
    if (std::any_of(sets.begin(), sets.end(), [digit](const DigitSet& set) { return set.contains(digit); })) {
      all.add(digit);
    }
  }
  return all;
}

}  // namespace

std::vector<DigitSet> tested_sets(const DigitSet& tuned, const DigitSet& trained) {
  std::vector<DigitSet> sets;
  for (const DigitSet& set : {tuned, tuned.complement(), DigitSet::all(), trained}) {
    if (!set.empty() && std::find(sets.begin(), sets.end(), set) == sets.end()) {
      sets.push_back(set);
    }
  }
  return sets;
}

ModelTest test_model(lora::nn::Module& model, const ImagePart& images, const std::vector<DigitSet>& sets, std::int64_t batch_size) {
  const DigitSet digits = union_of(sets);
  const bool adapted = lora::count_parameters(model).added > 0;
  const Pass on = run_pass(model, images, digits, batch_size);
  lora::require(samples_of(on, digits) > 0, "test", "no images of the digits ", digits, " in ", images.images->name, "; raise --limit");
  Pass off;
  if (adapted) {
    const AdaptersOff guard(model);
    off = run_pass(model, images, digits, batch_size);
  }
  ModelTest test{{}, on.predicted, off.predicted};
  for (const DigitSet& set : sets) {
    if (samples_of(on, set) > 0) {
      test.rows.push_back(row_of(on, set, true));
      if (adapted) {
        test.rows.push_back(row_of(off, set, false));
      }
    }
  }
  return test;
}

}  // namespace mnist_lora
