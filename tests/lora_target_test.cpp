#include "lora/target.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>

#include "lora/lora.hpp"
#include "nn/layers.hpp"
#include "nn/linear.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;
using Names = std::vector<std::string>;

namespace {

/// A tree of named layers: `blocks.1.fc1` is a layer fc1 in a group 1 in a group blocks.
class Tree final : public nn::Module {
 public:
  explicit Tree(const Names& paths) {
    for (const std::string& path : paths) {
      layers_.push_back(std::make_unique<nn::Linear>(2, 2));
      place(path).child(path.substr(path.rfind('.') + 1), *layers_.back());
    }
  }
  Tensor forward(const Tensor& x) const override { return x; }
  std::string describe() const override { return "Tree()"; }

 private:
  Tree() = default;
  Tree& place(const std::string& path) {
    Tree* at = this;
    for (std::size_t begin = 0, dot = path.find('.'); dot != std::string::npos; begin = dot + 1, dot = path.find('.', begin)) {
      at = &at->group(path.substr(begin, dot - begin));
    }
    return *at;
  }
  Tree& group(const std::string& name) {
    for (const auto& [known, tree] : groups_) {
      if (known == name) {
        return *tree;
      }
    }
    groups_.emplace_back(name, std::unique_ptr<Tree>(new Tree()));
    return child(name, *groups_.back().second);
  }

  std::vector<std::unique_ptr<nn::Linear>> layers_;
  std::vector<std::pair<std::string, std::unique_ptr<Tree>>> groups_;
};

/// Like a Linear, but not one.
class Other final : public nn::AdaptableLayer {
 public:
  Other() : AdaptableLayer(ones({1}), {}) {}
  std::string describe() const override { return "Other()"; }
  Tensor apply(const Tensor& x, const Tensor&, const Tensor&) const override { return x; }
  Tensor down(const Tensor& x, const Tensor&) const override { return x; }
  Tensor up(const Tensor&, const Tensor&, double, const Tensor& addend) const override { return addend; }
  Tensor outer(const Tensor&, const Tensor&) const override { return ones({1}); }
  Tensor per_output(const Tensor& values) const override { return values; }
  Shape down_shape(Index) const override { return {1}; }
  Shape up_shape(Index) const override { return {1}; }
  Index fan_in() const override { return 1; }
};

const Names kPaths{"fc1", "fc2", "xfc1", "blocks.0.fc1", "blocks.0.fc2", "blocks.1.fc1", "blocks.10.fc1", "head.fc", "fc1.fc"};

struct Row {
  TargetModules targets, excluded;
  Names chosen;
};

Names chosen(const Row& row) {
  Tree tree(kPaths);
  LoraConfig config;
  config.r = 1;
  config.target_modules = row.targets;
  config.exclude_modules = row.excluded;
  Names out;
  const AttachedAdapter adapter = attach(tree, config);
  for (const NamedLayer& layer : adapter.layers()) {
    out.push_back(layer.path);
  }
  std::sort(out.begin(), out.end());
  return out;
}

Names sorted(Names names) {
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

TEST_CASE("target: layers are chosen by PEFT's rules", "[lora]") {
  const std::vector<Row> rows{
      // a list: the whole path, or its end after a point
      {{"fc1"}, {}, {"fc1", "blocks.0.fc1", "blocks.1.fc1", "blocks.10.fc1"}},
      {{"0.fc1"}, {}, {"blocks.0.fc1"}},
      {{"fc"}, {}, {"head.fc", "fc1.fc"}},
      {{"fc2", "head.fc"}, {}, {"fc2", "blocks.0.fc2", "head.fc"}},
      {{"blocks.1.fc1", "nowhere"}, {}, {"blocks.1.fc1"}},
      {{"fc.", "fc.*", "xfc1"}, {}, {"xfc1"}},  // names are no patterns
      // one string: a pattern for the whole path
      {"fc1", {}, {"fc1"}},
      {".*fc1", {}, {"fc1", "xfc1", "blocks.0.fc1", "blocks.1.fc1", "blocks.10.fc1"}},
      {R"(.*\.fc1)", {}, {"blocks.0.fc1", "blocks.1.fc1", "blocks.10.fc1"}},
      {R"(blocks\.\d\.fc[12])", {}, {"blocks.0.fc1", "blocks.0.fc2", "blocks.1.fc1"}},
      {R"(blocks\.(?!0)\d+\.fc1)", {}, {"blocks.1.fc1", "blocks.10.fc1"}},
      {"fc1|fc2", {}, {"fc1", "fc2"}},
      {"f|fc|fc1", {}, {"fc1"}},  // a shorter alternative first does not hide the whole
      {"all-linear", {}, kPaths},
      {"all", {}, kPaths},
      {"All", {"fc1", "fc2"}, {"xfc1", "head.fc", "fc1.fc"}},
      {"all-conv", {}, {}},
      {"ALL-linear", {}, kPaths},  // PEFT takes the word in any case
      // what is excluded goes first
      {{"fc1"}, {"fc1"}, {}},
      {{"fc1"}, {"blocks.0.fc1"}, {"fc1", "blocks.1.fc1", "blocks.10.fc1"}},
      {"all-linear", {"fc1", "fc2"}, {"xfc1", "head.fc", "fc1.fc"}},
      {"all-linear", R"(blocks\..*|.*fc)", {"fc1", "fc2", "xfc1"}},
      {{"fc1"}, "fc1", {"blocks.0.fc1", "blocks.1.fc1", "blocks.10.fc1"}},
  };
  for (const Row& row : rows) {
    INFO("targets '" << row.targets.pattern() << "' " << Catch::StringMaker<Names>::convert(row.targets.names()) << " without '"
                     << row.excluded.pattern() << "' " << Catch::StringMaker<Names>::convert(row.excluded.names()));
    if (row.chosen.empty()) {
      CHECK_THAT(error_of([&] { chosen(row); }), Contains("name no layer") && Contains("blocks.10.fc1"));
    } else {
      CHECK(chosen(row) == sorted(row.chosen));
    }
  }
}

TEST_CASE("target: all-linear means Linear and no other layer", "[lora]") {
  const nn::Linear linear(1, 1);
  const Other other;
  CHECK(TargetModules("all-linear").matches("a", linear));
  CHECK_FALSE(TargetModules("all-linear").matches("a", other));
  CHECK(TargetModules{"a"}.matches("a", other));
  CHECK_FALSE(TargetModules().matches("a", linear));
  CHECK_FALSE(TargetModules{""}.matches("a", linear));
  CHECK(TargetModules("all-linear").matches("", linear));  // the model itself
}

TEST_CASE("target: a pattern that is none is an error with the pattern, and never a crash", "[lora]") {
  const nn::Linear linear(1, 1);
  for (const std::string& bad :
       {std::string("fc["), std::string("(fc"), std::string("*fc"), std::string("fc\\"), std::string("a{2,1}"), std::string("(?P<n>fc)")}) {
    CHECK_THAT(error_of([&] { (void)TargetModules(bad).matches("fc1", linear); }), Contains("'" + bad + "' is not a regular expression"));
  }
  const std::size_t deep = 200'000;
  CHECK_THAT(error_of([&] { (void)TargetModules(std::string(deep, '(') + std::string(deep, ')')).matches("fc1", linear); }),
             Contains("target_modules"));
  CHECK_THAT(error_of([&] { (void)TargetModules(std::string(deep, '(')).matches("fc1", linear); }), Contains("target_modules"));
}
