#pragma once
// Flags that the commands share.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "datasets/digits.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace mnist_lora {

/// Set the command's own defaults before add_common_options: the help shows them.
struct CommonOptions {
  std::string device = "cpu";  ///< cpu, cuda or auto
  std::string dtype = "f32";   ///< f32 or bf16: what products are computed in
  int threads = 0;             ///< 0: the library's default
  std::uint64_t seed = 0;
  std::filesystem::path data;  ///< empty: the MNIST that comes with the program
  std::filesystem::path out;   ///< empty in files-only commands
  std::int64_t batch_size = 64;
  double lr = 1e-3;  ///< 0: each run's own
  int epochs = 10;
  int patience = 0;        ///< epochs without a better validation accuracy before a run stops; 0: never
  std::int64_t limit = 0;  ///< training images at most; 0: all
  bool resume = false;
  bool json = false;
  bool quiet = false;
};

/// --device --dtype --threads --seed --data --out --json --quiet
void add_run_options(CLI::App& command, CommonOptions& options);
/// --batch-size --lr --epochs --patience --limit --resume
void add_training_options(CLI::App& command, CommonOptions& options);
/// --batch-size --limit, for commands that train nothing.
void add_evaluation_options(CLI::App& command, CommonOptions& options);
/// --device .. and --batch-size ..: all that a training takes.
void add_common_options(CLI::App& command, CommonOptions& options);

/// `--ranks 1,2,4`: positive integers up to `most`, each once. The value of `ranks` is the default.
CLI::Option* add_ranks_option(CLI::App& command, const std::string& flag, std::vector<int>& ranks, const std::string& text,
                              int most = 4096);
/// `--lrs 1e-3,3e-3`: numbers from `low` to `high`, each once. The value of `numbers` is the default.
struct NumberRange {
  double low, high;
};
CLI::Option* add_numbers_option(CLI::App& command, const std::string& flag, std::vector<double>& numbers, NumberRange range,
                                const std::string& text);
/// `--tune 5-9`. The value of `digits` is the default.
CLI::Option* add_digits_option(CLI::App& command, const std::string& flag, lora::datasets::DigitSet& digits, const std::string& text);
/// `--rank 8`: a positive integer up to `most`.
CLI::Option* add_rank_option(CLI::App& command, const std::string& flag, int& rank, const std::string& text, int most = 4096);
/// `--tune-epochs 15`: 0 or more.
CLI::Option* add_epochs_option(CLI::App& command, const std::string& flag, int& epochs, const std::string& text);
/// A finite number above 0.
CLI::Option* add_positive_option(CLI::App& command, const std::string& flag, double& value, const std::string& text);
/// `--adapters lora,dora`: names out of `known`, each once. The value of `names` is the default.
CLI::Option* add_names_option(CLI::App& command, const std::string& flag, std::vector<std::string>& names,
                              const std::vector<std::string>& known, const std::string& text);

}  // namespace mnist_lora
