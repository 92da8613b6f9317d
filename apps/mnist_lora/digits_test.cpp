#include "apps/mnist_lora/digits_test.hpp"

#include <algorithm>
#include <map>
#include <memory>

#include "apps/mnist_lora/digits_report.hpp"
#include "apps/mnist_lora/experiment_data.hpp"
#include "lora/attach.hpp"
#include "lora/peft_files.hpp"
#include "models/mlp.hpp"
#include "nn/evaluate.hpp"
#include "nn/weights_file.hpp"

namespace mnist_lora {

namespace {

using lora::Index;
using lora::datasets::DigitSet;
using lora::datasets::ImageSet;

constexpr int kGridRowsPerDigit = 4;

using Images = std::shared_ptr<const ImageSet>;

TestRow test(lora::nn::Module& model, const Images& images, const DigitSet& digits, bool enabled) {
  const lora::nn::Evaluation found = lora::nn::evaluate(model, test_loader(images, digits));
  TestRow row{digits.str(), enabled, found.accuracy, found.loss, {}};
  std::copy(found.errors_per_class.begin(), found.errors_per_class.end(), row.errors_per_digit.begin());
  return row;
}

/// Each once, and those without digits left out.
std::vector<DigitSet> tested_sets(const DigitSet& tuned, const DigitSet& trained) {
  std::vector<DigitSet> sets;
  for (const DigitSet& set : {tuned, tuned.complement(), DigitSet::all(), trained}) {
    if (!set.empty() && std::find(sets.begin(), sets.end(), set) == sets.end()) {
      sets.push_back(set);
    }
  }
  return sets;
}

std::vector<Index> predictions(lora::nn::Module& model, const Images& images) {
  return lora::nn::evaluate(model, test_loader(images, DigitSet::all())).predicted;
}

/// A loss sums over all logits: one that differs would show in it, short of a coincidence.
void require_base(const Run& base, const TestRow& disabled) {
  const TestRow* row = find_test(base, disabled.digits, true);
  lora::require(row == nullptr || (row->loss == disabled.loss && row->errors_per_digit == disabled.errors_per_digit), "digits",
                "a disabled adapter does not leave the base: loss ", disabled.loss, " on ", disabled.digits);
}

class Tester {
 public:
  Tester(const std::filesystem::path& data, const Workspace& workspace)
      : images_(std::make_shared<const ImageSet>(lora::datasets::load_images(data, lora::datasets::Split::test))), workspace_(workspace) {}

  void add_rows(Run& run, const DigitSet& tuned, const Run& base) {
    lora::models::Mlp model;
    lora::nn::load_weights(model, workspace_.base_weights());
    const bool adapted = run.adapter != "none";
    if (adapted) {
      lora::load_adapter(model, workspace_.adapter_folder(run.name));
    }
    for (const DigitSet& digits : tested_sets(tuned, DigitSet::parse(run.train_digits))) {
      run.test.push_back(test(model, images_, digits, true));
      if (adapted) {
        lora::set_adapters_enabled(model, false);
        run.test.push_back(test(model, images_, digits, false));
        lora::set_adapters_enabled(model, true);
        require_base(base, run.test.back());
      }
    }
    predicted_[run.name] = predictions(model, images_);
  }

  /// The first images of each digit, with both predictions.
  std::vector<GridDigit> grid(const std::string& shown) const {
    std::vector<GridDigit> digits;
    for (int label = 0; label <= 9; ++label) {
      for (const Index i : lora::datasets::limit(lora::datasets::indices_of(*images_, DigitSet{label}), kGridRowsPerDigit)) {
        digits.push_back(cell(i, shown));
      }
    }
    return digits;
  }

 private:
  GridDigit cell(Index i, const std::string& shown) const {
    const auto at = static_cast<std::size_t>(i);
    GridDigit digit;
    const auto first = images_->images.values.begin() + static_cast<std::ptrdiff_t>(digit.pixels.size() * at);
    std::copy(first, first + static_cast<std::ptrdiff_t>(digit.pixels.size()), digit.pixels.begin());
    digit.label = images_->labels[at];
    digit.base = static_cast<int>(predicted_.at("base")[at]);
    digit.adapted = static_cast<int>(predicted_.at(shown)[at]);
    return digit;
  }

  Images images_;
  const Workspace& workspace_;
  std::map<std::string, std::vector<Index>> predicted_;
};

}  // namespace

std::vector<GridDigit> test_digits(Results& results, const DigitsOptions& options, const std::filesystem::path& data,
                                   const Workspace& workspace) {
  Tester tester(data, workspace);
  for (Run& run : results.runs) {
    tester.add_rows(run, options.tune, results.runs.front());
  }
  const Run* shown = best_run(results, options.tune.str());
  return shown == nullptr ? std::vector<GridDigit>{} : tester.grid(shown->name);
}

}  // namespace mnist_lora
