#include "apps/mnist_lora/layer_guess.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "core/base/error.hpp"

namespace mnist_lora {

namespace {

using lora::Index;
using Shape = std::vector<Index>;
using Json = nlohmann::json;

constexpr std::string_view kPeftPrefix = "base_model.model.";
constexpr std::string_view kQuantState = ".quant_state.";
constexpr std::array<std::string_view, 6> kLeaves{"weight", "bias", "running_mean", "running_var", "num_batches_tracked", "scale"};
constexpr std::array<std::string_view, 3> kBuffers{"running_mean", "running_var", "num_batches_tracked"};

bool is_leaf(std::string_view segment) {
  return segment.starts_with("lora_") || std::find(kLeaves.begin(), kLeaves.end(), segment) != kLeaves.end();
}

/// Layer and leaf of a name. Where no part of it is a leaf, the last is.
std::pair<std::string, std::string> split(std::string_view name) {
  if (name.starts_with(kPeftPrefix)) {
    name.remove_prefix(kPeftPrefix.size());
  }
  for (std::size_t begin = 0; begin < name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    if (is_leaf(name.substr(begin, end - begin)) || end == name.size()) {
      return {std::string(name.substr(0, begin == 0 ? 0 : begin - 1)), std::string(name.substr(begin))};
    }
    begin = end + 1;
  }
  return {"", std::string(name)};
}

/// Numbers in names by their value.
bool natural_less(const std::string& a, const std::string& b) {
  std::size_t i = 0, j = 0;
  const auto digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
  const auto number = [&digit](const std::string& text, std::size_t& at) {
    const std::size_t begin = std::min(text.find_first_not_of('0', at), text.size());
    for (at = std::max(begin, at); at < text.size() && digit(text[at]); ++at) {
    }
    return text.substr(begin, at - begin);
  };
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      const std::string x = number(a, i), y = number(b, j);
      if (x != y) {
        return std::pair(x.size(), x) < std::pair(y.size(), y);
      }
    } else if (a[i] != b[j]) {
      return a[i] < b[j];
    } else {
      ++i;
      ++j;
    }
  }
  return std::pair(a.size() - i, a) < std::pair(b.size() - j, b);
}

const GuessedTensor* find(const GuessedLayer& layer, std::string_view leaf) {
  const auto at = std::find_if(layer.tensors.begin(), layer.tensors.end(), [&](const GuessedTensor& t) { return t.leaf == leaf; });
  return at != layer.tensors.end() ? &*at : nullptr;
}

/// A shape may claim more than its bytes hold where it is that of an empty tensor or of an unknown dtype: sums must stay in 63 bits.
std::int64_t elements_of(const Shape& shape) {
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  std::int64_t product = 1;
  for (const Index dim : shape) {
    if (dim <= 0) {
      return 0;
    }
    if (__builtin_mul_overflow(product, dim, &product) || product > kMost) {
      return kMost;
    }
  }
  return product;
}

/// bitsandbytes' description of a 4-bit weight: JSON in a tensor of bytes.
struct QuantState {
  std::string type;
  Shape shape;
};

std::optional<QuantState> read_quant_state(const lora::TensorListing& tensor, std::span<const std::byte> file) {
  const auto* text = reinterpret_cast<const char*>(file.data() + tensor.offset);
  const auto flat = [](int depth, Json::parse_event_t, Json&) { return depth < 4; };
  try {
    const Json json = Json::parse(text, text + tensor.bytes, flat);
    return QuantState{json.at("quant_type").get<std::string>(), json.at("shape").get<Shape>()};
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

std::optional<QuantState> quant_state_of(const GuessedLayer& layer, std::span<const std::byte> file) {
  const GuessedTensor* weight = find(layer, "weight");
  for (const GuessedTensor& tensor : layer.tensors) {
    if (weight != nullptr && tensor.leaf.find(kQuantState) != std::string::npos) {
      const std::optional<QuantState> state = read_quant_state(tensor.listing, file);
      const bool fits = state && (elements_of(state->shape) + 1) / 2 == static_cast<std::int64_t>(weight->listing.bytes);
      return fits ? state : std::nullopt;
    }
  }
  return std::nullopt;
}

std::string number(Index value) { return std::to_string(value); }

/// `3x3` of the axes after the first two.
std::string kernel_text(const Shape& shape) {
  std::string text;
  for (std::size_t i = 2; i < shape.size(); ++i) {
    text += (i == 2 ? "" : "x") + number(shape[i]);
  }
  return text;
}

/// A layer that goes from `in` with the further axes of a kernel to `out`.
std::string map_text(Index out, const Shape& in) {
  const std::string ends = number(in[1]) + " -> " + number(out);
  return in.size() == 2 ? "Linear " + ends : "Conv" + number(static_cast<Index>(in.size()) - 2) + "d " + ends + ", " + kernel_text(in);
}

bool is_embedding(const GuessedLayer& layer) {
  const std::string last = layer.name.substr(layer.name.rfind('.') + 1);
  return find(layer, "bias") == nullptr && (last.find("emb") != std::string::npos || last == "wte" || last == "wpe");
}

std::string kind_of_weight(const GuessedLayer& layer, const Shape& shape) {
  if (shape.size() == 1) {
    return "Norm " + number(shape[0]);
  }
  if (shape.size() == 2 && is_embedding(layer)) {
    return "Embedding " + number(shape[0]) + " x " + number(shape[1]);
  }
  return shape.size() >= 2 && shape.size() <= 5 ? map_text(shape[0], shape) : "";
}

/// `rank 8 for Linear 784 -> 64`; empty if these are no such pair.
std::string kind_of_pair(const Shape& a, const Shape& b) {
  const bool pair = a.size() >= 2 && a.size() <= 5 && a.size() == b.size() && a[0] == b[1];
  return pair ? "rank " + number(a[0]) + " for " + map_text(b[0], a) : "";
}

std::string kind_of(const GuessedLayer& layer, const std::optional<QuantState>& quant) {
  if (quant) {
    return kind_of_weight(layer, quant->shape) + ", 4-bit " + quant->type;
  }
  const GuessedTensor* a = find(layer, "lora_A.weight");
  const GuessedTensor* b = find(layer, "lora_B.weight");
  if (a != nullptr && b != nullptr) {
    return kind_of_pair(a->listing.shape, b->listing.shape);
  }
  if (const GuessedTensor* mean = find(layer, "running_mean"); mean != nullptr && mean->listing.shape.size() == 1) {
    return "BatchNorm2d " + number(mean->listing.shape[0]);
  }
  const GuessedTensor* weight = find(layer, "weight");
  return weight != nullptr ? kind_of_weight(layer, weight->listing.shape) : "";
}

void count_parameters(GuessedLayer& layer, const std::optional<QuantState>& quant) {
  for (GuessedTensor& tensor : layer.tensors) {
    const bool buffer = std::find(kBuffers.begin(), kBuffers.end(), tensor.leaf) != kBuffers.end();
    const bool of_quantised = quant && tensor.leaf.starts_with("weight.");
    const bool quantised = quant && tensor.leaf == "weight";
    tensor.parameters = buffer || of_quantised ? 0 : elements_of(quantised ? quant->shape : tensor.listing.shape);
  }
}

int place_of(const std::string& leaf) { return leaf.starts_with("weight") ? 0 : leaf == "bias" ? 1 : 2; }

void finish(GuessedLayer& layer, std::span<const std::byte> file) {
  std::stable_sort(layer.tensors.begin(), layer.tensors.end(),
                   [](const GuessedTensor& a, const GuessedTensor& b) { return place_of(a.leaf) < place_of(b.leaf); });
  const std::optional<QuantState> quant = quant_state_of(layer, file);
  layer.kind = kind_of(layer, quant);
  count_parameters(layer, quant);
}

}  // namespace

std::int64_t GuessedLayer::parameters() const {
  std::int64_t sum = 0;
  for (const GuessedTensor& tensor : tensors) {
    sum += tensor.parameters;
  }
  return sum;
}

std::size_t GuessedLayer::bytes() const {
  std::size_t sum = 0;
  for (const GuessedTensor& tensor : tensors) {
    sum += tensor.listing.bytes;
  }
  return sum;
}

std::vector<GuessedLayer> guess_layers(const std::vector<lora::TensorListing>& tensors, std::span<const std::byte> file) {
  std::map<std::string, GuessedLayer, bool (*)(const std::string&, const std::string&)> by_name(natural_less);
  for (const lora::TensorListing& tensor : tensors) {
    const auto [name, leaf] = split(tensor.name);
    GuessedLayer& layer = by_name[name];
    layer.name = name;
    layer.tensors.push_back({tensor, leaf, 0});
  }
  std::vector<GuessedLayer> layers;
  for (auto& entry : by_name) {
    finish(entry.second, file);
    layers.push_back(std::move(entry.second));
  }
  return layers;
}

std::string shape_text(const std::vector<Index>& shape) {
  std::string text;
  for (const Index dim : shape) {
    text += (text.empty() ? "" : ",") + number(dim);
  }
  return '[' + text + ']';
}

}  // namespace mnist_lora
