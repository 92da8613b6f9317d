#include "core/ops/attention.hpp"
#include "tests/golden_check/op_runner.hpp"

namespace lora::test {

namespace {

Outputs run_attention(const NamedInputs& in, const Json& attributes) {
  AttentionOptions options;
  options.is_causal = attributes.value("is_causal", false);
  if (const auto scale = attributes.find("scale"); scale != attributes.end() && !scale->is_null()) {
    options.scale = scale->get<double>();
  }
  if (const auto mask = in.find("attn_mask"); mask != in.end()) {
    options.attn_mask = mask->second;
  }
  return {{"y", scaled_dot_product_attention(in.at("q"), in.at("k"), in.at("v"), options)}};
}

}  // namespace

void add_attention_runners(OpRunners& runners) {
  runners["scaled_dot_product_attention"] = {{"q", "k", "v"}, {}, run_attention, {"attn_mask"}, {"is_causal", "scale"}};
}

}  // namespace lora::test
