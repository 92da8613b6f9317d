// results.json: written and read by the same names.

#include <fstream>
#include <limits>
#include <sstream>
#include <type_traits>
#include <utility>

#include <nlohmann/json.hpp>

#include "apps/mnist_lora/results.hpp"
#include "core/base/error.hpp"
#include "core/base/file.hpp"

namespace mnist_lora {

namespace {

using Json = nlohmann::ordered_json;
constexpr const char* kWhere = "results";

Json epoch_json(const EpochRow& row) {
  return {{"epoch", row.epoch}, {"loss", row.loss}, {"lr", row.lr}, {"val_accuracy", row.val_accuracy}, {"seconds", row.seconds}};
}

template <class Row>
Json rows_json(const std::vector<Row>& rows, Json (*one)(const Row&)) {
  Json out = Json::array();
  for (const Row& row : rows) {
    out.push_back(one(row));
  }
  return out;
}

Json rank_json(const RankRow& row) { return {{"epoch", row.epoch}, {"layer", row.layer}, {"rank", row.rank}}; }

Json run_json(const Run& run) {
  const ParameterCounts& count = run.parameters;
  Json json{{"name", run.name},
            {"adapter", run.adapter},
            {"rank", run.rank},
            {"alpha", run.alpha},
            {"train_digits", run.train_digits},
            {"parameters", Json{{"total", count.total}, {"trainable", count.trainable}, {"added", count.added}}},
            {"epochs", rows_json(run.epochs, epoch_json)},
            {"stopped_early", run.stopped_early},
            {"seconds", run.seconds},
            {"peak_bytes", run.peak_bytes},
            {"weight_bytes", run.weight_bytes},
            {"test", rows_json<TestRow>(run.test, to_json)}};
  if (run.best_epoch > 0) {
    json["best_epoch"] = run.best_epoch;
  }
  if (!run.ranks.empty()) {
    json["ranks"] = rows_json(run.ranks, rank_json);
  }
  return json;
}

/// A value and the path that leads to it, for errors.
struct Node {
  const Json& json;
  std::string path;  ///< as `out/results.json: runs[2].rank`

  Node operator[](const char* key) const {
    lora::require(json.is_object(), kWhere, path, " is not an object; write the file anew with mnist_lora");
    const auto found = json.find(key);
    lora::require(found != json.end(), kWhere, path, " has no key '", key, "'; write the file anew with mnist_lora");
    return {*found, path + (path.back() == ' ' ? "" : ".") + key};
  }
  [[noreturn]] void wrong_type(const char* wanted) const {
    lora::fail(kWhere, path, " is not ", wanted, " but ", json.type_name(), "; write the file anew with mnist_lora");
  }
};

void read(const Node& node, std::string& out) {
  node.json.is_string() ? void(out = node.json.get<std::string>()) : node.wrong_type("a string");
}

void read(const Node& node, bool& out) { node.json.is_boolean() ? void(out = node.json.get<bool>()) : node.wrong_type("true or false"); }

void read(const Node& node, double& out) {
  if (node.json.is_null()) {
    out = std::numeric_limits<double>::quiet_NaN();
    return;
  }
  node.json.is_number() ? void(out = node.json.get<double>()) : node.wrong_type("a number");
}

template <class Integer>
requires std::is_integral_v<Integer>
void read(const Node& node, Integer& out) {
  if (!node.json.is_number_integer()) {
    node.wrong_type("an integer");
  }
  const bool fits = node.json.is_number_unsigned() ? std::in_range<Integer>(node.json.get<std::uint64_t>())
                                                   : std::in_range<Integer>(node.json.get<std::int64_t>());
  lora::require(fits, kWhere, node.path, " is out of range: ", node.json.dump());
  out = node.json.get<Integer>();
}

void read(const Node& node, EpochRow& out) {
  read(node["epoch"], out.epoch);
  read(node["loss"], out.loss);
  read(node["lr"], out.lr);
  read(node["val_accuracy"], out.val_accuracy);
  read(node["seconds"], out.seconds);
}

template <class Item>
void read_items(const Node& node, Item* out) {
  std::size_t i = 0;
  for (const Json& item : node.json) {
    read(Node{item, node.path + '[' + std::to_string(i) + ']'}, out[i]);
    ++i;
  }
}

void read(const Node& node, std::array<std::int64_t, 10>& out) {
  if (!node.json.is_array() || node.json.size() != out.size()) {
    node.wrong_type("an array of 10 integers");
  }
  read_items(node, out.data());
}

void read(const Node& node, TestRow& out) {
  read(node["digits"], out.digits);
  read(node["enabled"], out.enabled);
  read(node["accuracy"], out.accuracy);
  read(node["loss"], out.loss);
  read(node["errors_per_digit"], out.errors_per_digit);
}

template <class Item>
void read(const Node& node, std::vector<Item>& out) {
  if (!node.json.is_array()) {
    node.wrong_type("an array");
  }
  out.assign(node.json.size(), Item{});
  read_items(node, out.data());
}

void read(const Node& node, ParameterCounts& out) {
  read(node["total"], out.total);
  read(node["trainable"], out.trainable);
  read(node["added"], out.added);
}

void read(const Node& node, RankRow& out) {
  read(node["epoch"], out.epoch);
  read(node["layer"], out.layer);
  read(node["rank"], out.rank);
}

void read(const Node& node, Run& out) {
  read(node["name"], out.name);
  read(node["adapter"], out.adapter);
  read(node["rank"], out.rank);
  read(node["alpha"], out.alpha);
  read(node["train_digits"], out.train_digits);
  read(node["parameters"], out.parameters);
  read(node["epochs"], out.epochs);
  read(node["stopped_early"], out.stopped_early);
  read(node["seconds"], out.seconds);
  read(node["peak_bytes"], out.peak_bytes);
  read(node["weight_bytes"], out.weight_bytes);
  read(node["test"], out.test);
  if (node.json.contains("best_epoch")) {
    read(node["best_epoch"], out.best_epoch);
  }
  if (node.json.contains("ranks")) {
    read(node["ranks"], out.ranks);
  }
}

std::string file_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  lora::require(file.good(), kWhere, "cannot read ", path, "; name a results.json that mnist_lora wrote");
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

}  // namespace

Json to_json(const TestRow& row) {
  return {{"digits", row.digits},
          {"enabled", row.enabled},
          {"accuracy", row.accuracy},
          {"loss", row.loss},
          {"errors_per_digit", row.errors_per_digit}};
}

Json to_json(const Results& results) {
  return {{"command", results.command}, {"version", results.version},       {"device", results.device},
          {"dtype", results.dtype},     {"threads", results.threads},       {"seed", results.seed},
          {"seconds", results.seconds}, {"peak_bytes", results.peak_bytes}, {"runs", rows_json(results.runs, run_json)}};
}

Results results_from_json(const Json& json, std::string_view source) {
  const Node node{json, std::string(source) + ": "};
  Results results;
  read(node["command"], results.command);
  read(node["version"], results.version);
  read(node["device"], results.device);
  if (json.contains("dtype")) {
    read(node["dtype"], results.dtype);
  }
  read(node["threads"], results.threads);
  read(node["seed"], results.seed);
  read(node["seconds"], results.seconds);
  read(node["peak_bytes"], results.peak_bytes);
  read(node["runs"], results.runs);
  return results;
}

std::string to_text(const Results& results) { return to_json(results).dump(2, ' ', false, Json::error_handler_t::replace) + '\n'; }

Results read_results(const std::filesystem::path& path) {
  const std::string text = file_text(path);
  Json json;
  try {
    json = Json::parse(text);
  } catch (const Json::parse_error& error) {
    lora::fail(kWhere, path, " is not JSON at byte ", error.byte, "; it was cut or edited, write it anew");
  }
  return results_from_json(json, path.string());
}

void write_results(const std::filesystem::path& path, const Results& results) { lora::write_file_atomically(path, to_text(results)); }

}  // namespace mnist_lora
