#pragma once
// Another order or number of OS threads for kernels in the emulator, as long as one lives.

#include "kernels/emulator/options.hpp"

namespace lora::testing {

class SimtOptions {
 public:
  SimtOptions(int order, int threads) : before_(simt::options()) {
    simt::options().order = order;
    simt::options().threads = threads;
  }
  ~SimtOptions() { simt::options() = before_; }
  SimtOptions(const SimtOptions&) = delete;
  SimtOptions& operator=(const SimtOptions&) = delete;

 private:
  simt::Options before_;
};

}  // namespace lora::testing
