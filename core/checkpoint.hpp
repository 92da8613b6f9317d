#pragma once
// Gradient checkpointing: less memory for a part of a model that is computed once more in backward().

#include <functional>
#include <tuple>
#include <utility>
#include <vector>

#include "core/tensor.hpp"

namespace lora {

namespace detail {
using CheckpointedFunction = std::function<Tensor(const std::vector<Tensor>& inputs)>;
Tensor checkpoint(CheckpointedFunction f, const std::vector<Tensor>& inputs);
}  // namespace detail

/// f(inputs..), of which only the inputs are kept: what f's ops save is let go, and backward() runs f again to have it. Values and
/// gradients have the bits that they have without; parameters that f uses by itself get theirs too.
///
/// f is called now and once in each backward through the result, and must do the same each time: the place of default_generator() is put
/// back for it, so that dropout has the same mask; other generators are not. f is kept as long as the graph, so what it refers to must
/// live as long; parts of the graph that it reads should be among `inputs`. Checkpoints may be nested, and the result may be an input.
/// @param f  a tensor of as many tensors as there are inputs
/// @throws Error from f; from backward() if an input or a parameter was changed in place since, or f gives another shape or dtype than
/// before; then no gradient was changed
/// @source Chen et al. 2016, "Training deep nets with sublinear memory cost", arXiv:1604.06174
template <class F, class... Inputs>
Tensor checkpoint(F f, const Inputs&... inputs) {
  return detail::checkpoint(
      [f = std::move(f)](const std::vector<Tensor>& given) {
        return [&]<std::size_t... i>(std::index_sequence<i...>) { return f(given[i]...); }
        (std::index_sequence_for<Inputs...>());
      },
      std::vector<Tensor>{inputs...});
}

/// True on this thread while backward() runs a checkpointed function again: what counts calls must not count this one.
bool recomputing();

}  // namespace lora
