#pragma once
// An experiment: a list of runs on one model, each trained (or recalled, when resumed) and then tested from the files that it left.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "apps/mnist_lora/experiment_data.hpp"
#include "apps/mnist_lora/model_files.hpp"
#include "apps/mnist_lora/options.hpp"
#include "apps/mnist_lora/results.hpp"
#include "apps/mnist_lora/run_plan.hpp"
#include "apps/mnist_lora/workspace.hpp"
#include "nn/csv_log.hpp"

namespace mnist_lora {

/// --data, or the MNIST that comes with the program.
std::filesystem::path data_folder(const CommonOptions& options);

struct ExperimentSetup {
  std::string command;  ///< as in results
  CommonOptions common;
  std::string model = model_names().front();
  std::filesystem::path weights;                 ///< that the first run begins with; empty: from scratch
  std::vector<RunPlan> plans;                    ///< the base first, if it is trained; adapters are trained on it, else on `weights`
  std::vector<lora::datasets::DigitSet> groups;  ///< see TrainingData
  lora::datasets::DigitSet tuned;                ///< tested: these digits, the others, all, and what a run was trained on
  Settings settings;                             ///< what results depend on besides the flags of CommonOptions
};

/// What a run takes each test image for.
struct Predicted {
  std::vector<lora::Index> on, off;  ///< with adapters and without; `off` is empty for a base
};

/// Results with test rows, and what else the tests found.
struct Tested {
  Results results;
  ImagePart images;
  std::map<std::string, Predicted> predicted;  ///< by the name of the run
};

class Experiment {
 public:
  /// Makes every check that needs no training: all images that will be asked for, the test files, the weights, and whether each adapter
  /// fits the model. Only then anything is written. @throws lora::Error
  explicit Experiment(ExperimentSetup setup);

  /// Trains what is not finished yet, in order, and tests all. Its seconds are those of all training, that before an interruption
  /// included, and of the tests.
  /// @throws lora::Error also if a disabled adapter does not leave the base, bit for bit; Interrupted after writing a checkpoint
  Tested run();

  /// The run's model as its training begins: weights, adapter, and initial values from a stream of random numbers of its own.
  LoadedModel model_to_train(const RunPlan& plan) const;
  /// What a finished run left. The base has no adapter; an adapter on 4 bits has the base in 4 bits.
  ModelFiles files(const RunPlan& plan) const;

  const ExperimentSetup& setup() const { return setup_; }
  const TrainingData& data() const { return data_; }
  const Workspace& workspace() const { return workspace_; }

 private:
  bool trains_base() const { return setup_.plans.front().is_base(); }
  Run run_or_recall(const RunPlan& plan);
  Run train(const RunPlan& plan);
  void keep_weights() const;
  Results train_all();
  void test_all(Tested& tested) const;

  ExperimentSetup setup_;
  TrainingData data_;
  Workspace workspace_;
  lora::nn::CsvLog log_;
};

}  // namespace mnist_lora
