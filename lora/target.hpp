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
/// "." + name), or one regular expression that must fit the whole path; the words `all-linear`, `all-conv` and `all`, in any case, mean
/// every layer with a matrix, every convolution, and both. The expressions are ECMAScript's, which for paths are Python's but for named
/// groups and look-behind.
class TargetModules {
 public:
  TargetModules() = default;
  /// A list of names.
  TargetModules(std::initializer_list<std::string> names) : names_(names) {}
  explicit TargetModules(std::vector<std::string> names) : names_(std::move(names)) {}
  /// A regular expression, or a word.
  TargetModules(std::string pattern) : pattern_(std::move(pattern)) {}
  TargetModules(const char* pattern) : pattern_(pattern) {}

  bool empty() const { return names_.empty() && pattern_.empty(); }
  const std::vector<std::string>& names() const { return names_; }
  const std::string& pattern() const { return pattern_; }
  /// Whether it is one of the words. Readers of files may take other layers for all.
  bool is_word() const;

  /// @throws Error if the pattern is not a regular expression
  bool matches(std::string_view path, const nn::AdaptableLayer& layer) const;

 private:
  std::vector<std::string> names_;
  std::string pattern_;
};

/// Whether a name of a list fits a path: it is the path, or its end after a point.
bool is_name_of(std::string_view name, std::string_view path);

/// Whether a regular expression fits a whole path. @throws Error if it is none
bool fits_path(const std::string& expression, std::string_view path);

/// A layer that can be adapted, with its path in the model.
struct NamedLayer {
  std::string path;
  nn::AdaptableLayer* layer = nullptr;
};

/// All layers of a model that can be adapted, in the model's order.
std::vector<NamedLayer> adaptable_layers(nn::Module& model);

}  // namespace lora
