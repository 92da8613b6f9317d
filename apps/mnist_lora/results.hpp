#pragma once
// What a command measured: the contents of results.json.

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace mnist_lora {

struct ParameterCounts {
  std::int64_t total = 0;      ///< of the model, adapters included
  std::int64_t trainable = 0;  ///< of these, trained in this run
  std::int64_t added = 0;      ///< of these, the adapters'
};

struct EpochRow {
  int epoch = 0;  ///< from 1
  double loss = 0;
  double lr = 0;
  double val_accuracy = 0;  ///< per cent
  double seconds = 0;
};

struct TestRow {
  std::string digits;   ///< the test images' digits, as `5-9`
  bool enabled = true;  ///< adapters on
  double accuracy = 0;  ///< per cent
  double loss = 0;
  std::array<std::int64_t, 10> errors_per_digit{};
};

/// The rank that a method has chosen for a layer.
struct RankRow {
  int epoch = 0;      ///< at its end; 0 is the start
  std::string layer;  ///< its path in the model
  int rank = 0;
};

struct Run {
  std::string name;
  std::string adapter = "none";  ///< `none` for the base, else `lora`, `dora`, `qlora`, `adalora`, `dynamic`
  int rank = 0;
  double alpha = 0;
  std::string train_digits;
  ParameterCounts parameters;
  std::vector<EpochRow> epochs;
  bool stopped_early = false;
  double seconds = 0;
  std::uint64_t peak_bytes = 0;
  std::uint64_t weight_bytes = 0;  ///< of the model, adapters included
  std::vector<TestRow> test;
  // results.json has these keys only where there is something to say.
  int best_epoch = 0;               ///< whose weights were kept, from 1; 0 without epochs
  std::vector<RankRow> ranks = {};  ///< of methods that change them
};

struct Results {
  std::string command;
  std::string version;
  std::string device;
  int threads = 0;
  std::uint64_t seed = 0;
  double seconds = 0;
  std::uint64_t peak_bytes = 0;
  std::vector<Run> runs;
  std::string dtype = "f32";  ///< what products were computed in
};

/// Keys in the documented order. Numbers that are not finite become null.
nlohmann::ordered_json to_json(const Results& results);
nlohmann::ordered_json to_json(const TestRow& row);

/// The inverse of to_json; null numbers become NaN, unknown keys are ignored.
/// @param source named in errors. @throws lora::Error naming the key that is missing or of another type
Results results_from_json(const nlohmann::ordered_json& json, std::string_view source);

/// results.json as text, indented and with a line end.
std::string to_text(const Results& results);

/// @throws lora::Error if the file cannot be read, is not JSON or not of this form
Results read_results(const std::filesystem::path& path);
/// The file is complete or as before. @throws lora::Error if it cannot be written
void write_results(const std::filesystem::path& path, const Results& results);

/// The run's row for these digits, or null.
const TestRow* find_test(const Run& run, std::string_view digits, bool enabled);
/// Per cent; NaN without such a row.
double test_accuracy(const Run& run, std::string_view digits, bool enabled);
/// The first run without an adapter, or null.
const Run* base_run(const Results& results);
/// Of the weights that the run did not train: those of a base are its own. Adapters are f32.
std::uint64_t frozen_bytes(const Run& run);
/// Per cent after the epoch whose weights were kept; NaN without epochs.
double best_val_accuracy(const Run& run);

}  // namespace mnist_lora
