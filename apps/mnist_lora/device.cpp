#include "apps/mnist_lora/device.hpp"

#include <sstream>
#include <utility>

#include "core/base/device_backend.hpp"
#include "core/base/threads.hpp"
#include "core/base/version.hpp"

namespace mnist_lora {

lora::Device device_of(const CommonOptions& options) {
  if (options.device == "cuda") {
    lora::cuda_backend();  // says why there is none
  }
  const bool cuda = options.device == "cuda" || (options.device == "auto" && lora::cuda_available());
  return cuda ? lora::Device{lora::DeviceType::cuda, 0} : lora::kCpu;
}

lora::DType dtype_of(const CommonOptions& options) { return options.dtype == "bf16" ? lora::DType::bf16 : lora::DType::f32; }

void apply_device(const CommonOptions& options) {
  device_of(options);
  if (options.threads > 0) {
    lora::set_num_threads(options.threads);
  }
}

Results describe_results(const std::string& command, const CommonOptions& options) {
  Results results;
  results.command = command;
  results.version = lora::version();
  std::ostringstream device;
  device << device_of(options);
  results.device = std::move(device).str();
  results.dtype = options.dtype;
  results.threads = lora::num_threads();
  results.seed = options.seed;
  return results;
}

}  // namespace mnist_lora
