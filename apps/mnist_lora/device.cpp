#include "apps/mnist_lora/device.hpp"

#include "core/base/threads.hpp"
#include "core/base/version.hpp"
#include "core/tensor.hpp"

namespace mnist_lora {

void apply_device(const CommonOptions& options) {
  if (options.device == "cuda") {
    lora::empty({1}, lora::DType::f32, {lora::DeviceType::cuda, 0});  // the library says why it cannot
  }
  if (options.threads > 0) {
    lora::set_num_threads(options.threads);
  }
}

Results describe_results(const std::string& command, const CommonOptions& options) {
  Results results;
  results.command = command;
  results.version = lora::version();
  results.device = "cpu";
  results.threads = lora::num_threads();
  results.seed = options.seed;
  return results;
}

}  // namespace mnist_lora
