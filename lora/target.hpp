#pragma once
// Which layers of a model an adapter goes to.

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nn/adaptable.hpp"

namespace lora {

/// A choice of layers by their path in the model, with PEFT's rules: a list of names (a layer fits if its path is a name or ends in
/// "." + name), or one regular expression that must fit the whole path; the word `all-linear`, in any case, means every Linear. The
/// expressions are ECMAScript's, which for paths are Python's but for named groups and look-behind.
class TargetModules {
 public:
  TargetModules() = default;
  /// A list of names.
  TargetModules(std::initializer_list<std::string> names) : names_(names) {}
  explicit TargetModules(std::vector<std::string> names) : names_(std::move(names)) {}
  /// A regular expression, or `all-linear`.
  TargetModules(std::string pattern) : pattern_(std::move(pattern)) {}
  TargetModules(const char* pattern) : pattern_(pattern) {}

  bool empty() const { return names_.empty() && pattern_.empty(); }
  const std::vector<std::string>& names() const { return names_; }
  const std::string& pattern() const { return pattern_; }
  /// The word for every Linear, in any case.
  bool all_linear() const;

  /// @throws Error if the pattern is not a regular expression
  bool matches(std::string_view path, const nn::AdaptableLayer& layer) const;

 private:
  std::vector<std::string> names_;
  std::string pattern_;
};

/// The word for all Linear layers.
inline constexpr std::string_view kAllLinear = "all-linear";

/// A layer that can be adapted, with its path in the model.
struct NamedLayer {
  std::string path;
  nn::AdaptableLayer* layer = nullptr;
};

/// All layers of a model that can be adapted, in the model's order.
std::vector<NamedLayer> adaptable_layers(nn::Module& model);

}  // namespace lora
