#pragma once
// Which of a model's tensors an adapter has its own values of. Not installed.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lora/method.hpp"
#include "nn/overlay.hpp"

namespace lora {

/// Whether a path is a module that is saved whole, or lies in one.
bool is_saved_whole(const AdapterMethod& method, std::string_view path);

/// The method's own values for a model, not active, or null if it has none.
/// @throws Error if a module is not there or in 4 bits, or another adapter has its own values of the same tensors
std::shared_ptr<nn::Overlay> make_overlay(nn::Module& model, const AdapterMethod& method, const std::string& name,
                                          const std::vector<NamedLayer>& layers);

/// All overlays of a model and its parts.
std::vector<nn::Overlay*> overlays_of(const nn::Module& model);

}  // namespace lora
