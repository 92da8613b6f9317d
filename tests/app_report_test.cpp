// What mnist_lora writes around its measurements: results.json, figures, report, tables, and its command line.

#include <catch2/catch.hpp>

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <sstream>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "apps/mnist_lora/command_line.hpp"
#include "apps/mnist_lora/console.hpp"
#include "apps/mnist_lora/digits_plots.hpp"
#include "apps/mnist_lora/digits_report.hpp"
#include "apps/mnist_lora/html.hpp"
#include "apps/mnist_lora/lists.hpp"
#include "apps/mnist_lora/options.hpp"
#include "apps/mnist_lora/report_tables.hpp"
#include "apps/mnist_lora/text.hpp"
#include "core/base/error.hpp"
#include "core/base/file.hpp"
#include "tests/support/temp_folder.hpp"

namespace {

using namespace mnist_lora;
namespace fs = std::filesystem;
using Catch::Matchers::Contains;
using Json = nlohmann::ordered_json;
using lora::datasets::DigitSet;
using lora::test::TempFolder;

constexpr const char* kNasty = "it's <b>\"&\"</b> `false` $x @y {z}^2";

Run made_run(const std::string& name, const std::string& adapter, int rank, double accuracy) {
  Run run{name, adapter, rank,   2.0 * rank, adapter == "none" ? "0-4" : "5-9", {55050 + 1050 * rank, 1050 * rank, 1050 * rank}, {}, false,
          1.5,  4096,    220200, {}};
  run.epochs = {{1, 0.5, 1e-3, accuracy - 1, 0.75}, {2, 0.25, 1e-3, accuracy, 0.75}};
  for (const char* digits : {"5-9", "0-4", "0-9"}) {
    run.test.push_back({digits, true, accuracy, 0.125, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}});
    if (adapter != "none") {
      run.test.push_back({digits, false, 10.0, 2.5, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}});
    }
  }
  return run;
}

Results made_results(const std::string& adapter_name = "lora-r4") {
  Results results{"digits", "1.2.3", "cpu", 2, std::numeric_limits<std::uint64_t>::max(), 12.5, 1u << 20, {}};
  results.runs = {made_run("base", "none", 0, 20.0), made_run(adapter_name, "lora", 4, 96.5), made_run("lora-r8", "lora", 8, 98.25)};
  results.runs.back().stopped_early = true;
  return results;
}

std::vector<std::string> keys(const Json& object) {
  std::vector<std::string> out;
  for (const auto& item : object.items()) {
    out.push_back(item.key());
  }
  return out;
}

using Keys = std::vector<std::string>;

/// What a command line of a small app gives: exit status and what it said.
struct Outcome {
  int status = 0;
  std::string out, err;
};

class Captured {
 public:
  explicit Captured(std::ostream& stream) : stream_(stream), old_(stream.rdbuf(text_.rdbuf())) {}
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;
  ~Captured() { stream_.rdbuf(old_); }
  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::ostream& stream_;
  std::streambuf* old_;
};

struct Given {
  CommonOptions common;
  std::vector<int> ranks{1, 2};
  DigitSet tune{5, 6, 7, 8, 9};
  std::vector<std::string> adapters{"lora"};
};

Outcome run_line(std::vector<const char*> arguments, Given& given) {
  CLI::App app("test app", "mnist_lora");
  app.require_subcommand(1);
  describe(app, {"mnist_lora digits"});
  CLI::App* command = app.add_subcommand("digits", "a command");
  given.common.out = "out/digits";
  add_ranks_option(*command, "--ranks", given.ranks, "ranks");
  add_digits_option(*command, "--tune", given.tune, "digits");
  add_names_option(*command, "--adapters", given.adapters, {"lora", "dora"}, "adapters");
  add_common_options(*command, given.common);
  describe(*command, {"mnist_lora digits --ranks 8"});
  command->callback([&given] { lora::require(given.common.epochs != 7, "digits", "seven epochs bring bad luck; use eight"); });
  arguments.insert(arguments.begin(), "mnist_lora");
  Outcome outcome;
  const Captured out(std::cout), err(std::cerr);
  outcome.status = run_cli(app, static_cast<int>(arguments.size()), arguments.data());
  outcome.out = out.text();
  outcome.err = err.text();
  return outcome;
}

Outcome run_line(const std::vector<const char*>& arguments) {
  Given given;
  return run_line(arguments, given);
}

std::size_t count_of(const std::string& text, const std::string& what) {
  std::size_t count = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("app: results.json has exactly the documented keys in their order", "[app]") {
  const Json json = to_json(made_results());
  CHECK(keys(json) == Keys{"command", "version", "device", "dtype", "threads", "seed", "seconds", "peak_bytes", "runs"});
  const Json& run = json["runs"][1];
  CHECK(keys(run) == Keys{"name", "adapter", "rank", "alpha", "train_digits", "parameters", "epochs", "stopped_early", "seconds",
                          "peak_bytes", "weight_bytes", "test"});
  CHECK(keys(run["parameters"]) == Keys{"total", "trainable", "added"});
  CHECK(keys(run["epochs"][0]) == Keys{"epoch", "loss", "lr", "val_accuracy", "seconds"});
  CHECK(keys(run["test"][0]) == Keys{"digits", "enabled", "accuracy", "loss", "errors_per_digit"});
  CHECK(run["test"][0]["errors_per_digit"].size() == 10);
  CHECK(run["stopped_early"].is_boolean());
  CHECK(run["rank"].is_number_integer());
}

TEST_CASE("app: results survive the way through the file", "[app]") {
  const TempFolder folder;
  Results results = made_results(kNasty);
  results.runs[1].epochs[0].loss = 0.1 + 0.2;  // no short decimal form
  write_results(folder.path() / "results.json", results);
  const Results back = read_results(folder.path() / "results.json");
  CHECK(to_json(back) == to_json(results));
  CHECK(back.seed == std::numeric_limits<std::uint64_t>::max());
  CHECK(back.runs[1].name == kNasty);
  CHECK(back.runs[1].epochs[0].loss == 0.1 + 0.2);
  CHECK(back.runs[2].stopped_early);
  CHECK(back.runs[2].test[3].errors_per_digit[9] == 10);
  CHECK_FALSE(back.runs[2].test[3].enabled);
}

TEST_CASE("app: a loss that is not finite is null in the file and NaN again", "[app]") {
  Results results = made_results();
  results.runs[0].epochs[1].loss = std::numeric_limits<double>::infinity();
  const std::string text = to_text(results);
  REQUIRE(Json::parse(text)["runs"][0]["epochs"][1]["loss"].is_null());
  CHECK(std::isnan(results_from_json(Json::parse(text), "x").runs[0].epochs[1].loss));
}

TEST_CASE("app: a faulty results.json is an error that names file and key", "[app]") {
  const TempFolder folder;
  const fs::path path = folder.path() / "results.json";
  const auto reading = [&](const std::string& text) {
    std::ofstream(path) << text;
    return read_results(path);
  };
  Json json = to_json(made_results());
  json["runs"][1]["epochs"][0].erase("lr");
  CHECK_THROWS_WITH(reading(json.dump()), Contains("results.json: runs[1].epochs[0]") && Contains("'lr'"));
  json = to_json(made_results());
  json["runs"][0]["rank"] = 1.5;
  CHECK_THROWS_WITH(reading(json.dump()), Contains("runs[0].rank is not an integer"));
  json["runs"][0]["rank"] = 5'000'000'000;
  CHECK_THROWS_WITH(reading(json.dump()), Contains("runs[0].rank is out of range"));
  json = to_json(made_results());
  json["runs"][0]["test"][1]["errors_per_digit"].erase(0);
  CHECK_THROWS_WITH(reading(json.dump()), Contains("runs[0].test[1].errors_per_digit is not an array of 10 integers"));
  json["runs"] = "none";
  CHECK_THROWS_WITH(reading(json.dump()), Contains("runs is not an array but string"));
  CHECK_THROWS_WITH(reading(to_text(made_results()).substr(0, 300)), Contains("is not JSON at byte"));
  CHECK_THROWS_WITH(reading("[]"), Contains("is not an object"));
  CHECK_THROWS_AS(read_results(folder.path() / "missing.json"), lora::Error);
}

TEST_CASE("app: numbers read well", "[app]") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(55050) == "55,050");
  CHECK(grouped(-1234567) == "-1,234,567");
  CHECK(duration(0.0123) == "12.3 ms");
  CHECK(duration(59.96) == "1 min 00 s");
  CHECK(duration(3723) == "1 h 02 min");
  CHECK(bytes(1023) == "1023 B");
  CHECK(bytes(3u << 20) == "3.0 MiB");
  CHECK(fixed(std::nan(""), 2) == "-");
  CHECK(exact(std::nan("")) == "NaN");
  CHECK(display_width("✓ 1") == 3);
}

TEST_CASE("app: HTML text is escaped", "[app]") {
  CHECK(escape_html("<a href=\"x\">'&'</a>\x01") == "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
  Report report;
  report.title = report.summary = "<script>alert(1)</script>";
  report.notices = report.footnotes = {report.title};
  report.key_numbers = {{report.title, report.title}};
  report.settings = {{report.title, report.title}};
  report.results = {{report.title, {report.title, "n"}, {{{report.title}, {report.title, true}}}, 1, report.title}};
  const std::string page = report_page(report);
  CHECK(page.find("<script") == std::string::npos);
  CHECK(count_of(page, "&lt;script&gt;alert(1)&lt;/script&gt;") == 16);
}

TEST_CASE("app: gnuplot strings show text as it is", "[app]") {
  CHECK(quote("plain") == "'plain'");
  CHECK(quote("it's") == "'it''s'");
  CHECK(quote("a\nb") == "'a'.\"\\n\".'b'");
  CHECK(quote("`date` \"$x\" \\n") == "'`date` \"$x\" \\n'");
  CHECK(quote("bell\a") == "'bell '");
}

TEST_CASE("app: SVG figures in one page have ids of their own", "[app]") {
  const std::string svg =
      "<?xml version=\"1.0\"?>\n<svg><circle id='dot'/><g id=\"g\" clip-path=\"url(#c)\"><use xlink:href='#dot' "
      "fill='#0072b2'/></g></svg>";
  CHECK(inline_svg(svg, "a-") ==
        "<svg><circle id='a-dot'/><g id=\"a-g\" clip-path=\"url(#a-c)\"><use xlink:href='#a-dot' "
        "fill='#0072b2'/></g></svg>");
  const std::string clean =
      clean_svg("<svg width=\"1\"><title>Gnuplot</title><desc>x</desc><g id=\"p\"><title>a</title></g></svg>", "A & \"B\"");
  CHECK(clean == "<svg role=\"img\" aria-label=\"A &amp; &quot;B&quot;\" width=\"1\"><g id=\"p\"></g></svg>");
}

TEST_CASE("app: without gnuplot the report has its tables and says why there are no figures", "[app]") {
  const TempFolder folder;
  const std::string missing = GENERATE(true, false) ? "no-such-gnuplot" : (folder.path() / "gnuplot").string();
  CHECK_FALSE(gnuplot_available(missing));
  CHECK_THROWS_WITH(render_figures({}, folder.path(), missing), Contains("is not installed") && Contains("gnuplot-nox"));
  const std::string notice = write_digits_report(folder.path(), made_results(), DigitsStory(), missing).notice;
  CHECK_THAT(notice, Contains("No figures") && Contains("apt-get install"));
  const std::string page = lora::read_text_file(folder.path() / "report.html");
  CHECK_THAT(page, Contains(escape_html(notice)) && Contains("98.25") && !Contains("<svg"));
}

TEST_CASE("app: a gnuplot that fails is reported with what it says, and leaves nothing", "[app]") {
  const TempFolder folder;
  const fs::path fake = folder.path() / "gnuplot";
  std::ofstream(fake) << "#!/bin/sh\necho no such terminal >&2\nexit 1\n";
  fs::permissions(fake, fs::perms::owner_all);
  const std::string notice = write_digits_report(folder.path() / ".", made_results(), DigitsStory(), fake.string()).notice;
  CHECK_THAT(notice, Contains("no such terminal"));
  CHECK(fs::is_empty(folder.path() / "plots"));
  CHECK(fs::exists(folder.path() / "report.html"));
}

TEST_CASE("app: figures of hostile names and numbers are drawn as SVG and PNG", "[app]") {
  if (!gnuplot_available()) {
    WARN("gnuplot is not installed: figures are not drawn");
    return;
  }
  const TempFolder folder;
  const fs::path plots = folder.path() / "a 'plots' folder";
  Results results = made_results(kNasty);
  results.runs[0].epochs[0].loss = std::nan("");
  results.runs[0].test[0].accuracy = std::nan("");
  results.runs[1].epochs.resize(1);
  const std::vector<Figure> figures = digits_figures(results, "5-9", kNasty, {{"lora-r8", 97.0}}, std::vector<GridDigit>(9));
  REQUIRE(figures.size() == 4);
  const std::vector<std::string> svgs = render_figures(figures, plots);
  REQUIRE(svgs.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(lora::read_text_file(plots / (figures[i].name + ".svg")) == svgs[i]);
    CHECK_THAT(svgs[i], Contains("</svg>") && Contains("role=\"img\""));
    CHECK(lora::read_text_file(plots / (figures[i].name + ".png")).substr(1, 3) == "PNG");
  }
  CHECK_THAT(svgs[1], Contains("it's &lt;b>") && Contains("`false` $x @y {z}^2"));
  CHECK(std::distance(fs::directory_iterator(plots), fs::directory_iterator()) == 8);
}

TEST_CASE("app: the report has figures, published numbers and settings", "[app]") {
  if (!gnuplot_available()) {
    WARN("gnuplot is not installed: figures are not drawn");
    return;
  }
  const TempFolder folder;
  DigitsStory story;
  story.published = {{"lora-r8", 97.125}};
  story.published_note = "Published numbers are from a paper.";
  story.settings = {{"Command line", "mnist_lora digits --ranks 4,8"}};
  CHECK(write_digits_report(folder.path(), made_results(), story).notice.empty());
  const std::string page = lora::read_text_file(folder.path() / "report.html");
  CHECK(count_of(page, "<svg") == 3);
  CHECK(count_of(page, " id='accuracy_by_rank-gpDot'") == 1);
  CHECK(count_of(page, " id='gpDot'") == 0);
  CHECK_THAT(page, Contains("lang=\"en\"") && Contains("97.1") && Contains(story.published_note) && Contains("--ranks 4,8"));
  CHECK_THAT(page, !Contains("<script") && !Contains("src=") && !Contains("@import"));
}

TEST_CASE("app: the report says that the base is back only if it was measured", "[app]") {
  Results results = made_results();
  CHECK_THAT(digits_report(results, DigitsStory()).summary, Contains("disabled, the base is back"));
  results.runs[1].test.back().errors_per_digit[0] += 1;
  CHECK_THAT(digits_report(results, DigitsStory()).summary, !Contains("base is back"));
}

TEST_CASE("app: the table of runs marks the best adapter of each column", "[app]") {
  const ReportTable table = runs_table(made_results(), "5-9", {{"lora-r8", 97.0}});
  REQUIRE(table.rows.size() == 3);
  for (const auto& row : table.rows) {
    CHECK(row.size() == table.header.size());
  }
  const auto tuned = static_cast<std::size_t>(std::find(table.header.begin(), table.header.end(), "Digits 5-9") - table.header.begin());
  REQUIRE(tuned < table.header.size());
  CHECK(table.rows[2][tuned].text == "98.25");
  CHECK(table.rows[2][tuned].strong);
  CHECK_FALSE(table.rows[1][tuned].strong);
  CHECK(table.rows[1][4].text == "4,200");
  CHECK(table.rows[1][5].text == "7.6 %");
  CHECK(best_run(made_results(), "5-9")->name == "lora-r8");
}

TEST_CASE("app: the summary on the terminal is aligned, and plain without colour", "[app]") {
  std::ostringstream plain, coloured;
  print_summary(plain, made_results(), "5-9", false);
  print_summary(coloured, made_results(), "5-9", true);
  CHECK(plain.str().find('\x1b') == std::string::npos);
  CHECK_THAT(coloured.str(), Contains("\x1b[32m98.25\x1b[0m"));
  std::istringstream lines(plain.str());
  std::string first, line;
  std::getline(lines, first);
  CHECK_THAT(first, Contains("rank") && Contains("5-9 %") && Contains("0-4 %") && Contains("0-9 %"));
  while (std::getline(lines, line)) {
    CHECK(line.size() == first.size());
  }
}

TEST_CASE("app: NO_COLOR is obeyed and a file gets no colour", "[app]") {
  std::FILE* file = std::tmpfile();
  REQUIRE(file != nullptr);
  CHECK_FALSE(use_colour(file));
  std::fclose(file);
}

TEST_CASE("app: a good command line is understood", "[app]") {
  Given given;
  const Outcome outcome = run_line({"digits", "--ranks", "4,16", "--tune", "8,3,6", "--adapters", "dora,lora", "--lr", "0.5", "--seed",
                                    "18446744073709551615", "--threads", "3", "--json", "--out", "/x", "--limit", "100"},
                                   given);
  CAPTURE(outcome.err);
  CHECK(outcome.status == kExitOk);
  CHECK(given.ranks == std::vector<int>{4, 16});
  CHECK(given.tune == DigitSet{3, 6, 8});
  CHECK(given.adapters == std::vector<std::string>{"dora", "lora"});
  CHECK(given.common.lr == 0.5);
  CHECK(given.common.seed == std::numeric_limits<std::uint64_t>::max());
  CHECK(given.common.threads == 3);
  CHECK(given.common.limit == 100);
  CHECK(given.common.json);
  CHECK(given.common.out == "/x");
}

TEST_CASE("app: bad usage exits with 2, says what is wrong, and keeps stdout empty", "[app]") {
  using Line = std::vector<const char*>;
  const auto [line, text] = GENERATE(table<Line, std::string>({
      {Line{}, "choose from digits"},
      {Line{"nope"}, "no command nope"},
      {Line{"digits", "--bogus"}, "--bogus"},
      {Line{"digits", "--ranks", "1,2,x"}, "'x'"},
      {Line{"digits", "--ranks", "0"}, "from 1 to"},
      {Line{"digits", "--ranks", "4,,8"}, "the part ''"},
      {Line{"digits", "--ranks", "4,4"}, "4 twice"},
      {Line{"digits", "--ranks"}, "--ranks"},
      {Line{"digits", "--tune", "5-9,x"}, "5-9,x"},
      {Line{"digits", "--adapters", "lora,foo"}, "choose from lora, dora"},
      {Line{"digits", "--lr", "0"}, "above 0"},
      {Line{"digits", "--lr", "nan"}, "above 0"},
      {Line{"digits", "--lr", "inf"}, "above 0"},
      {Line{"digits", "--threads", "0"}, "from 1 to"},
      {Line{"digits", "--seed", "-1"}, "--seed"},
      {Line{"digits", "--seed", "18446744073709551616"}, "--seed"},
      {Line{"digits", "--epochs", "1.5"}, "--epochs"},
      {Line{"digits", "--batch-size", "0"}, "--batch-size"},
      {Line{"digits", "--patience", "-2"}, "--patience"},
      {Line{"digits", "--device", "tpu"}, "cpu, cuda or auto"},
  }));
  const Outcome outcome = run_line(line);
  CHECK(outcome.status == kExitUsage);
  CHECK(outcome.out.empty());
  CHECK_THAT(outcome.err, Contains(text) && Contains("--help"));
}

TEST_CASE("app: a failed run exits with 1 and says why on stderr", "[app]") {
  const Outcome outcome = run_line({"digits", "--epochs", "7"});
  CHECK(outcome.status == kExitFailed);
  CHECK(outcome.out.empty());
  CHECK(outcome.err == "mnist_lora: error: [digits] seven epochs bring bad luck; use eight\n");
}

TEST_CASE("app: help shows groups, defaults and examples on stdout", "[app]") {
  const Outcome outcome = run_line({"digits", "--help"});
  CHECK(outcome.status == kExitOk);
  CHECK(outcome.err.empty());
  CHECK_THAT(outcome.out, Contains("ranks [1,2]") && Contains("[5-9]") && Contains("[0.001]") && Contains("[out/digits]"));
  CHECK_THAT(outcome.out, Contains("Training:") && Contains("Examples:\n  mnist_lora digits --ranks 8") && !Contains("\n\n\n"));
}
