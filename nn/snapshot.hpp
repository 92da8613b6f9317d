#pragma once
// Copies of what training changes in a model, to go back to.

#include <string_view>
#include <vector>

#include "nn/module.hpp"

namespace lora::nn {

/// Values of a model's trainable parameters (adapters' included) and of its buffers, in the model's order.
struct Snapshot {
  std::vector<Tensor> trained, buffers;
  bool empty() const { return trained.empty() && buffers.empty(); }
};

Snapshot take_snapshot(const Module& model);

/// Copies the values back. @throws Error naming `where` if their number, shapes or types differ; then nothing was changed
void restore_snapshot(Module& model, const Snapshot& snapshot, std::string_view where);

/// The check that restore_snapshot() makes first.
void check_snapshot(const Module& model, const Snapshot& snapshot, std::string_view where);

}  // namespace lora::nn
