#pragma once
// The output folder of an experiment, and what it remembers for --resume.

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "apps/mnist_lora/options.hpp"
#include "apps/mnist_lora/results.hpp"
#include "nn/train_state.hpp"

namespace mnist_lora {

/// What results depend on: option name to value. A resumed experiment must have the same.
using Settings = std::map<std::string, std::string>;

/// What every training depends on: the command, the data and the flags of CommonOptions.
Settings training_settings(const std::string& command, const CommonOptions& options, const std::filesystem::path& data);

/// Files of an experiment that is under way. Finished runs are in OUT/progress.json, an interrupted one in OUT/checkpoint.safetensors;
/// both are gone when the experiment is done.
class Workspace {
 public:
  /// Starts anew (removing what an earlier experiment left to resume from) or, with `resume`, reads what is there.
  /// @throws lora::Error if there is nothing to resume, or it was started with other settings: names the first that differs
  Workspace(std::filesystem::path out, const Settings& settings, bool resume);

  std::filesystem::path base_weights() const { return out_ / "base.safetensors"; }
  /// The same in bitsandbytes' layout, where an adapter is trained on that.
  std::filesystem::path base_in_4_bits() const { return out_ / "base_4bit.safetensors"; }
  std::filesystem::path adapter_folder(const std::string& run) const { return out_ / "adapters" / run; }
  std::filesystem::path log() const { return out_ / "log.csv"; }
  std::filesystem::path results() const { return out_ / "results.json"; }
  std::filesystem::path report() const { return out_ / "report.html"; }
  const std::filesystem::path& folder() const { return out_; }

  /// The finished run of this name, or null.
  const Run* finished(const std::string& name) const;
  /// Remembers a finished run; its checkpoint is no longer needed. With the first one, results of an earlier experiment go: they are of
  /// other weights than those that are there now.
  void finish(const Run& run);

  void save_checkpoint(const std::string& run, lora::nn::TrainState state) const;
  /// The state of this run if it was interrupted.
  std::optional<lora::nn::TrainState> checkpoint(const std::string& run) const;

 private:
  void read_progress();
  void write_progress() const;

  std::filesystem::path out_;
  Settings settings_;
  Results done_;
};

/// Whether there is something for --resume in an experiment's folder.
bool has_progress(const std::filesystem::path& out);

/// Removes from an experiment's folder what only an unfinished one needs.
void forget_progress(const std::filesystem::path& out);

}  // namespace mnist_lora
