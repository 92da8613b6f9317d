// exchange_adapter MODEL WEIGHTS ADAPTER INPUT OUT: reads an adapter folder on a model and writes OUT/read.safetensors, its logits of the
// tensor `x` of INPUT; then moves every number of the adapter, as training would, and writes the folder OUT/adapter and its logits,
// OUT/written.safetensors. tests/interop/adapters.py runs it.

#include <filesystem>
#include <iostream>

#include "apps/mnist_lora/models.hpp"
#include "core/autograd.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/random.hpp"
#include "core/serialize.hpp"
#include "lora/peft_files.hpp"
#include "nn/weights_file.hpp"

namespace {

namespace fs = std::filesystem;

void write_logits(const lora::nn::Module& model, const lora::Tensor& x, const fs::path& file) {
  const lora::NoGrad no_grad;
  lora::save_safetensors(file, lora::NamedTensors{{"logits", model(x)}});
}

void run(const std::string& name, const fs::path& weights, const fs::path& folder, const fs::path& input, const fs::path& out) {
  const auto model = mnist_lora::make_model(name);
  lora::nn::load_weights(*model, weights);
  model->eval();
  const lora::AttachedAdapter adapter = lora::load_adapter(*model, folder);
  const lora::Tensor x = lora::load_safetensors(input).at("x");
  fs::create_directories(out);
  write_logits(*model, x, out / "read.safetensors");
  {
    const lora::NoGrad no_grad;
    for (lora::Tensor& parameter : adapter.parameters()) {
      parameter.copy_(parameter * 1.1 + 0.02 * lora::randn(parameter.shape(), parameter.dtype()));
    }
  }
  write_logits(*model, x, out / "written.safetensors");
  lora::save_adapter(adapter, out / "adapter");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    lora::require(argc == 6, "usage", "exchange_adapter MODEL WEIGHTS ADAPTER INPUT OUT");
    run(argv[1], argv[2], argv[3], argv[4], argv[5]);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
