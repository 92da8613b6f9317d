#include "apps/mnist_lora/options.hpp"

#include <charconv>
#include <cmath>
#include <limits>

#include <CLI/CLI.hpp>

#include "apps/mnist_lora/lists.hpp"
#include "core/base/error.hpp"

namespace mnist_lora {

namespace {

constexpr const char* kRunGroup = "Run";
constexpr const char* kTrainingGroup = "Training";
constexpr const char* kExperimentGroup = "Experiment";

std::string positive_number(const std::string& text) {
  double value = 0;
  const bool number = CLI::detail::lexical_cast(text, value);
  return number && std::isfinite(value) && value > 0 ? "" : "must be a finite number above 0, got " + text;
}

CLI::Validator positive() { return CLI::Validator(positive_number, "", "positive"); }

/// Range with a message that says what was given and wanted.
template <class T>
CLI::Validator between(T low, T high) {
  const auto check = [low, high](const std::string& text) -> std::string {
    T value{};
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);  // CLI11 takes -1 for an unsigned
    const bool fits = error == std::errc() && rest == end && value >= low && value <= high;
    return fits ? "" : "must be an integer from " + std::to_string(low) + " to " + std::to_string(high) + ", got " + text;
  };
  return CLI::Validator(check, "", "between");
}

template <class T>
CLI::Option* value_option(CLI::App& command, const std::string& flag, T& value, const std::string& text) {
  return command.add_option(flag, value, text)->capture_default_str();
}

template <class T>
void path_option(CLI::App& command, const std::string& flag, T& value, const std::string& text) {
  command.add_option(flag, value, text)->group(kRunGroup)->type_name("DIR");
}

template <class T>
struct Limits {
  T low, high;
};
constexpr Limits<int> kAnyCount{0, 1'000'000};
constexpr Limits<std::int64_t> kAnyImages{0, 1'000'000'000};
constexpr std::int64_t kMostInBatch = 1'000'000;

template <class T>
CLI::Option* add_count(CLI::App& command, const std::string& flag, T& value, const std::string& text, Limits<T> limits) {
  return value_option(command, flag, value, text)->type_name("N")->check(between(limits.low, limits.high));
}

/// `parse` throws lora::Error for what it does not take; at the command line that is bad usage.
template <class Parse>
CLI::Option* parsed_option(CLI::App& command, const std::string& flag, const std::string& text, const Parse& parse) {
  const auto set = [flag, parse](const std::string& value) {
    try {
      parse(value);
    } catch (const lora::Error& error) {
      throw CLI::ValidationError(flag, error.what());
    }
  };
  return command.add_option_function<std::string>(flag, set, text)->group(kExperimentGroup);
}

std::string known_device(const std::string& name) {
  return name == "cpu" || name == "cuda" || name == "auto" ? "" : "must be cpu, cuda or auto, got " + name;
}

std::string known_dtype(const std::string& name) { return name == "f32" || name == "bf16" ? "" : "must be f32 or bf16, got " + name; }

}  // namespace

void add_run_options(CLI::App& command, CommonOptions& o) {
  value_option(command, "--device", o.device, "cpu, cuda, or auto: cuda where there is one")
      ->group(kRunGroup)
      ->type_name("NAME")
      ->check(CLI::Validator(known_device, "", "device"));
  value_option(command, "--dtype", o.dtype, "Products in f32 or bf16, all else in f32; bf16 on the CPU shows a GPU's numbers, slowly")
      ->group(kRunGroup)
      ->type_name("NAME")
      ->check(CLI::Validator(known_dtype, "", "dtype"));
  command.add_option("--threads", o.threads, "CPU threads")
      ->group(kRunGroup)
      ->type_name("N")
      ->check(between(1, 4096))
      ->default_str("$LORA_NUM_THREADS, else $OMP_NUM_THREADS, else all cores");
  value_option(command, "--seed", o.seed, "The same seed gives the same bits, with any number of threads")
      ->group(kRunGroup)
      ->type_name("N")
      ->check(between(std::uint64_t{0}, std::numeric_limits<std::uint64_t>::max()));
  path_option(command, "--data", o.data, "Folder of IDX files, gz or not [the MNIST that comes with the program]");
  if (!o.out.empty()) {
    command.add_option("--out", o.out, "Where results, adapters, plots and report go")
        ->group(kRunGroup)
        ->type_name("DIR")
        ->default_str(o.out.string());
  }
  command.add_flag("--json", o.json, "One JSON object on stdout, progress on stderr")->group(kRunGroup);
  command.add_flag("--quiet", o.quiet, "No progress and no summary")->group(kRunGroup);
}

void add_training_options(CLI::App& command, CommonOptions& o) {
  add_count(command, "--batch-size", o.batch_size, "Images a step", Limits<std::int64_t>{1, kMostInBatch})->group(kTrainingGroup);
  CLI::Option* lr = add_positive_option(command, "--lr", o.lr, "Highest learning rate")->group(kTrainingGroup);
  if (o.lr == 0) {
    lr->default_str("by run");
  }
  add_count(command, "--epochs", o.epochs, "Passes over the training images", kAnyCount)->group(kTrainingGroup);
  add_count(command, "--patience", o.patience, "Stop a run after N epochs without a better validation accuracy; 0: never", kAnyCount)
      ->group(kTrainingGroup);
  add_count(command, "--limit", o.limit, "Use N training images at most; 0: all", kAnyImages)->group(kTrainingGroup);
  command.add_flag("--resume", o.resume, "Go on with the unfinished experiment in --out")->group(kTrainingGroup);
}

void add_evaluation_options(CLI::App& command, CommonOptions& o) {
  add_count(command, "--batch-size", o.batch_size, "Images at a time", Limits<std::int64_t>{1, kMostInBatch})->group(kRunGroup);
  add_count(command, "--limit", o.limit, "Use the first N images at most; 0: all", kAnyImages)->group(kRunGroup);
}

void add_common_options(CLI::App& command, CommonOptions& options) {
  add_training_options(command, options);
  add_run_options(command, options);
}

CLI::Option* add_ranks_option(CLI::App& command, const std::string& flag, std::vector<int>& ranks, const std::string& text, int most) {
  return parsed_option(command, flag, text, [&ranks, most](const std::string& value) { ranks = parse_ranks(value, most); })
      ->type_name("LIST")
      ->default_str(format_ranks(ranks));
}

CLI::Option* add_numbers_option(CLI::App& command, const std::string& flag, std::vector<double>& numbers, NumberRange range,
                                const std::string& text) {
  const auto parse = [&numbers, range](const std::string& value) { numbers = parse_numbers(value, range.low, range.high); };
  return parsed_option(command, flag, text, parse)->type_name("LIST")->default_str(format_numbers(numbers));
}

CLI::Option* add_rank_option(CLI::App& command, const std::string& flag, int& rank, const std::string& text, int most) {
  return add_count(command, flag, rank, text, Limits<int>{1, most})->group(kExperimentGroup);
}

CLI::Option* add_epochs_option(CLI::App& command, const std::string& flag, int& epochs, const std::string& text) {
  return add_count(command, flag, epochs, text, kAnyCount)->group(kExperimentGroup);
}

CLI::Option* add_positive_option(CLI::App& command, const std::string& flag, double& value, const std::string& text) {
  return value_option(command, flag, value, text)->group(kExperimentGroup)->type_name("X")->check(positive());
}

CLI::Option* add_digits_option(CLI::App& command, const std::string& flag, lora::datasets::DigitSet& digits, const std::string& text) {
  return parsed_option(command, flag, text, [&digits](const std::string& value) { digits = lora::datasets::DigitSet::parse(value); })
      ->type_name("DIGITS")
      ->default_str(digits.str());
}

CLI::Option* add_names_option(CLI::App& command, const std::string& flag, std::vector<std::string>& names,
                              const std::vector<std::string>& known, const std::string& text) {
  return parsed_option(command, flag, text, [&names, known](const std::string& value) { names = parse_names(value, known); })
      ->type_name("LIST")
      ->default_str(CLI::detail::join(names, ","));
}

}  // namespace mnist_lora
