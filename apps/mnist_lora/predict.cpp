#include "apps/mnist_lora/predict.hpp"

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/mnist_lora/device.hpp"
#include "core/autocast.hpp"
#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/view.hpp"
#include "core/serialize.hpp"

namespace mnist_lora {

namespace {

constexpr lora::Index kBatch = 1000;

lora::Tensor read_images(const std::filesystem::path& path) {
  const lora::SafetensorsFile file = lora::load_safetensors(path);
  const lora::Tensor& x = file.at("x");
  lora::require(x.ndim() == 4 && x.size(1) == 1 && x.size(2) == 28 && x.size(3) == 28 && lora::is_floating(x.dtype()), "predict",
                path.string(), ": x is ", x, ", but images are floating [N,1,28,28]");
  return lora::to(x, lora::DType::f32);
}

/// Logits would take the place of images or weights.
void require_new_output(const PredictOptions& options) {
  std::error_code missing;
  lora::require(!std::filesystem::equivalent(options.output, options.input, missing), "predict", "--output ", options.output.string(),
                " is the file of --input; give it a name of its own");
  require_other_file("--output", options.output, options.files);
}

}  // namespace

lora::Tensor logits_of(const lora::nn::Module& model, const lora::Tensor& x) {
  const lora::NoGrad no_grad;
  lora::Tensor logits = lora::empty({x.size(0), 10});
  for (lora::Index at = 0; at < x.size(0); at += kBatch) {
    const lora::Index count = std::min(kBatch, x.size(0) - at);
    lora::narrow(logits, 0, at, count).copy_(model(lora::to(lora::narrow(x, 0, at, count), model.device())));
  }
  return logits;
}

void run_predict(const PredictOptions& options) {
  apply_device(options.common);
  require_new_output(options);
  const LoadedModel loaded = load_model(options.files, device_of(options.common));
  const lora::Autocast products(dtype_of(options.common));
  const lora::Tensor logits = logits_of(*loaded.model, read_images(options.input));
  const lora::NamedTensors out{{"logits", logits}};
  lora::save_safetensors(options.output, out);
  if (options.common.json) {
    std::cout << nlohmann::ordered_json{{"images", logits.size(0)}, {"output", options.output.string()}}.dump(2) << '\n';
  } else if (!options.common.quiet) {
    std::cerr << "Logits of " << logits.size(0) << " images: " << options.output.string() << '\n';
  }
}

}  // namespace mnist_lora
