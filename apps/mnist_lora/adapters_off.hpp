#pragma once
// A model as its base for a while.

#include "lora/attach.hpp"

namespace mnist_lora {

/// All adapters of a model are off while it lives.
class AdaptersOff {
 public:
  explicit AdaptersOff(lora::nn::Module& model) : model_(model) { lora::set_adapters_enabled(model_, false); }
  AdaptersOff(const AdaptersOff&) = delete;
  AdaptersOff& operator=(const AdaptersOff&) = delete;
  ~AdaptersOff() { lora::set_adapters_enabled(model_, true); }

 private:
  lora::nn::Module& model_;
};

}  // namespace mnist_lora
