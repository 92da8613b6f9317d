#pragma once
// Reference values of ops, one safetensors file a case: inputs, output `y`, `cotangent`, and `grad.X` of sum(y * cotangent). What to
// compute is the JSON object `attrs` of the file's metadata.

#include <string>
#include <vector>

#include "core/serialize.hpp"

namespace lora::test {

/// Computes the case and compares y and every grad.X within |d| <= 1e-10 + 1e-9 |ref|, elementwise: what is wrong, a line each, none if
/// all is well. Unknown ops, attributes and tensors are wrong, and so is a case that compares nothing.
std::vector<std::string> golden_failures(const SafetensorsFile& file);

}  // namespace lora::test
