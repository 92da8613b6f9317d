#pragma once
// Computes a reference case with the library and says whether it gives the reference's values.

#include <string>
#include <vector>

#include "tests/golden_check/case.hpp"

namespace lora::test {

enum class Outcome { passed, failed, skipped };

struct Verdict {
  Outcome outcome = Outcome::failed;
  std::vector<std::string> reasons;  ///< of a failure, a line each, or of a skip
};

/// Computes on `device`. Never throws: what goes wrong is a failure. Unknown kinds, ops, tensors and attributes are failures; a skip is
/// what this version of the library does not have.
Verdict check_case(const SafetensorsFile& file, const Device& device = kCpu);

// One function a kind of case. They read inputs and attributes, compute, and expect.
void check_adalora(Case& c);
void check_adapter(Case& c);
void check_op(Case& c);
void check_optimizer(Case& c);
void check_quant(Case& c);
void check_scheduler(Case& c);

/// Thrown by these for what this version does not have.
struct Skip {
  std::string reason;
};

}  // namespace lora::test
