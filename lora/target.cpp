#include "lora/target.hpp"

#include <algorithm>
#include <cctype>
#include <regex>

#include "nn/linear.hpp"

namespace lora {

namespace {

bool is_suffix(std::string_view path, std::string_view name) {
  return path == name || (path.size() > name.size() && path.ends_with(name) && path[path.size() - name.size() - 1] == '.');
}

// Far beyond any choice of layers; the library's recursion over brackets stays within a stack.
constexpr std::size_t kMaxPattern = 4096;

bool matches_pattern(std::string_view path, const std::string& pattern) {
  require(pattern.size() <= kMaxPattern, "attach", "a regular expression of target_modules or exclude_modules has ", pattern.size(),
          " characters, at most ", kMaxPattern, " are read");
  try {
    return std::regex_match(path.begin(), path.end(), std::regex(pattern));
  } catch (const std::regex_error& error) {
    fail("attach", "'", pattern, "' is not a regular expression: ", error.what(), "; see target_modules and exclude_modules");
  }
}

}  // namespace

bool TargetModules::all_linear() const {
  return std::equal(pattern_.begin(), pattern_.end(), kAllLinear.begin(), kAllLinear.end(),
                    [](unsigned char a, unsigned char b) { return std::tolower(a) == b; });
}

bool TargetModules::matches(std::string_view path, const nn::AdaptableLayer& layer) const {
  if (all_linear()) {
    return dynamic_cast<const nn::Linear*>(&layer) != nullptr;
  }
  if (!pattern_.empty()) {
    return matches_pattern(path, pattern_);
  }
  return std::any_of(names_.begin(), names_.end(), [&](const std::string& name) { return is_suffix(path, name); });
}

std::vector<NamedLayer> adaptable_layers(nn::Module& model) {
  std::vector<NamedLayer> layers;
  for (const auto& [path, module] : model.named_modules()) {
    if (auto* layer = dynamic_cast<nn::AdaptableLayer*>(module)) {
      layers.push_back({path, layer});
    }
  }
  return layers;
}

}  // namespace lora
