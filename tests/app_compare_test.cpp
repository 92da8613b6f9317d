// The comparison of adapters from end to end, on a small data set.

#include <catch2/catch.hpp>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/mnist_lora/adapters.hpp"
#include "apps/mnist_lora/compare_plots.hpp"
#include "apps/mnist_lora/compare_report.hpp"
#include "apps/mnist_lora/models.hpp"
#include "tests/support/app_results.hpp"

namespace {

using namespace lora::test;
using Catch::Matchers::Contains;
using Json = nlohmann::json;
namespace fs = std::filesystem;

struct Lab : Bench {
  /// The perceptron, as it is quick; `more` may say otherwise.
  Words words(const std::string& name, const Words& more) const {
    Words words{"--out", path(name), "--model", "mlp", "--epochs", "3", "--rank", "2", "--alpha", "2"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  Outcome compare(const std::string& name, const Words& more = {}, const std::string& alarm = "") const {
    return run("compare", words(name, more), alarm);
  }
};

std::vector<std::string> run_names() {
  std::vector<std::string> names = mnist_lora::adapter_names();
  names.insert(names.begin(), "base");
  return names;
}

mnist_lora::Results made_results() {
  mnist_lora::Results results{"compare", "1.2.3", "cpu", 2, 0, 12.5, 1u << 20, {}};
  for (const char* name : {"none", "lora", "dora", "adalora"}) {
    mnist_lora::Run run;
    run.name = std::string(name) == "none" ? "base" : name;
    run.adapter = name;
    run.rank = run.adapter == "none" ? 0 : 8;
    run.train_digits = "0-9";
    run.parameters = {1000, 100, run.adapter == "none" ? 0 : 100};
    run.epochs = {{1, 0.5, 1e-3, 97.5, 0.5}, {2, 0.25, 1e-3, 97.75, 0.5}, {3, 0.2, 1e-3, 97.75, 0.5}};
    run.best_epoch = 3;
    run.peak_bytes = 8u << 20;
    run.weight_bytes = 4000;
    run.test = {{"0-9", true, 98.25, 0.125, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}};
    results.runs.push_back(run);
  }
  results.runs[3].ranks = {{0, "fc1", 12}, {0, "fc2", 12}, {3, "fc1", 8}, {3, "fc2", 4}};
  return results;
}

}  // namespace

TEST_CASE("app: compare writes results, log, weights, adapters and a report that agree", "[app]") {
  const Lab lab;
  const Outcome outcome = lab.compare("out");
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK_THAT(outcome.out, Contains("lora") && Contains("report.html"));
  const Json results = lab.json("out/results.json");
  const std::vector<std::string> names = run_names();
  REQUIRE(results["runs"].size() == names.size());
  std::size_t epochs = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Json& run = results["runs"][i];
    INFO(run.dump());
    CHECK(run["name"] == names[i]);
    CHECK(run["adapter"] == (i == 0 ? "none" : names[i]));
    CHECK(run["train_digits"] == "0-9");
    CHECK(test_rows(run) == (i == 0 ? std::vector<std::string>{"0-9"} : std::vector<std::string>{"0-9", "0-9 off"}));
    const auto best = run["best_epoch"].get<std::size_t>();
    REQUIRE((best >= 1 && best <= run["epochs"].size()));
    for (const Json& epoch : run["epochs"]) {
      CHECK((run.contains("ranks") || epoch["val_accuracy"] <= run["epochs"][best - 1]["val_accuracy"]));
    }
    CHECK(run["peak_bytes"] >= run["weight_bytes"]);
    CHECK((i == 0 || fs::exists(lab.folder / "out/adapters" / names[i] / "adapter_config.json")));
    epochs += run["epochs"].size();
  }
  const std::string log = lab.text("out/log.csv");
  CHECK(static_cast<std::size_t>(std::count(log.begin(), log.end(), '\n')) == epochs + 1);
  CHECK_THAT(lab.text("out/report.html"), Contains("Methods") && Contains("lora") && Contains("Best epoch"));
  CHECK_FALSE(fs::exists(lab.folder / "out/progress.json"));
}

TEST_CASE("app: compare tunes every adapter on the trained base", "[app]") {
  const Lab lab;
  REQUIRE(lab.compare("out", {"--quiet", "--epochs", "8"}).status == 0);
  const Json runs = lab.json("out/results.json")["runs"];
  const double base = runs[0]["test"][0]["accuracy"];
  CHECK(base >= 90);  // bars that are easily told apart
  for (std::size_t i = 1; i < runs.size(); ++i) {
    INFO(runs[i].dump());
    CHECK(runs[i]["parameters"]["trainable"] == runs[i]["parameters"]["added"]);
    CHECK(runs[i]["test"][0]["accuracy"] >= base - 5);
    CHECK(runs[i]["test"][0]["loss"] != runs[i]["test"][1]["loss"]);
  }
  CHECK(runs[1]["test"][1]["loss"] == runs[0]["test"][0]["loss"]);  // LoRA, disabled
}

TEST_CASE("app: compare gives the same bits for any number of threads, and interrupted in any run", "[app][determinism]") {
  const Lab lab;
  REQUIRE(lab.compare("whole", {"--quiet", "--threads", "1"}).status == 0);
  REQUIRE(lab.compare("threads", {"--quiet", "--threads", "3"}).status == 0);
  check_same(lab, "whole", "threads", weight_files(run_names()));
  Words more;
  for (const std::string& name : run_names()) {
    const Outcome outcome = lab.compare("cut", more, name + ":");
    INFO(outcome.err);
    REQUIRE(outcome.status == 1);
    CHECK_THAT(outcome.err, Contains("interrupted in run " + name));
    more = {"--resume"};
  }
  REQUIRE(lab.compare("cut", more).status == 0);
  check_same(lab, "whole", "cut", weight_files(run_names()));
  CHECK_THAT(lab.compare("cut", more).err, Contains("no unfinished experiment"));
}

TEST_CASE("app: an adapter does not depend on which others are compared", "[app][determinism]") {
  const Lab lab;
  const std::string last = mnist_lora::adapter_names().back();
  REQUIRE(lab.compare("all", {"--quiet"}).status == 0);
  REQUIRE(lab.compare("one", {"--quiet", "--adapters", last}).status == 0);
  const std::string file = "/adapters/" + last + "/adapter_model.safetensors";
  CHECK((lab.text("all" + file) == lab.text("one" + file)));
  CHECK(lab.json("one/results.json")["runs"].size() == 2);
}

TEST_CASE("app: compare stops early, or trains nothing", "[app]") {
  const Lab lab;
  const auto results_of = [&](const Words& more) {
    Words words{"--quiet", "--adapters", "lora"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = lab.compare("out", words);
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    return lab.json("out/results.json")["runs"];
  };
  CHECK(results_of({"--epochs", "40", "--patience", "1", "--lr", "0.1"})[0]["stopped_early"] == true);
  const Json untrained = results_of({"--epochs", "0"});
  CHECK(untrained[1]["epochs"].empty());
  CHECK(untrained[1]["test"][0]["loss"] == untrained[0]["test"][0]["loss"]);  // a fresh adapter changes nothing
}

TEST_CASE("app: compare that cannot start says why", "[app]") {
  const Lab lab;
  const auto refused = [&](const Words& more, int status, const std::string& text) {
    const Outcome outcome = lab.compare("out", more);
    CHECK(outcome.status == status);
    CHECK(outcome.out.empty());
    CHECK_THAT(outcome.err, Contains("mnist_lora: ") && Contains(text));
  };
  refused({"--adapters", "lora,nora"}, 2, "'nora'");
  refused({"--adapters", "lora,lora"}, 2, "twice");
  refused({"--adapters", ""}, 2, "--adapters");
  refused({"--model", "none"}, 2, "none");
  refused({"--rank", "0"}, 2, "--rank");
  refused({"--alpha", "-1"}, 2, "--alpha");
  refused({"--limit", "1"}, 1, "raise --limit");
  refused({"--data", lab.path("nowhere")}, 1, "there is no folder");
  CHECK_FALSE(fs::exists(lab.folder / "out"));
  REQUIRE(lab.compare("out", {}, "lora:").status == 1);
  refused({"--resume", "--rank", "3"}, 1, "--rank is 3");
  refused({"--resume", "--alpha", "3"}, 1, "--alpha is 3");
}

TEST_CASE("app: compare with --json gives one object on stdout, with --quiet nothing", "[app]") {
  const Lab lab;
  const Outcome json = lab.compare("out", {"--json", "--adapters", "lora"});
  check_said(lab, "out", json, lab.compare("quiet", {"--quiet", "--adapters", "lora"}));
}

TEST_CASE("app: results keep ranks and the best epoch", "[app]") {
  const TempFolder folder;
  write_results(folder / "results.json", made_results());
  const mnist_lora::Results back = mnist_lora::read_results(folder / "results.json");
  CHECK(back.runs[1].best_epoch == 3);
  CHECK(back.runs[1].ranks.empty());
  REQUIRE(back.runs[3].ranks.size() == 4);
  CHECK(back.runs[3].ranks[3].epoch == 3);
  CHECK(back.runs[3].ranks[3].layer == "fc2");
  CHECK(back.runs[3].ranks[3].rank == 4);
  mnist_lora::Run kept = back.runs[1];
  kept.best_epoch = 1;
  CHECK(best_val_accuracy(kept) == 97.5);  // of the weights that were kept, not the highest
}

TEST_CASE("app: figures of the comparison are drawn, whatever the results have", "[app]") {
  if (!mnist_lora::gnuplot_available()) {
    WARN("gnuplot is not installed: figures are not drawn");
    return;
  }
  const TempFolder folder;
  mnist_lora::Results results = made_results();
  const std::vector<mnist_lora::Figure> figures = mnist_lora::compare_figures(results);
  CHECK(figures.size() == 5);
  const std::vector<std::string> svgs = render_figures(figures, folder / "plots");
  CHECK_THAT(svgs[0], Contains("98.25 %, 55 wrong") && Contains("The bars begin at 97 %"));
  for (mnist_lora::Run& run : results.runs) {
    run.epochs.clear();
    run.test.clear();
    run.ranks.clear();
  }
  CHECK(render_figures(mnist_lora::compare_figures(results), folder / "bare").size() == 1);
}
