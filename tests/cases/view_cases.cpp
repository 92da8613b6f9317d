#include "core/ops/view.hpp"

#include "core/ops/convert.hpp"
#include "tests/support/op_case.hpp"

namespace lora::test {

std::vector<OpCase> view_cases() {
  return {
      {"reshape",
       [](const Tensors& x) {
         return reshape(x[0], {4, -1});
       },
       {random({2, 6})}},
      {"reshape/scalar", [](const Tensors& x) { return reshape(x[0], {}); }, {random({1, 1})}},
      {"reshape/empty",
       [](const Tensors& x) {
         return reshape(x[0], {0, 7});
       },
       {random({3, 0})}},
      {"permute",
       [](const Tensors& x) {
         return permute(x[0], {2, 0, -2});
       },
       {random({2, 3, 4})}},
      {"transpose", [](const Tensors& x) { return transpose(x[0], 0, -1); }, {random({2, 3, 4})}},
      {"t", [](const Tensors& x) { return t(x[0]); }, {random({3, 2})}},
      {"expand",
       [](const Tensors& x) {
         return expand(x[0], {4, 2, 3});
       },
       {random({2, 1})}},
      {"expand/empty",
       [](const Tensors& x) {
         return expand(x[0], {0, 3});
       },
       {random({1, 3})}},
      {"expand/as it is",
       [](const Tensors& x) {
         return expand(x[0], {2, -1, 3});
       },
       {random({4, 1})}},
      {"movedim", [](const Tensors& x) { return movedim(x[0], 0, -1); }, {random({2, 3, 4})}},
      {"movedim/back", [](const Tensors& x) { return movedim(x[0], -1, 1); }, {random({2, 3, 4, 1})}},
      {"slice", [](const Tensors& x) { return slice(x[0], 1, 1, 4); }, {random({2, 5, 3})}},
      {"slice/step", [](const Tensors& x) { return slice(x[0], -1, -6, 100, 3); }, {random({2, 7})}},
      {"slice/one", [](const Tensors& x) { return slice(x[0], 0, 1, 3, 1000); }, {random({4, 2})}},
      {"slice/none", [](const Tensors& x) { return slice(x[0], 0, 3, 1); }, {random({4, 2})}},
      {"slice/empty axis", [](const Tensors& x) { return slice(x[0], 1, 0, 9, 2); }, {random({4, 0})}},
      {"slice/twice", [](const Tensors& x) { return slice(slice(x[0], 1, 1, 9, 2), 0, -1, 9); }, {random({3, 8})}},
      {"select", [](const Tensors& x) { return select(x[0], 1, -1); }, {random({2, 3, 4})}},
      {"select/of a vector", [](const Tensors& x) { return select(x[0], 0, 2); }, {random({3})}},
      {"split", [](const Tensors& x) { return split(x[0], 2, 1)[1]; }, {random({3, 5})}},
      {"split/last", [](const Tensors& x) { return split(x[0], 2, -1)[2]; }, {random({3, 5})}},
      {"split_with_sizes",
       [](const Tensors& x) {
         return split_with_sizes(x[0], {1, 0, 3})[2];
       },
       {random({4, 2})}},
      {"chunk", [](const Tensors& x) { return chunk(x[0], 3)[1]; }, {random({7, 2})}},
      {"narrow", [](const Tensors& x) { return narrow(x[0], 1, 1, 2); }, {random({2, 4, 3})}},
      {"narrow/none", [](const Tensors& x) { return narrow(x[0], 0, 2, 0); }, {random({2, 3})}},
      {"flatten", [](const Tensors& x) { return flatten(x[0], 1); }, {random({2, 3, 4})}},
      {"flatten/scalar", [](const Tensors& x) { return flatten(x[0]); }, {random({})}},
      {"unsqueeze", [](const Tensors& x) { return unsqueeze(x[0], -1); }, {random({2, 3})}},
      {"squeeze/all", [](const Tensors& x) { return squeeze(x[0]); }, {random({1, 2, 1, 3, 1})}},
      {"squeeze/not 1", [](const Tensors& x) { return squeeze(x[0], 0); }, {random({2, 3})}},
      {"unflatten",
       [](const Tensors& x) {
         return unflatten(x[0], 1, {2, -1, 1});
       },
       {random({2, 6, 3})}},
      {"unflatten/empty",
       [](const Tensors& x) {
         return unflatten(x[0], 0, {3, 0});
       },
       {random({0, 2})}},
      {"squeeze", [](const Tensors& x) { return squeeze(x[0], 1); }, {random({2, 1, 3})}},
      {"clone", [](const Tensors& x) { return clone(x[0]); }, {random({2, 3})}},
      {"contiguous", [](const Tensors& x) { return contiguous(t(x[0])); }, {random({2, 3})}},
      {"channels_last", [](const Tensors& x) { return channels_last(x[0]); }, {random({2, 3, 2, 1})}},
  };
}

}  // namespace lora::test
