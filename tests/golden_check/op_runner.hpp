#pragma once
// How a reference case of an op is computed: the names of its tensors and attributes in the file, and the call. One table a family of ops.

#include <functional>
#include <map>
#include <set>
#include <string>

#include "core/ops/window.hpp"
#include "tests/golden_check/case.hpp"

namespace lora::test {

using NamedInputs = std::map<std::string, Tensor>;
using Outputs = std::map<std::string, Tensor>;

/// What a case must have, and no more. `run` gives the output `y`, which the cotangent belongs to, and what else the case compares.
struct OpRunner {
  std::set<std::string> inputs, attributes;
  std::function<Outputs(const NamedInputs&, const Json& attributes)> run;
  std::set<std::string> optional_inputs{}, optional_attributes{};
};

/// By the name of the op.
using OpRunners = std::map<std::string, OpRunner>;

/// Attribute `name` as axes: one number or a list.
Shape dims_of(const Json& attributes, const char* name = "dim");

/// Attribute `name` as height and width: one number for both, or a list of two.
Size2d size_of(const Json& attributes, const char* name);

// Each family in its own file, one line a family; op_runner.cpp puts them together in the same way.
void add_attention_runners(OpRunners& runners);
void add_conv_runners(OpRunners& runners);
void add_index_runners(OpRunners& runners);
void add_loss_runners(OpRunners& runners);
void add_matmul_runners(OpRunners& runners);
void add_norm_runners(OpRunners& runners);
void add_pointwise_runners(OpRunners& runners);
void add_pool_runners(OpRunners& runners);
void add_reduce_runners(OpRunners& runners);
void add_softmax_runners(OpRunners& runners);

const OpRunners& op_runners();

}  // namespace lora::test
