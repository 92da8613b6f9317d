#include "apps/mnist_lora/experiment.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "apps/mnist_lora/adapters.hpp"
#include "apps/mnist_lora/device.hpp"
#include "apps/mnist_lora/model_test.hpp"
#include "apps/mnist_lora/train_run.hpp"
#include "core/autocast.hpp"
#include "core/base/file.hpp"
#include "core/base/rng.hpp"
#include "lora/lora.hpp"
#include "lora/peft_files.hpp"
#include "lora/quantize_weights.hpp"
#include "nn/weights_file.hpp"

namespace mnist_lora {

namespace {

TrainingData checked_data(const ExperimentSetup& setup) {
  const std::filesystem::path folder = data_folder(setup.common);
  TrainingData data(folder, setup.common.limit, setup.common.seed, setup.groups);
  for (const RunPlan& plan : setup.plans) {
    training_images(plan, data, setup.common);
    validation_images(plan, data);
  }
  require_test_files(folder);
  return data;
}

/// Folders have no word for some of the starts: runs with these are made from settings.
lora::AttachedAdapter attach_lora(lora::nn::Module& model, const RunPlan& plan) {
  std::vector<std::string> paths;
  for (const lora::NamedLayer& layer : lora::adaptable_layers(model)) {
    paths.push_back(layer.path);
  }
  lora::LoraConfig config;
  config.r = plan.rank;
  config.lora_alpha = plan.alpha;
  config.init_lora_weights = plan.init;
  config.target_modules = lora::TargetModules(paths);
  return lora::attach(model, config);
}

lora::AttachedAdapter attach_adapter(lora::nn::Module& model, const RunPlan& plan, std::int64_t steps) {
  if (plan.init != lora::LoraInit::kaiming) {
    return attach_lora(model, plan);
  }
  AdapterRequest request;
  request.adapter = plan.adapter;
  request.rank = plan.rank;
  request.alpha = plan.alpha;
  request.steps = steps;
  request.target = plan.target;
  request.own_norms = plan.own_norms;
  return lora::attach(model, make_method(request, model));
}

/// @param weights  empty: from scratch
LoadedModel begin_run(const ExperimentSetup& setup, const TrainingData& data, const RunPlan& plan, const std::filesystem::path& weights) {
  lora::default_generator() = lora::Generator(setup.common.seed, plan.random_stream());
  LoadedModel loaded = weights.empty() ? LoadedModel{make_model(setup.model), std::nullopt} : load_model({setup.model, weights, {}});
  loaded.model->to(device_of(setup.common));
  loaded.model->train();
  if (is_on_4_bits(plan.adapter)) {
    lora::quantize_weights(*loaded.model);
  }
  if (!plan.is_base()) {
    loaded.adapter = attach_adapter(*loaded.model, plan, planned_steps(plan, data, setup.common));
  }
  return loaded;
}

/// What a resumed experiment must have in common with the one that was started, once every run is known to be possible.
Settings checked_settings(const ExperimentSetup& setup, const TrainingData& data) {
  for (const RunPlan& plan : setup.plans) {
    begin_run(setup, data, plan, setup.weights);
  }
  Settings settings = training_settings(setup.command, setup.common, data_folder(setup.common));
  settings.insert(setup.settings.begin(), setup.settings.end());
  return settings;
}

/// A loss sums over all logits: one that differs would show in it, short of a coincidence.
void require_base(const Run& base, const TestRow& disabled) {
  const TestRow* row = find_test(base, disabled.digits, true);
  lora::require(row == nullptr || (row->loss == disabled.loss && row->errors_per_digit == disabled.errors_per_digit), "test",
                "a disabled adapter does not leave the base: loss ", disabled.loss, " on ", disabled.digits);
}

}  // namespace

std::filesystem::path data_folder(const CommonOptions& options) { return options.data.empty() ? bundled_mnist() : options.data; }

Experiment::Experiment(ExperimentSetup setup)
    : setup_(std::move(setup)),
      data_(checked_data(setup_)),
      workspace_(setup_.common.out, checked_settings(setup_, data_), setup_.common.resume),
      log_(workspace_.log(), setup_.common.resume ? lora::nn::CsvLog::Existing::keep : lora::nn::CsvLog::Existing::replace) {}

Tested Experiment::run() {
  const lora::Autocast products(dtype_of(setup_.common));
  Tested tested{train_all(), test_images(data_folder(setup_.common)), {}};
  const auto start = std::chrono::steady_clock::now();
  test_all(tested);
  tested.results.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return tested;
}

LoadedModel Experiment::model_to_train(const RunPlan& plan) const {
  return begin_run(setup_, data_, plan, trains_base() && !plan.is_base() ? workspace_.base_weights() : setup_.weights);
}

ModelFiles Experiment::files(const RunPlan& plan) const {
  const std::filesystem::path weights = is_on_4_bits(plan.adapter) ? workspace_.base_in_4_bits() : workspace_.base_weights();
  return {setup_.model, weights, plan.is_base() ? std::filesystem::path() : workspace_.adapter_folder(plan.name)};
}

Results Experiment::train_all() {
  Results results = describe_results(setup_.command, setup_.common);
  for (const RunPlan& plan : setup_.plans) {
    results.runs.push_back(run_or_recall(plan));
    results.peak_bytes = std::max(results.peak_bytes, results.runs.back().peak_bytes);
    results.seconds += results.runs.back().seconds;
  }
  return results;
}

Run Experiment::run_or_recall(const RunPlan& plan) {
  if (const Run* run = workspace_.finished(plan.name)) {
    return *run;
  }
  const Run run = train(plan);
  workspace_.finish(run);
  return run;
}

Run Experiment::train(const RunPlan& plan) {
  if (!trains_base()) {
    keep_weights();
  }
  const LoadedModel loaded = model_to_train(plan);
  if (is_on_4_bits(plan.adapter)) {
    lora::nn::save_weights(*loaded.model, workspace_.base_in_4_bits());
  }
  const Run run = train_run({*loaded.model, loaded.adapter ? &*loaded.adapter : nullptr}, plan, data_, setup_.common, workspace_, log_);
  if (plan.is_base()) {
    lora::nn::save_weights(*loaded.model, workspace_.base_weights());
  } else {
    lora::save_adapter(*loaded.adapter, workspace_.adapter_folder(plan.name));
  }
  return run;
}

/// The weights as they were given, so that the folder has all that the adapters need.
void Experiment::keep_weights() const {
  std::error_code missing;
  if (!std::filesystem::equivalent(setup_.weights, workspace_.base_weights(), missing)) {
    const lora::MappedFile file(setup_.weights);
    const std::span<const std::byte> bytes = file.bytes();
    lora::write_file_atomically(workspace_.base_weights(), std::span(&bytes, 1));
  }
}

void Experiment::test_all(Tested& tested) const {
  std::vector<Run>& runs = tested.results.runs;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const RunPlan& plan = setup_.plans[i];
    const LoadedModel written = load_model(files(plan), device_of(setup_.common));
    ModelTest found = test_model(*written.model, tested.images, tested_sets(setup_.tuned, plan.digits));
    for (const TestRow& row : found.rows) {
      if (!row.enabled && trains_base() && !is_on_4_bits(plan.adapter)) {
        require_base(runs.front(), row);
      }
    }
    runs[i].test = std::move(found.rows);
    tested.predicted[plan.name] = {std::move(found.on), std::move(found.off)};
  }
}

}  // namespace mnist_lora
