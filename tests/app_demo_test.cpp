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

struct Lab : Bench {
  Outcome demo(const std::string& name, const Words& more = {}, const std::string& alarm = "") const {
    Words words{"--out", path(name), "--epochs", "1", "--limit", "60"};
    words.insert(words.end(), more.begin(), more.end());
    return run("demo", words, alarm);
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

TEST_CASE("app: demo runs every experiment into its folder, and all into one report", "[app]") {
  const Lab lab;
  const Outcome outcome = lab.demo("out");
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK_THAT(outcome.out, Contains("digits\n") && Contains("compare\n") && Contains("report.html"));
  const Json results = lab.json("out/results.json");
  CHECK(results["command"] == "demo");
  const std::vector<std::string> names = experiments(results);
  CHECK(names.size() >= 2);
  const std::string page = lab.text("out/report.html");
  std::size_t runs = 0;
  for (const std::string& name : names) {
    INFO(name);
    const Json own = lab.json("out/" + name + "/results.json");
    CHECK(own["command"] == name);
    runs += own["runs"].size();
    CHECK(fs::exists(lab.folder / "out" / name / "report.html"));
    CHECK(fs::exists(lab.folder / "out" / name / "base.safetensors"));
    CHECK_FALSE(fs::exists(lab.folder / "out" / name / "progress.json"));
    CHECK_THAT(page, Contains("<section id=\"" + name + "\">") && Contains("href=\"#" + name + "\""));
  }
  CHECK(results["runs"].size() == runs);
  CHECK_THAT(page, Contains("first 60 images"));
}

TEST_CASE("app: a demo that was interrupted goes on with the experiment that was under way", "[app][determinism]") {
  const Lab lab;
  REQUIRE(lab.demo("whole", {"--quiet"}).status == 0);
  const Outcome cut = lab.demo("cut", {}, "lora:");
  REQUIRE(cut.status == 1);
  CHECK_THAT(cut.err, Contains("interrupted in run lora") && Contains("--resume"));
  CHECK_FALSE(fs::exists(lab.folder / "cut/report.html"));
  const Outcome resumed = lab.demo("cut", {"--resume"});
  INFO(resumed.err);
  REQUIRE(resumed.status == 0);
  CHECK_THAT(resumed.err, !Contains("lora-r1:"));  // a run of the first experiment, which was done
  CHECK(lasting(lab.json("whole/results.json")) == lasting(lab.json("cut/results.json")));
  CHECK_THAT(lab.demo("cut", {"--resume"}).err, Contains("no unfinished experiment"));
}

TEST_CASE("app: demo --json gives one object on stdout, --quiet nothing", "[app]") {
  const Lab lab;
  const Outcome json = lab.demo("out", {"--json"});
  REQUIRE(json.status == 0);
  CHECK(Json::parse(json.out) == lab.json("out/results.json"));
  const Outcome quiet = lab.demo("out", {"--quiet"});
  CHECK(quiet.status == 0);
  CHECK(quiet.out.empty());
  CHECK(quiet.err.find("Experiment") == std::string::npos);
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
