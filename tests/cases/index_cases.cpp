#include "core/ops/convert.hpp"
#include "core/ops/index.hpp"
#include "core/ops/view.hpp"
#include "tests/support/op_case.hpp"

namespace lora::test {

namespace {

Tensor integers(const std::vector<std::int64_t>& values, const Shape& shape) { return from_values(values, shape); }
Tensor integers(const std::vector<std::int64_t>& values) { return integers(values, {static_cast<Index>(values.size())}); }

/// index[i, j] = (7 i + 5 j) mod n, with repeats.
Tensor scattered(Index rows, Index columns, Index n) {
  std::vector<std::int64_t> values;
  for (Index i = 0; i < rows * columns; ++i) {
    values.push_back((7 * (i / columns) + 5 * (i % columns)) % n);
  }
  return integers(values, {rows, columns});
}

template <Index dim>
Tensor select_on(const Tensors& x) {
  return index_select(x[0], dim, x[1]);
}

template <Index dim>
Tensor gather_on(const Tensors& x) {
  return gather(x[0], dim, x[1]);
}

template <Index dim>
Tensor scatter_on(const Tensors& x) {
  return scatter_add(x[0], dim, x[2], x[1]);
}

Tensor embed(const Tensors& x) { return embedding(x[0], x[1]); }

}  // namespace

std::vector<OpCase> index_cases() {
  return {
      {"index_select", select_on<0>, {random({5, 3}), integers({4, 0, 4, 2})}},
      {"index_select/vector", select_on<0>, {random({5}), integers({1, 1})}},
      {"index_select/rows of matrices", select_on<0>, {random({2, 3, 2}), integers({1})}},
      {"index_select/none", select_on<0>, {random({2, 3}), integers({})}},
      {"index_select/of none", select_on<1>, {random({2, 0, 3}), integers({})}},
      {"index_select/middle", select_on<1>, {random({2, 4, 3}), integers({3, 0, 3, 3, 1})}},
      {"index_select/last", select_on<-1>, {random({2, 3, 5}), integers({4, 4, 0})}},
      {"index_select/channels",
       [](const Tensors& x) { return index_select(channels_last(x[0]), 1, x[1]); },
       {random({2, 3, 2, 2}), integers({2, 2, 0, 1})}},
      {"index_select/i32, with gaps",
       [](const Tensors& x) { return index_select(x[0], 0, to(slice(x[1], 0, 0, 9, 2), DType::i32)); },
       {random({3, 2}), integers({2, 9, 0, 9, 2})}},
      {"index_select/long rows", select_on<0>, {random({3, 33}), integers({2, 0, 2, 2})}},
      {"gather", gather_on<1>, {random({3, 4}), scattered(3, 6, 4)}},
      {"gather/first axis", gather_on<0>, {random({4, 3}), scattered(6, 3, 4)}},
      {"gather/part", gather_on<-1>, {random({3, 5}), scattered(2, 3, 5)}},
      {"gather/vector", gather_on<0>, {random({4}), integers({3, 3, 0})}},
      {"gather/strided index", [](const Tensors& x) { return gather(x[0], 0, t(x[1])); }, {random({4, 3}), scattered(3, 5, 4)}},
      {"gather/repeated index",
       [](const Tensors& x) {
         return gather(x[0], 1, expand(x[1], {3, 2}));
       },
       {random({3, 4}), integers({3, 3})}},
      {"gather/3d", [](const Tensors& x) { return gather(x[0], 1, unsqueeze(x[1], -1)); }, {random({2, 3, 2}), scattered(2, 5, 3)}},
      {"gather/none", gather_on<1>, {random({3, 4}), scattered(3, 0, 4)}},
      {"scatter_add", scatter_on<1>, {random({3, 4}), random({3, 6}), scattered(3, 6, 4)}},
      {"scatter_add/first axis", scatter_on<0>, {random({4, 3}), random({6, 3}), scattered(6, 3, 4)}},
      {"scatter_add/part", scatter_on<-1>, {random({3, 5}), random({2, 3}), scattered(2, 3, 5)}},
      {"scatter_add/nothing", scatter_on<0>, {random({3, 5}), random({0, 5}), scattered(0, 5, 3)}},
      {"embedding", embed, {random({7, 4}), integers({1, 1, 6, 0, 3, 1}, {2, 3})}},
      {"embedding/one index", embed, {random({3, 5}), integers({2}, {})}},
      {"embedding/one row", embed, {random({1, 3}), integers({0, 0})}},
      {"embedding/3d", embed, {random({4, 17}), integers({3, 0, 3, 3, 1, 2, 0, 0}, {2, 2, 2})}},
      {"embedding/none", embed, {random({4, 2}), integers({}, {3, 0})}},
      {"embedding/no columns", embed, {random({4, 0}), integers({1, 2})}},
  };
}

}  // namespace lora::test
