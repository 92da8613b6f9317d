#pragma once
// What tests of mnist_lora's commands share: a place to run them in, and what to look for in results.

#include <catch2/catch.hpp>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "core/base/file.hpp"
#include "core/base/threads.hpp"
#include "tests/support/app.hpp"
#include "tests/support/temp_folder.hpp"

namespace lora::test {

/// A folder with small data in `data`, where no figures are drawn. Threads are put back at the end.
struct Bench {
  TempFolder folder;
  NoPrograms no_programs;
  int threads = lora::num_threads();

  Bench() {
    std::filesystem::create_directory(folder / "data");
    write_small_data(folder / "data");
  }
  ~Bench() { lora::set_num_threads(threads); }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  std::string path(const std::string& name) const { return (folder / name).string(); }
  std::string text(const std::string& file) const { return lora::read_text_file(folder / file); }
  nlohmann::json json(const std::string& file) const { return nlohmann::json::parse(text(file)); }
  /// Runs a command on the data; relative names in `more` are as they are.
  Outcome run(const std::string& command, const Words& more, const std::string& alarm = "") const {
    Words words{command, "--data", path("data")};
    words.insert(words.end(), more.begin(), more.end());
    return run_app(words, alarm);
  }
  /// `train` into the folder `name`, three epochs unless `more` says otherwise.
  Outcome train(const std::string& name, const Words& more = {}, const std::string& alarm = "") const {
    Words words{"--out", path(name), "--epochs", "3"};
    words.insert(words.end(), more.begin(), more.end());
    return run("train", words, alarm);
  }
};

/// Without what differs from run to run of the same computation.
inline nlohmann::json lasting(nlohmann::json json) {
  if (json.is_object()) {
    for (const char* key : {"seconds", "peak_bytes", "threads"}) {
      json.erase(key);
    }
  }
  if (json.is_structured()) {
    for (nlohmann::json& item : json) {
      item = lasting(item);
    }
  }
  return json;
}

/// log.csv without its last column, the seconds.
inline std::string lasting_log(const std::filesystem::path& file) {
  std::istringstream in(lora::read_text_file(file));
  std::string out;
  for (std::string line; std::getline(in, line);) {
    out += line.substr(0, line.rfind(',')) + '\n';
  }
  return out;
}

/// What these runs of an experiment leave behind, the first of them the base.
inline std::vector<std::string> weight_files(const std::vector<std::string>& runs) {
  std::vector<std::string> files{"base.safetensors"};
  for (auto run = runs.begin() + 1; run != runs.end(); ++run) {
    files.push_back("adapters/" + *run + "/adapter_model.safetensors");
    files.push_back("adapters/" + *run + "/adapter_config.json");
  }
  return files;
}

/// Two folders of the same computation have the same bits in `files`, and the same results and log.
inline void check_same(const Bench& bench, const std::string& a, const std::string& b, const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    INFO(file);
    CHECK((bench.text(a + '/' + file) == bench.text(b + '/' + file)));
  }
  CHECK(lasting(bench.json(a + "/results.json")) == lasting(bench.json(b + "/results.json")));
  CHECK(lasting_log(bench.folder / a / "log.csv") == lasting_log(bench.folder / b / "log.csv"));
}

/// With --json, stdout was one object, the results in `folder`; with --quiet, nothing was said of epochs.
inline void check_said(const Bench& bench, const std::string& folder, const Outcome& json, const Outcome& quiet) {
  REQUIRE(json.status == 0);
  CHECK(nlohmann::json::parse(json.out) == bench.json(folder + "/results.json"));
  CHECK_THAT(json.err, Catch::Contains("epoch"));
  CHECK(quiet.status == 0);
  CHECK(quiet.out.empty());
  CHECK_THAT(quiet.err, !Catch::Contains("epoch"));
}

/// `5-9` and, with adapters off, `5-9 off`.
inline std::vector<std::string> test_rows(const nlohmann::json& run) {
  std::vector<std::string> rows;
  for (const nlohmann::json& row : run["test"]) {
    rows.push_back(row["digits"].get<std::string>() + (row["enabled"].get<bool>() ? "" : " off"));
  }
  return rows;
}

}  // namespace lora::test
