#include "core/ops/convert.hpp"
#include "core/ops/join.hpp"
#include "core/ops/view.hpp"
#include "tests/support/op_case.hpp"

namespace lora::test {

namespace {

template <Index dim>
Tensor cat_on(const Tensors& x) {
  return cat(x, dim);
}

template <Index dim>
Tensor stack_on(const Tensors& x) {
  return stack(x, dim);
}

OpCase pad_case(const std::string& name, const Shape& shape, const std::vector<Index>& pads, double value = 0.0) {
  return {"pad/" + name, [=](const Tensors& x) { return pad(x[0], pads, value); }, {random(shape)}};
}

}  // namespace

std::vector<OpCase> join_cases() {
  return {
      {"cat", cat_on<0>, {random({2, 3}), random({1, 3}), random({4, 3})}},
      {"cat/last axis", cat_on<-1>, {random({2, 3}), random({2, 1})}},
      {"cat/middle", cat_on<1>, {random({2, 3, 4}), random({2, 1, 4})}},
      {"cat/one", cat_on<0>, {random({2, 3})}},
      {"cat/some empty", cat_on<1>, {random({2, 0}), random({2, 3}), random({0}), random({2, 1})}},
      {"cat/all empty", cat_on<0>, {random({0}), random({0})}},
      {"cat/vectors", cat_on<0>, {random({33}), random({1}), random({5})}},
      {"cat/images",
       [](const Tensors& x) {
         return cat({x[0], channels_last(x[1])}, 1);
       },
       {random({2, 1, 2, 3}), random({2, 3, 2, 3})}},
      {"cat/the same twice",
       [](const Tensors& x) {
         return cat({x[0], t(x[0]), x[0]}, 0);
       },
       {random({3, 3})}},
      {"stack", stack_on<0>, {random({2, 3}), random({2, 3})}},
      {"stack/last", stack_on<-1>, {random({2, 3}), random({2, 3}), random({2, 3})}},
      {"stack/scalars", stack_on<0>, {random({}), random({})}},
      {"stack/empty", stack_on<1>, {random({3, 0}), random({3, 0})}},
      pad_case("one side", {3}, {2, 0}, 1.5),
      pad_case("last axis", {2, 3}, {1, 2}),
      pad_case("image", {2, 2, 3, 4}, {1, 2, 3, 0}, -2.0),
      pad_case("all axes", {2, 1, 3}, {1, 0, 0, 1, 2, 2}),
      pad_case("cut", {5, 4}, {-1, -2, 0, -3}),
      pad_case("cut and add", {5, 4}, {-1, 2, 3, -4}, 0.5),
      pad_case("nothing", {2, 3}, {}),
      pad_case("zero", {2, 3}, {0, 0}),
      pad_case("empty", {2, 0}, {1, 1}, 3.0),
      pad_case("to empty", {2, 3}, {-2, -1}),
      {"pad/channels last",
       [](const Tensors& x) {
         return pad(channels_last(x[0]), {1, 1, 2, 0, -1, 1});
       },
       {random({2, 3, 2, 2})}},
  };
}

}  // namespace lora::test
