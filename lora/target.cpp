#include "lora/target.hpp"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <regex>

namespace lora {

namespace {

// Far beyond any choice of layers; the library's recursion over brackets stays within a stack.
constexpr std::size_t kMaxPattern = 4096;

/// The words, and the axes that weights of such layers have; 0 for any.
struct Word {
  std::string_view text;
  int axes;
};

constexpr Word kWords[] = {{"all", 0}, {"all-conv", 4}, {"all-linear", 2}};

const Word* word_of(std::string_view pattern) {
  const auto same = [pattern](const Word& word) {
    return std::equal(pattern.begin(), pattern.end(), word.text.begin(), word.text.end(),
                      [](unsigned char a, unsigned char b) { return std::tolower(a) == b; });
  };
  const auto at = std::find_if(std::begin(kWords), std::end(kWords), same);
  return at == std::end(kWords) ? nullptr : at;
}

}  // namespace

bool is_name_of(std::string_view name, std::string_view path) {
  return path == name || (path.size() > name.size() && path.ends_with(name) && path[path.size() - name.size() - 1] == '.');
}

bool fits_path(const std::string& pattern, std::string_view path) {
  require(pattern.size() <= kMaxPattern, "attach", "a regular expression (target_modules, exclude_modules, a pattern of ranks) has ",
          pattern.size(), " characters, at most ", kMaxPattern, " are read");
  try {
    return std::regex_match(path.begin(), path.end(), std::regex(pattern));
  } catch (const std::regex_error& error) {
    fail("attach", "'", pattern, "' is not a regular expression: ", error.what(),
         "; see target_modules, exclude_modules and the patterns of ranks");
  }
}

bool TargetModules::is_word() const { return word_of(pattern_) != nullptr; }

bool TargetModules::matches(std::string_view path, const nn::AdaptableLayer& layer) const {
  if (const Word* word = word_of(pattern_)) {
    return word->axes == 0 || layer.weight_shape().ndim() == word->axes;
  }
  if (!pattern_.empty()) {
    return fits_path(pattern_, path);
  }
  return std::any_of(names_.begin(), names_.end(), [&](const std::string& name) { return is_name_of(name, path); });
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
