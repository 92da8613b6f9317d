#pragma once
// What tests of mnist_lora's commands share: a place to run them in, and what to look for in results.

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

/// `5-9` and, with adapters off, `5-9 off`.
inline std::vector<std::string> test_rows(const nlohmann::json& run) {
  std::vector<std::string> rows;
  for (const nlohmann::json& row : run["test"]) {
    rows.push_back(row["digits"].get<std::string>() + (row["enabled"].get<bool>() ? "" : " off"));
  }
  return rows;
}

}  // namespace lora::test
