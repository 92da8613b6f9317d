// The demo from end to end, on a small data set: every experiment of it, and what joins them.

#include <catch2/catch.hpp>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/mnist_lora/report.hpp"
#include "tests/support/app_results.hpp"

namespace {

using namespace lora::test;
using Catch::Matchers::Contains;
using Json = nlohmann::json;
namespace fs = std::filesystem;

/// As few images as the experiments can do with.
struct Lab : Bench {
  Lab() {
    fs::create_directory(folder / "tiny");
    detail::write_split(folder / "tiny", "train", 60, 1);
    detail::write_split(folder / "tiny", "t10k", 10, 2);
  }
  Outcome demo(const std::string& name, const Words& more = {}, const std::string& alarm = "") const {
    Words words{"demo", "--data", path("tiny"), "--out", path(name), "--epochs", "2", "--limit", "50"};
    words.insert(words.end(), more.begin(), more.end());
    return run_app(words, alarm);
  }
};

/// The experiments that left results, in the order in which the demo names them.
std::vector<std::string> experiments(const Json& results) {
  std::vector<std::string> names;
  for (const Json& run : results["runs"]) {
    const std::string name = run["name"];
    names.push_back(name.substr(0, name.find('/')));
  }
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace

TEST_CASE("app: demo runs every experiment into its folder, and all into one report; interrupted, it goes on", "[app][determinism]") {
  const Lab lab;
  const Outcome whole = lab.demo("whole", {"--json", "--quiet"});
  INFO(whole.err);
  REQUIRE(whole.status == 0);
  CHECK(whole.err.find("Experiment") == std::string::npos);
  const Json results = lab.json("whole/results.json");
  CHECK(Json::parse(whole.out) == results);
  CHECK(results["command"] == "demo");
  const std::vector<std::string> names = experiments(results);
  CHECK(names == std::vector<std::string>{"digits", "compare", "finetune"});
  const std::string page = lab.text("whole/report.html");
  CHECK_THAT(page, Contains("first 50 images"));
  std::size_t runs = 0;
  for (const std::string& name : names) {
    INFO(name);
    const Json own = lab.json("whole/" + name + "/results.json");
    CHECK(own["command"] == name);
    runs += own["runs"].size();
    CHECK(fs::exists(lab.folder / "whole" / name / "report.html"));
    CHECK(fs::exists(lab.folder / "whole" / name / "base.safetensors"));
    CHECK_FALSE(fs::exists(lab.folder / "whole" / name / "progress.json"));
    CHECK_THAT(page, Contains("<section id=\"" + name + "\">") && Contains("href=\"#" + name + "\""));
  }
  CHECK(results["runs"].size() == runs);

  const Outcome cut = lab.demo("cut", {}, "lora:");
  REQUIRE(cut.status == 1);
  CHECK_THAT(cut.err, Contains("Experiment 1 of ") && Contains("interrupted in run lora;") && Contains("--resume"));
  CHECK_FALSE(fs::exists(lab.folder / "cut/report.html"));
  const Outcome resumed = lab.demo("cut", {"--resume"});
  INFO(resumed.err);
  REQUIRE(resumed.status == 0);
  CHECK_THAT(resumed.err, !Contains("lora-r1:"));  // a run of the first experiment, which was done
  CHECK_THAT(resumed.out, Contains("digits\n") && Contains("compare\n") && Contains("report.html"));
  CHECK(lasting(results) == lasting(lab.json("cut/results.json")));
  CHECK_THAT(lab.demo("cut", {"--resume"}).err, Contains("no unfinished experiment"));
}

TEST_CASE("app: a report of several has sections whose figures keep apart", "[app]") {
  mnist_lora::Report whole, part;
  whole.title = "All <of> them";
  part.title = "A part";
  part.summary = "What it says";
  part.figures = {{"curves", "Curves", "<svg><g id=\"p\"/></svg>"}};
  part.footnotes = {"A note"};
  const std::string page = report_page(whole, {{"first", part}, {"second", part}});
  CHECK_THAT(page, Contains("<h1>All &lt;of&gt; them</h1>") && Contains("<section id=\"first\">") && Contains("href=\"#second\""));
  CHECK_THAT(page, Contains("id=\"first-curves\"") && Contains("id=\"second-curves\"") && !Contains("id=\"curves\""));
  CHECK_THAT(page, Contains("id=\"first-curves-p\"") && Contains("A note") && Contains("<h3>Figures</h3>"));
}
