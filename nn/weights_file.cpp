#include "nn/weights_file.hpp"

#include "core/serialize.hpp"

namespace lora::nn {

void save_weights(const Module& module, const std::filesystem::path& path) {
  NamedTensors tensors;
  for (const auto& [name, tensor] : module.state_dict()) {
    tensors.emplace_back(name, tensor.detach());
  }
  save_safetensors(path, tensors, {{"format", "pt"}});
}

void load_weights(Module& module, const std::filesystem::path& path) {
  StateDict state;
  for (const auto& [name, tensor] : load_safetensors(path).tensors) {
    state.push_back({name, tensor});
  }
  try {
    module.load_state_dict(state);
  } catch (const Error& error) {
    throw Error(path.string() + ": " + error.what());
  }
}

}  // namespace lora::nn
