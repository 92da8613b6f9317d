#include "core/ops/attention.hpp"

#include "core/ops/convert.hpp"
#include "tests/support/op_case.hpp"

namespace lora::test {

namespace {

Tensor attend(const Tensors& x) { return scaled_dot_product_attention(x[0], x[1], x[2]); }

Tensor attend_causal(const Tensors& x) {
  AttentionOptions options;
  options.is_causal = true;
  return scaled_dot_product_attention(x[0], x[1], x[2], options);
}

Tensor attend_masked(const Tensors& x) {
  AttentionOptions options;
  options.attn_mask = x[3];
  options.scale = 0.7;
  return scaled_dot_product_attention(x[0], x[1], x[2], options);
}

Tensor flags(const std::vector<std::int64_t>& values, const Shape& shape) { return to(from_values(values, shape), DType::boolean); }

}  // namespace

std::vector<OpCase> attention_cases() {
  return {
      {"attention", attend, {random({2, 3, 5, 4}), random({2, 3, 5, 4}), random({2, 3, 5, 4})}},
      {"attention/matrices", attend, {random({3, 2}), random({7, 2}), random({7, 5})}},
      {"attention/vector lengths", attend, {random({2, 33, 3}), random({2, 17, 3}), random({2, 17, 1})}},
      {"attention/broadcast", attend, {random({2, 1, 3, 4}), random({5, 6, 4}), random({1, 6, 2})}},
      {"attention/values broadcast", attend, {random({3, 4}), random({5, 4}), random({2, 5, 2})}},
      {"attention/one key", attend, {random({2, 3, 4}), random({2, 1, 4}), random({2, 1, 4})}},
      {"attention/no keys", attend, {random({2, 3, 4}), random({2, 0, 4}), random({2, 0, 4})}},
      {"attention/no queries", attend, {random({0, 4}), random({3, 4}), random({3, 4})}},
      {"attention/no batch", attend, {random({0, 3, 4}), random({0, 3, 4}), random({0, 3, 4})}},
      {"attention/no features", attend, {random({3, 0}), random({2, 0}), random({2, 4})}},
      {"attention/causal", attend_causal, {random({2, 5, 4}), random({2, 5, 4}), random({2, 5, 3})}},
      {"attention/causal, few keys", attend_causal, {random({5, 4}), random({2, 4}), random({2, 3})}},
      {"attention/causal, many keys", attend_causal, {random({2, 4}), random({19, 4}), random({19, 3})}},
      {"attention/bool mask",
       attend_masked,
       {random({2, 3, 4}), random({2, 3, 4}), random({2, 3, 4}), flags({1, 0, 1, 0, 0, 0, 1, 1, 1}, {3, 3})}},
      {"attention/bool mask of keys",
       attend_masked,
       {random({2, 3, 4}), random({2, 3, 4}), random({2, 3, 4}), flags({1, 0, 1, 0, 0, 1}, {2, 1, 3})}},
      {"attention/float mask", attend_masked, {random({2, 3, 4}), random({2, 5, 4}), random({2, 5, 4}), random({3, 5})}},
      {"attention/float mask of heads",
       attend_masked,
       {random({2, 2, 3, 4}), random({2, 2, 5, 4}), random({2, 2, 5, 4}), random({2, 1, 3, 5})}},
  };
}

}  // namespace lora::test
