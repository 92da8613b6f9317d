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
      {"narrow", [](const Tensors& x) { return narrow(x[0], 1, 1, 2); }, {random({2, 4, 3})}},
      {"narrow/none", [](const Tensors& x) { return narrow(x[0], 0, 2, 0); }, {random({2, 3})}},
      {"flatten", [](const Tensors& x) { return flatten(x[0], 1); }, {random({2, 3, 4})}},
      {"flatten/scalar", [](const Tensors& x) { return flatten(x[0]); }, {random({})}},
      {"unsqueeze", [](const Tensors& x) { return unsqueeze(x[0], -1); }, {random({2, 3})}},
      {"squeeze", [](const Tensors& x) { return squeeze(x[0], 1); }, {random({2, 1, 3})}},
      {"clone", [](const Tensors& x) { return clone(x[0]); }, {random({2, 3})}},
      {"contiguous", [](const Tensors& x) { return contiguous(t(x[0])); }, {random({2, 3})}},
      {"channels_last", [](const Tensors& x) { return channels_last(x[0]); }, {random({2, 3, 2, 1})}},
  };
}

}  // namespace lora::test
