#pragma once
// The adapters that commands know by name.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lora/method.hpp"
#include "nn/module.hpp"

namespace mnist_lora {

/// `lora`, ..
std::vector<std::string> adapter_names();

/// Whether an adapter is trained on weights of 4 bits: `qlora` is. `none` is not.
bool is_on_4_bits(const std::string& adapter);

struct AdapterRequest {
  std::string adapter = "lora";  ///< one of adapter_names()
  int rank = 8;
  double alpha = 8;
  std::int64_t steps = 0;  ///< of the training that will follow, for methods that plan ahead
  /// `all`: every layer that can be adapted; else as PEFT's target_modules: names separated by commas, or `all-linear`, or a regular
  /// expression (told by a character that names do not have).
  std::string target = "all";
  /// The adapter has its own copies of the model's batch normalisations, parameters and statistics (PEFT's modules_to_save), and they
  /// are trained too. For methods that can own modules.
  bool own_norms = false;
};

/// @throws lora::Error if the method does not take the settings, or there is nothing to adapt in the model
std::shared_ptr<const lora::AdapterMethod> make_method(const AdapterRequest& request, lora::nn::Module& model);

}  // namespace mnist_lora
