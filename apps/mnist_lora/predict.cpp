#include "apps/mnist_lora/predict.hpp"

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <utility>

#include "apps/mnist_lora/device.hpp"
#include "apps/mnist_lora/models.hpp"
#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/view.hpp"
#include "core/serialize.hpp"
#include "lora/peft_files.hpp"
#include "nn/weights_file.hpp"

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
  const std::filesystem::path model = options.adapter / "adapter_model.safetensors";
  for (const auto& [flag, read] : {std::pair{"--input", options.input}, {"--weights", options.weights}, {"--adapter", model}}) {
    std::error_code missing;
    lora::require(!std::filesystem::equivalent(options.output, read, missing), "predict", "--output ", options.output.string(),
                  " is the file of ", flag, "; give it a name of its own");
  }
}

lora::Tensor logits_of(const lora::nn::Module& model, const lora::Tensor& x) {
  const lora::NoGrad no_grad;
  lora::Tensor logits = lora::empty({x.size(0), 10});
  for (lora::Index at = 0; at < x.size(0); at += kBatch) {
    const lora::Index count = std::min(kBatch, x.size(0) - at);
    lora::narrow(logits, 0, at, count).copy_(model(lora::narrow(x, 0, at, count)));
  }
  return logits;
}

}  // namespace

void run_predict(const PredictOptions& options) {
  apply_device(options.common);
  require_new_output(options);
  const auto model = make_model(options.model);
  lora::nn::load_weights(*model, options.weights);
  if (!options.adapter.empty()) {
    lora::load_adapter(*model, options.adapter);
  }
  model->eval();
  const lora::Tensor logits = logits_of(*model, read_images(options.input));
  const lora::NamedTensors out{{"logits", logits}};
  lora::save_safetensors(options.output, out);
  if (options.common.json) {
    std::cout << nlohmann::ordered_json{{"images", logits.size(0)}, {"output", options.output.string()}}.dump(2) << '\n';
  } else if (!options.common.quiet) {
    std::cerr << "Logits of " << logits.size(0) << " images: " << options.output.string() << '\n';
  }
}

}  // namespace mnist_lora
