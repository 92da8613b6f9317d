#include "nn/module.hpp"

#include <algorithm>
#include <map>
#include <sstream>

#include "core/autograd.hpp"
#include "nn/overlay.hpp"
#include "nn/packed_state.hpp"

namespace lora::nn {

namespace {

std::string join(const std::string& path, const std::string& name) {
  if (path.empty() || name.empty()) {
    return path + name;
  }
  return path + "." + name;
}

template <class M, class Children>
void collect_modules(const std::string& path, M& module, std::vector<std::pair<std::string, M*>>& out, Children&& children) {
  out.emplace_back(path, &module);
  for (const auto& [name, below] : children(module)) {
    collect_modules(join(path, name), static_cast<M&>(*below), out, children);
  }
}

/// What does not fit between the tensors of a module and those of a state dict, a line each.
std::string mismatches(const StateDict& own, const std::map<std::string, Tensor>& given) {
  std::ostringstream text;
  std::map<std::string, Tensor> unexpected = given;
  for (const auto& [name, tensor] : own) {
    const auto at = unexpected.find(name);
    if (at == unexpected.end()) {
      text << "\n  missing: " << name << ' ' << tensor;
      continue;
    }
    if (at->second.shape() != tensor.shape()) {
      text << "\n  wrong shape: " << name << " is " << tensor << " here and " << at->second << " there";
    }
    unexpected.erase(at);
  }
  for (const auto& [name, tensor] : unexpected) {
    text << "\n  unexpected: " << name << ' ' << tensor;
  }
  return text.str();
}

}  // namespace

Tensor Module::param(std::string name, Tensor value) {
  value.requires_grad_();
  parameters_.push_back({std::move(name), value});
  return value;
}

void Module::replace_param(std::string_view name, const Tensor& value) {
  const auto at = std::find_if(parameters_.begin(), parameters_.end(), [&](const NamedTensor& entry) { return entry.name == name; });
  require(at != parameters_.end(), "module", describe(), " has no parameter '", name, "'");
  at->tensor = value;
}

Tensor Module::buffer(std::string name, Tensor value) {
  buffers_.push_back({std::move(name), value});
  return value;
}

void Module::add_child(std::string name, Module& module) { children_.emplace_back(std::move(name), &module); }

std::vector<std::pair<std::string, Module*>> Module::named_modules() {
  std::vector<std::pair<std::string, Module*>> out;
  collect_modules<Module>(
      "", *this, out, [](Module & m) -> auto& { return m.children_; });
  return out;
}

std::vector<std::pair<std::string, const Module*>> Module::named_modules() const {
  std::vector<std::pair<std::string, const Module*>> out;
  collect_modules<const Module>(
      "", *this, out, [](const Module& m) -> auto& { return m.children_; });
  return out;
}

std::vector<NamedTensor> Module::named_parameters() const {
  std::vector<NamedTensor> out;
  for (const auto& [path, module] : named_modules()) {
    for (const auto& [name, tensor] : module->parameters_) {
      if (tensor.defined()) {
        out.push_back({join(path, name), tensor});
      }
    }
  }
  return out;
}

std::vector<NamedTensor> Module::named_buffers() const {
  std::vector<NamedTensor> out;
  for (const auto& [path, module] : named_modules()) {
    for (const auto& [name, tensor] : module->buffers_) {
      out.push_back({join(path, name), tensor});
    }
  }
  return out;
}

std::vector<Tensor> Module::parameters() const {
  std::vector<Tensor> out;
  for (const auto& [name, tensor] : named_parameters()) {
    out.push_back(tensor);
  }
  return out;
}

std::vector<Tensor> Module::trainable_parameters() const {
  std::vector<Tensor> out = parameters();
  for (const auto& [path, module] : named_modules()) {
    for (const Tensor& tensor : module->extra_parameters()) {
      out.push_back(tensor);
    }
  }
  std::erase_if(out, [](const Tensor& tensor) { return !tensor.requires_grad(); });
  return out;
}

StateDict Module::state_dict() const {
  StateDict out = named_parameters();
  for (const NamedTensor& entry : named_buffers()) {
    out.push_back(entry);
  }
  for (const auto& [path, module] : named_modules()) {
    for (const auto& [name, tensor] : module->extra_state()) {
      out.push_back({join(path, name), tensor});
    }
  }
  return out;
}

void Module::load_state_dict(const StateDict& state) {
  std::map<std::string, Tensor> given;
  for (const auto& [name, tensor] : state) {
    require(given.emplace(name, tensor).second, "load_state_dict", name, " occurs twice");
  }
  const std::vector<NewWeight> weights = new_weights(*this, given);
  StateDict own = named_parameters();
  for (const NamedTensor& entry : named_buffers()) {
    own.push_back(entry);
  }
  for (const NewWeight& weight : weights) {
    std::erase_if(own, [&](const NamedTensor& entry) { return entry.name == weight.key; });
    if (weight.dense.defined()) {
      own.push_back({weight.key, weight.dense});
    }
  }
  const std::string problems = mismatches(own, given);
  require(problems.empty(), "load_state_dict", "the tensors do not fit ", describe(), ':', problems);
  const NoGrad no_grad;
  for (auto& [name, tensor] : own) {
    tensor.copy_(given.at(name));
  }
  for (const NewWeight& weight : weights) {
    weight.put();
  }
}

void Module::to(const Device& device) {
  for (const auto& [path, module] : named_modules()) {
    module->move_extra(device);
    for (const std::vector<NamedTensor>* tensors : {&module->parameters_, &module->buffers_}) {
      for (const auto& [name, tensor] : *tensors) {
        if (Tensor handle = tensor; handle.defined()) {
          handle.to_(device);
        }
      }
    }
    for (const std::shared_ptr<Overlay>& overlay : module->overlays_) {
      overlay->to(device);
    }
  }
}

Device Module::device() const {
  const StateDict all = state_dict();
  return all.empty() ? kCpu : all.front().tensor.device();
}

void Module::add_overlay(std::shared_ptr<Overlay> overlay) { overlays_.push_back(std::move(overlay)); }

void Module::remove_overlay(const Overlay& overlay) {
  std::erase_if(overlays_, [&](const std::shared_ptr<Overlay>& own) { return own.get() == &overlay; });
}

void Module::train(bool on) {
  for (const auto& [path, module] : named_modules()) {
    module->training_ = on;
  }
}

void Module::zero_grad() {
  for (const auto& tensors : {parameters(), trainable_parameters()}) {  // frozen ones may have a gradient from before
    for (Tensor tensor : tensors) {
      tensor.set_grad({});
    }
  }
}

void Module::requires_grad_(bool on) {
  for (Tensor tensor : parameters()) {
    tensor.requires_grad_(on);
  }
}

}  // namespace lora::nn
