// The names and the JSON of 4-bit weights in bitsandbytes' files.

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/ops/convert.hpp"
#include "nn/packed_weight.hpp"

namespace lora::nn {

namespace {

using Json = nlohmann::json;

constexpr std::array<std::pair<DType, std::string_view>, 4> kTypeNames{
    {{DType::f32, "float32"}, {DType::f64, "float64"}, {DType::f16, "float16"}, {DType::bf16, "bfloat16"}}};

std::string type_name(DType dtype) {
  for (const auto& [type, text] : kTypeNames) {
    if (type == dtype) {
      return std::string(text);
    }
  }
  fail("quant_state", "no weight of ", dtype, " is kept in 4 bits");
}

DType type_of(const std::string& text) {
  for (const auto& [type, known] : kTypeNames) {
    if (text == known) {
      return type;
    }
  }
  fail("quant_state", "'dtype' is '", text, "'; known are float32, float64, float16 and bfloat16");
}

std::string shape_text(const Shape& shape) {
  std::string text;
  for (const Index size : shape) {
    text += (text.empty() ? "" : ", ") + std::to_string(size);
  }
  return '[' + text + ']';
}

/// With the blanks of Python's json.dumps, as bitsandbytes writes it.
std::string to_json(const Quantized4Bit& q) {
  std::string text = R"({"quant_type": ")" + std::string(name(q.quant_type)) + R"(", "blocksize": )" + std::to_string(q.blocksize) +
                     R"(, "dtype": ")" + type_name(q.dtype) + R"(", "shape": )" + shape_text(q.shape);
  if (q.nested()) {
    text += R"(, "nested_blocksize": )" + std::to_string(q.nested_blocksize) + R"(, "nested_dtype": "float32", "nested_offset": )" +
            Json(static_cast<double>(q.offset)).dump();
  }
  return text + "}";
}

Json parse(const Tensor& bytes) {
  constexpr Index kLongest = 1 << 16;
  require(bytes.dtype() == DType::u8 && bytes.numel() <= kLongest, "quant_state", "expected at most ", kLongest, " bytes of JSON, got ",
          bytes);
  const auto text = bytes.to_vector<std::uint8_t>();
  const Json json = Json::parse(text.begin(), text.end(), [](int depth, Json::parse_event_t, Json&) { return depth < 4; });
  require(json.is_object(), "quant_state", "expected a JSON object");
  return json;
}

QuantType quant_type_of(const std::string& text) {
  require(text == "nf4" || text == "fp4", "quant_state", "'quant_type' is '", text, "'; known are nf4 and fp4");
  return text == "nf4" ? QuantType::nf4 : QuantType::fp4;
}

Shape shape_of(const Json& json) {
  const auto sizes = json.get<std::vector<Index>>();
  require(sizes.size() <= static_cast<std::size_t>(kMaxDims), "quant_state", "'shape' has ", sizes.size(), " axes, at most ", kMaxDims,
          " are possible");
  Shape shape;
  for (const Index size : sizes) {
    shape.push_back(size);
  }
  check_sizes("quant_state", shape);
  return shape;
}

void read_json(const Json& json, Quantized4Bit& q) {
  q.quant_type = quant_type_of(json.at("quant_type").get<std::string>());
  q.blocksize = json.at("blocksize").get<Index>();
  q.dtype = type_of(json.at("dtype").get<std::string>());
  q.shape = shape_of(json.at("shape"));
  if (json.contains("nested_blocksize")) {
    q.nested_blocksize = json.at("nested_blocksize").get<Index>();
    q.offset = static_cast<float>(json.at("nested_offset").get<double>());
    require(json.value("nested_dtype", "float32") == "float32", "quant_state", "'nested_dtype' must be float32");
  }
}

/// Copies the tensors and takes from the state what they do not say.
Quantized4Bit from_entries(const StateDict& entries, const std::string& state_key) {
  Quantized4Bit q;
  for (const auto& [name, tensor] : entries) {
    if (name == state_key) {
      read_json(parse(tensor), q);
    }
    for (const auto& [part, place] : {std::pair<const char*, Tensor*>{"weight", &q.packed},
                                      {"weight.absmax", &q.absmax},
                                      {"weight.quant_map", &q.code},
                                      {"weight.nested_absmax", &q.nested_absmax},
                                      {"weight.nested_quant_map", &q.nested_code}}) {
      if (name == part) {
        *place = clone(tensor.detach());
      }
    }
  }
  return q;
}

}  // namespace

StateDict packed_entries(const Quantized4Bit& q) {
  const std::string json = to_json(q);
  const std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t*>(json.data()), json.size());
  StateDict entries{{"weight", q.packed}, {"weight.absmax", q.absmax}, {"weight.quant_map", q.code}};
  if (q.nested()) {
    entries.push_back({"weight.nested_absmax", q.nested_absmax});
    entries.push_back({"weight.nested_quant_map", q.nested_code});
  }
  entries.push_back({std::string(kQuantStateKey) + std::string(name(q.quant_type)), from_values(bytes, {static_cast<Index>(json.size())})});
  return entries;
}

Quantized4Bit read_packed_entries(const std::string& path, const StateDict& entries) {
  std::string key;
  for (const auto& [name, tensor] : entries) {
    if (name.starts_with(kQuantStateKey)) {
      require(key.empty(), "quant_state", path, " has two: '", key, "' and '", name, "'");
      key = name;
    }
  }
  const std::string where = "key '" + (path.empty() ? key : path + "." + key) + "'";
  try {
    Quantized4Bit q = from_entries(entries, key);
    check_quantized("quant_state", q);
    require(key == std::string(kQuantStateKey) + std::string(name(q.quant_type)), "quant_state", "its 'quant_type' is ", q.quant_type);
    return q;
  } catch (const Json::exception& error) {
    fail("quant_state", where, " is not what bitsandbytes writes: ", error.what());
  } catch (const Error& error) {
    fail("quant_state", where, ": ", error.what());
  }
}

}  // namespace lora::nn
