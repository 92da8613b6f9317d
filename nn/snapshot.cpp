#include "nn/snapshot.hpp"

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"

namespace lora::nn {

namespace {

std::vector<Tensor> buffers_of(const Module& model) {
  std::vector<Tensor> buffers;
  for (const NamedTensor& buffer : model.named_buffers()) {
    buffers.push_back(buffer.tensor);
  }
  return buffers;
}

std::vector<Tensor> copies_of(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> copies;
  for (const Tensor& tensor : tensors) {
    copies.push_back(clone(tensor.detach()));
  }
  return copies;
}

void check(std::string_view where, std::string_view kind, const std::vector<Tensor>& saved, const std::vector<Tensor>& model) {
  require(saved.size() == model.size(), where, "saved are ", saved.size(), " ", kind, " tensors, the model has ", model.size(),
          "; build the model and its adapters as they were");
  for (std::size_t i = 0; i < saved.size(); ++i) {
    require(saved[i].shape() == model[i].shape() && saved[i].dtype() == model[i].dtype(), where, "saved ", kind, " tensor ", i, " is ",
            saved[i], ", the model's is ", model[i], "; build the model and its adapters as they were");
  }
}

void copy_into(std::vector<Tensor> model, const std::vector<Tensor>& saved) {
  for (std::size_t i = 0; i < saved.size(); ++i) {
    model[i].copy_(saved[i]);
  }
}

}  // namespace

Snapshot take_snapshot(const Module& model) {
  const NoGrad off;
  return {copies_of(model.trainable_parameters()), copies_of(buffers_of(model))};
}

void check_snapshot(const Module& model, const Snapshot& snapshot, std::string_view where) {
  check(where, "trained", snapshot.trained, model.trainable_parameters());
  check(where, "buffer", snapshot.buffers, buffers_of(model));
}

void restore_snapshot(Module& model, const Snapshot& snapshot, std::string_view where) {
  check_snapshot(model, snapshot, where);
  const NoGrad off;
  copy_into(model.trainable_parameters(), snapshot.trained);
  copy_into(buffers_of(model), snapshot.buffers);
}

}  // namespace lora::nn
