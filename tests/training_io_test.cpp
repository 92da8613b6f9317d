#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "core/base/error.hpp"
#include "core/serialize.hpp"
#include "nn/checkpoint.hpp"
#include "nn/csv_log.hpp"
#include "nn/evaluate.hpp"
#include "nn/layers.hpp"
#include "nn/progress.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::nn;
using Catch::Matchers::Contains;

namespace {

/// A file that is not there yet, in a folder of its own.
struct TemporaryFile {
  test::TempFolder folder;
  std::filesystem::path path;
  explicit TemporaryFile(const std::string& name) : path(folder / name) {}
  std::string text() const {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }
  void write(const std::string& text) const { std::ofstream(path, std::ios::binary) << text; }
};

const std::string kHeader = "run,epoch,loss,lr,val_accuracy,val_loss,seconds\n";

EpochRecord record(Index epoch) { return {epoch, 0.5 / static_cast<double>(epoch), 0.1, 91.25, 0.25, 1.5}; }

/// The model's output is its input.
struct Fixed {
  std::vector<Batch> all;
  Index batches() const { return static_cast<Index>(all.size()); }
  Index samples() const { return 5; }
  Batch batch(Index, Index i) const { return all[static_cast<std::size_t>(i)]; }
};

Fixed five_samples() {
  const std::vector<float> first{2, 1, 0, 0, 3, 0, 0, 0, 1}, second{5, 1, 0, 0, 0, 0};
  return {{{from_values(first, {3, 3}), from_values(std::vector<std::int64_t>{0, 1, 1}, {3})},
           {from_values(second, {2, 3}), from_values(std::vector<std::int64_t>{2, 0}, {2})}}};
}

}  // namespace

TEST_CASE("trainer: evaluate counts, averages and lists predictions", "[trainer]") {
  Flatten identity;
  const Fixed source = five_samples();
  const Evaluation e = evaluate(identity, source, 3);
  CHECK(e.samples == 5);
  CHECK(e.predicted == std::vector<Index>{0, 1, 2, 0, 0});  // the first of equal logits
  CHECK(e.accuracy == 60.0);
  CHECK(e.errors_per_class == std::vector<Index>{0, 1, 1});
  double expected = 0;
  for (const Batch& b : source.all) {
    const auto x = b.x.to_vector<double>();
    const auto y = b.y.to_vector<Index>();
    for (std::size_t i = 0; i < y.size(); ++i) {
      expected +=
          std::log(std::exp(x[3 * i]) + std::exp(x[3 * i + 1]) + std::exp(x[3 * i + 2])) - x[3 * i + static_cast<std::size_t>(y[i])];
    }
  }
  CHECK(std::abs(e.loss - expected / 5) <= 1e-6);  // the batch losses are f32
}

TEST_CASE("trainer: evaluate puts each module's mode back and does not record", "[trainer]") {
  Sequential model;
  auto& inner = model.add<Dropout>(0.5);
  auto& frozen = model.add<Flatten>();
  frozen.eval();
  const Fixed source = five_samples();
  const Evaluation a = evaluate(model, source, 3), b = evaluate(model, source, 3);
  CHECK(a.predicted == b.predicted);
  CHECK(a.accuracy == 60.0);  // no dropout
  CHECK(model.training());
  CHECK(inner.training());
  CHECK_FALSE(frozen.training());
}

TEST_CASE("trainer: evaluate tells what is wrong and bears an empty source", "[trainer]") {
  Flatten identity;
  CHECK_THROWS_WITH(evaluate(identity, five_samples(), 2), Contains("target 2") && Contains("0..1"));
  CHECK_THROWS_WITH(evaluate(identity, five_samples(), 0), Contains("classes is 0"));
  const Evaluation none = evaluate(identity, Fixed{}, 4);
  CHECK(none.samples == 0);
  CHECK(none.accuracy == 0);
  CHECK(none.errors_per_class == std::vector<Index>{0, 0, 0, 0});
}

TEST_CASE("trainer: the CSV log has a header, a row an epoch and quoted names", "[trainer]") {
  const TemporaryFile file("lora_csv_log.csv");
  CsvLog log(file.path, CsvLog::Existing::keep);
  CHECK(file.text() == kHeader);
  log.begin("r=8, \"big\"");
  log.append(record(1));
  CHECK(file.text() == kHeader + "\"r=8, \"\"big\"\"\",1,0.5,0.1,91.25,0.25,1.5\n");
  log.begin("lora");
  log.append({1, 1.0 / 3, 1e-7, 100, 0.25, 2});
  CHECK(file.text() == kHeader + "\"r=8, \"\"big\"\"\",1,0.5,0.1,91.25,0.25,1.5\nlora,1,0.3333333333333333,1e-07,100,0.25,2\n");
  CsvLog(file.path, CsvLog::Existing::replace);
  CHECK(file.text() == kHeader);
}

TEST_CASE("trainer: a resumed run has no row twice in the CSV log", "[trainer]") {
  const TemporaryFile file("lora_csv_resume.csv");
  const std::string other = "lora,1,0.5,0.1,91.25,0.25,1.5\n\"a\nb\",1,0.5,0.1,91.25,0.25,1.5\n";
  file.write(kHeader + other + "lora r,1,9,9,9,9,9\nlora r,2,9,9,9,9,9\nlora r,3,9,9");  // the last row was cut short
  CsvLog log(file.path, CsvLog::Existing::keep);
  log.begin("lora r", {record(1)});
  log.append(record(2));
  CHECK(file.text() == kHeader + other + "lora r,1,0.5,0.1,91.25,0.25,1.5\nlora r,2,0.25,0.1,91.25,0.25,1.5\n");
}

TEST_CASE("trainer: a file that is no log is not touched", "[trainer]") {
  const TemporaryFile file("lora_csv_other.csv");
  file.write("name,value\n");
  CHECK_THROWS_WITH(CsvLog(file.path, CsvLog::Existing::keep), Contains("lora_csv_other.csv"));
  CHECK(file.text() == "name,value\n");
  CHECK_THROWS_AS(CsvLog("/nonexistent-folder/log.csv", CsvLog::Existing::keep), Error);
}

namespace {

StepRecord step_at(Index epoch, Index step) { return {epoch, 2, step, 10, 64, 64 * step, 0.5, 0.75, 0.1}; }

std::size_t count(const std::string& text, const std::string& piece) {
  std::size_t n = 0;
  for (auto at = text.find(piece); at != std::string::npos; at = text.find(piece, at + 1)) {
    ++n;
  }
  return n;
}

}  // namespace

TEST_CASE("trainer: the bar shows share, rate and time left, at most ten times a second", "[trainer]") {
  std::ostringstream out;
  double now = 100;
  {
    ProgressReporter progress("run", 2, ProgressStyle::bar, out, [&] { return now; });
    for (Index i = 1; i <= 9; ++i) {
      now += 0.02;
      progress.step(step_at(1, i));
    }
    CHECK(count(out.str(), "\r") == 2);  // at 0.02 and 0.12 s
    now = 101;
    progress.step(step_at(1, 10));
    // half of the work in one second, 640 samples in it
    CHECK_THAT(out.str(), Contains("run  epoch 1/2 [==========>         ]  50%  loss 0.7500  640 samples/s  0:01 left"));
    progress.epoch(record(1));
    now = 161;
    progress.step(step_at(2, 10));
    CHECK_THAT(out.str(), Contains("epoch 2/2 [====================] 100%") && Contains("0:00 left  val 91.25%"));
    CHECK(count(out.str(), "\n") == 0);
  }
  CHECK(count(out.str(), "\n") == 1);
}

TEST_CASE("trainer: the bar's line fits into a narrow terminal, with no number cut", "[trainer]") {
  const auto line_at = [](int columns) {
    std::ostringstream out;
    double now = 100;
    ProgressReporter progress(
        "run", 2, ProgressStyle::bar, out, [&] { return now; }, [columns] { return columns; });
    now = 101;
    progress.step(step_at(1, 10));
    return out.str().substr(1, out.str().find('\x1b') - 1);
  };
  CHECK_THAT(line_at(0), Contains("[==========>         ]  50%") && Contains("left"));
  CHECK(line_at(200) == line_at(0));
  CHECK_THAT(line_at(70), Contains("[===") && Contains("left"));
  CHECK(line_at(70).size() == 69);
  CHECK(line_at(40) == "run  epoch 1/2  50%  loss 0.7500");
  CHECK(line_at(10) == "run");
  CHECK(line_at(2) == "r");
}

TEST_CASE("trainer: the time left of a resumed training comes from what was seen of it", "[trainer]") {
  std::ostringstream out;
  double now = 0;
  ProgressReporter progress("run", 2, ProgressStyle::bar, out, [&] { return now; });
  now = 60;
  progress.step(step_at(2, 6));  // a twentieth took a minute: four are left
  CHECK_THAT(out.str(), Contains("80%") && Contains("4:00 left"));
  now = 3600;
  progress.step(step_at(2, 7));
  CHECK_THAT(out.str(), Contains("1:30:00 left"));
}

TEST_CASE("trainer: without a terminal there is a plain line an epoch, and quiet is silent", "[trainer]") {
  std::ostringstream lines, quiet;
  const auto run = [](std::ostream& out, ProgressStyle style) {
    ProgressReporter progress("run", 2, style, out, [] { return 0.0; });
    progress.step(step_at(1, 10));
    progress.epoch(record(2));
  };
  run(lines, ProgressStyle::lines);
  CHECK(lines.str() == "run: epoch 2/2  loss 0.2500  lr 0.1  val accuracy 91.25%  val loss 0.2500  1.5 s\n");
  run(quiet, ProgressStyle::quiet);
  CHECK(quiet.str().empty());
}

namespace {

TrainState some_state() {
  TrainState s;
  s.progress = {2, 3, 24, 1.0 / 3, 0.1, 1e-300, 1, 200.0 / 3, std::numeric_limits<double>::infinity(), false, {record(1), record(2)}};
  s.now = {{full({2, 2}, 1.0 / 3, DType::f64), ones({3})}, {zeros({1})}};
  s.best = {{zeros({2, 2}, DType::f64), zeros({3})}, {ones({1})}};
  s.optimizer = {{"lr", full({1}, 0.3, DType::f64)}, {"exp_avg.0", ones({2, 2})}};
  s.scheduler = {{"best", -std::numeric_limits<double>::infinity()}, {"count", 0.1}};
  s.generator = {~std::uint64_t{0}, 5, std::uint64_t{1} << 63};
  s.notes = {{"command", "digits --ranks 1,2"}, {"empty", ""}};
  return s;
}

bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  bool equal = a.size() == b.size();
  for (std::size_t i = 0; equal && i < a.size(); ++i) {
    equal = a[i].dtype() == b[i].dtype() && a[i].shape() == b[i].shape() && a[i].to_vector<double>() == b[i].to_vector<double>();
  }
  return equal;
}

}  // namespace

TEST_CASE("trainer: a checkpoint comes back with the same bits", "[trainer]") {
  const TemporaryFile file("lora_checkpoint.safetensors");
  const TrainState s = some_state();
  save_checkpoint(file.path, s);
  const TrainState t = load_checkpoint(file.path);
  CHECK(t.progress.epoch == 2);
  CHECK(t.progress.step == 3);
  CHECK(t.progress.samples == 24);
  CHECK(t.progress.best_epoch == 1);
  CHECK_FALSE(t.progress.finished);
  CHECK(t.progress.loss_sum == s.progress.loss_sum);
  CHECK(t.progress.lr == s.progress.lr);
  CHECK(t.progress.seconds == s.progress.seconds);
  CHECK(t.progress.best_accuracy == s.progress.best_accuracy);
  CHECK(t.progress.best_loss == s.progress.best_loss);
  REQUIRE(t.progress.history.size() == 2);
  CHECK(t.progress.history[1].loss == record(2).loss);
  CHECK(t.progress.history[1].seconds == 1.5);
  CHECK(same(s.now.trained, t.now.trained));
  CHECK(same(s.now.buffers, t.now.buffers));
  CHECK(same(s.best.trained, t.best.trained));
  CHECK(same(s.best.buffers, t.best.buffers));
  REQUIRE(t.optimizer.size() == 2);
  CHECK(t.optimizer[1].first == "lr");
  CHECK(t.optimizer[1].second.item<double>() == 0.3);
  CHECK(t.scheduler == s.scheduler);
  CHECK(t.generator == s.generator);
  CHECK(t.notes == s.notes);
}

TEST_CASE("trainer: the checkpoint of a training that has not begun comes back", "[trainer]") {
  const TemporaryFile file("lora_checkpoint.safetensors");
  save_checkpoint(file.path, TrainState());
  const TrainState t = load_checkpoint(file.path);
  CHECK(t.progress.epoch == 0);
  CHECK(t.progress.history.empty());
  CHECK(t.best.empty());
}

TEST_CASE("trainer: files that are no good checkpoints are refused by name", "[trainer]") {
  const TemporaryFile file("lora_checkpoint.safetensors");
  save_checkpoint(file.path, some_state());
  SafetensorsFile content = load_safetensors(file.path);
  const auto refused = [&](const std::string& text) {
    save_safetensors(file.path, content.tensors, content.metadata);
    CHECK_THROWS_WITH(load_checkpoint(file.path), Contains("lora_checkpoint.safetensors") && Contains(text));
  };
  SECTION("weights") {
    content.metadata = {{"format", "pt"}};
    refused("no checkpoint");
  }
  SECTION("version") {
    content.metadata["version"] = "2";
    refused("version 2");
  }
  SECTION("counter") {
    content.metadata["epoch"] = GENERATE("", "-1", "2x", "99999999999999999999");
    refused("'epoch'");
  }
  SECTION("history") {
    content.metadata["epoch"] = "3";
    refused("'history'");
  }
  SECTION("unknown tensor") {
    content.tensors.emplace_back("model.trained.7", ones({1}));
    refused("'model.trained.7'");
  }
  SECTION("missing tensor") {
    content.tensors.erase(content.tensors.begin() + 5, content.tensors.end());
    refused("lacks the tensor");
  }
}
