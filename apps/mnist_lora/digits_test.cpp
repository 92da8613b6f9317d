#include "apps/mnist_lora/digits_test.hpp"

#include <map>
#include <utility>

#include "apps/mnist_lora/digits_report.hpp"
#include "apps/mnist_lora/experiment_data.hpp"
#include "apps/mnist_lora/model_test.hpp"
#include "lora/peft_files.hpp"
#include "models/mlp.hpp"
#include "nn/weights_file.hpp"

namespace mnist_lora {

namespace {

using lora::Index;
using lora::datasets::DigitSet;

/// A loss sums over all logits: one that differs would show in it, short of a coincidence.
void require_base(const Run& base, const TestRow& disabled) {
  const TestRow* row = find_test(base, disabled.digits, true);
  lora::require(row == nullptr || (row->loss == disabled.loss && row->errors_per_digit == disabled.errors_per_digit), "digits",
                "a disabled adapter does not leave the base: loss ", disabled.loss, " on ", disabled.digits);
}

class Tester {
 public:
  Tester(const std::filesystem::path& data, const Workspace& workspace) : images_(test_images(data)), workspace_(workspace) {}

  void add_rows(Run& run, const DigitSet& tuned, const Run& base) {
    lora::models::Mlp model;
    lora::nn::load_weights(model, workspace_.base_weights());
    if (run.adapter != "none") {
      lora::load_adapter(model, workspace_.adapter_folder(run.name));
    }
    ModelTest test = test_model(model, images_, tested_sets(tuned, DigitSet::parse(run.train_digits)));
    for (const TestRow& row : test.rows) {
      if (!row.enabled) {
        require_base(base, row);
      }
    }
    run.test = std::move(test.rows);
    predicted_[run.name] = std::move(test.on);
  }

  std::vector<GridDigit> grid(const std::string& shown) const { return first_digits(images_, predicted_.at("base"), predicted_.at(shown)); }

 private:
  ImagePart images_;
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
