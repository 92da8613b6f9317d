#pragma once
// The rows of the adapter laws: methods, and models to put them on. A new method or kind of layer is one more row.

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lora/attach.hpp"
#include "nn/module.hpp"

namespace lora::test {

/// What the laws vary of any method.
struct AdapterSettings {
  Index r = 3;
  double alpha = 6.0;
  double dropout = 0.0;
  TargetModules targets = "all-linear";
};

struct MethodRow {
  std::string name;
  std::function<std::shared_ptr<const AdapterMethod>(const AdapterSettings&)> make;
  /// Parameters of rank r on a layer with the given inputs and outputs: the paper's formula.
  std::function<Index(Index r, Index in, Index out)> count;
  Index gates = 0;                // of each component, beside the parameters that `count` says
  bool additive = true;           // its share does not depend on other adapters
  bool silent_at_alpha_0 = true;  // with alpha 0 it is the base, bit for bit
  bool scales_by_alpha = true;    // with alpha 0 it is the base, up to rounding
  /// What its gradient takes for constants though the adapter's tensors move it: of each layer the norms that its magnitude is divided
  /// by. Null for most.
  std::function<std::vector<Tensor>(const AttachedAdapter&)> constant_norms = nullptr;
};

struct ModelRow {
  std::string name;
  std::function<std::unique_ptr<nn::Module>(DType)> make;
  Shape input;
  std::vector<std::pair<Index, Index>> sizes;  // inputs (of one output) and outputs of each layer that is adapted
  std::vector<DType> dtypes = {DType::f32, DType::f64};
  TargetModules targets = "all-linear";
  Index groups = 1;  // ranks are multiplied by it, and inputs in `sizes` too, as an adapter's features see all of them
};

std::vector<MethodRow> method_rows_of_laws();
std::vector<ModelRow> model_rows_of_laws();

}  // namespace lora::test
