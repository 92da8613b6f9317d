#pragma once
// The state of a training in one safetensors file.

#include <filesystem>

#include "nn/train_state.hpp"

namespace lora::nn {

/// Writes the state; the file appears whole or not at all, an old one stays as it was until then.
/// Tensors: `model.trained.i`, `model.buffers.i`, `best.trained.i`, `best.buffers.i`, `optimizer.NAME`, `scheduler.NAME`, `history`
/// f64[epochs,6] and `progress` f64[5]; counters, the generator and `note.KEY` are metadata. Everything comes back with the same bits.
/// @throws Error as save_safetensors
void save_checkpoint(const std::filesystem::path& path, const TrainState& state);

/// @throws Error naming the file and the entry if it is damaged, not a checkpoint, or of another version
TrainState load_checkpoint(const std::filesystem::path& path);

}  // namespace lora::nn
