#include "apps/mnist_lora/merge.hpp"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "apps/mnist_lora/adapter_settings.hpp"
#include "apps/mnist_lora/console.hpp"
#include "apps/mnist_lora/device.hpp"
#include "apps/mnist_lora/experiment_data.hpp"
#include "apps/mnist_lora/predict.hpp"
#include "apps/mnist_lora/text.hpp"
#include "apps/mnist_lora/text_table.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/random.hpp"
#include "nn/weights_file.hpp"

namespace mnist_lora {

namespace {

using Json = nlohmann::ordered_json;
constexpr lora::Index kImages = 64;

struct LayerChange {
  std::string name, kind;
  double largest = 0;   ///< of the weight's elements, max |delta|
  double relative = 0;  ///< |delta| / |weight|, Euclidean
};

struct Sample {
  lora::Tensor x;
  std::string kind;
};

struct Merged {
  AdapterSettings adapter;
  lora::Index parameters = 0, added = 0;
  std::vector<LayerChange> layers;
  std::vector<lora::RequantizedLayer> requantized;
  std::string checked_on;
  double largest_logit = 0, difference = 0;
};

/// Of the images that are at hand, the first; else noise.
Sample sample_of(const CommonOptions& options) {
  try {
    const ImagePart images = test_images(options.data.empty() ? bundled_mnist() : options.data, kImages);
    std::vector<std::size_t> positions(images.indices.size());
    std::iota(positions.begin(), positions.end(), std::size_t{0});
    return {images.loader(positions, kImages).batch(0, 0).x, "test images"};
  } catch (const lora::Error&) {
    lora::require(options.data.empty(), "merge", "cannot read test images in ", options.data.string(), "; leave --data out");
    lora::Generator generator(0);
    return {lora::randn({kImages, 1, 28, 28}, lora::DType::f32, generator), "random inputs"};
  }
}

std::vector<float> values_of(const lora::Tensor& tensor) { return lora::to(tensor.detach(), lora::DType::f32).to_vector<float>(); }

LayerChange change_of(const lora::NamedLayer& layer, const std::vector<float>& before) {
  LayerChange change{layer.path, layer.layer->describe()};
  const std::vector<float> after = values_of(layer.layer->spread(layer.layer->weight()));
  double delta = 0, weight = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const double d = static_cast<double>(after[i]) - static_cast<double>(before[i]);
    change.largest = std::max(change.largest, std::abs(d));
    delta += d * d;
    weight += static_cast<double>(before[i]) * static_cast<double>(before[i]);
  }
  change.relative = weight > 0 ? std::sqrt(delta / weight) : 0;
  return change;
}

Merged merge(const LoadedModel& loaded, const MergeOptions& options) {
  const Sample sample = sample_of(options.common);
  const std::vector<float> attached = values_of(logits_of(*loaded.model, sample.x));
  std::vector<std::vector<float>> before;
  for (const lora::NamedLayer& layer : loaded.adapter->layers()) {
    before.push_back(values_of(layer.layer->spread(layer.layer->weight())));
  }
  Merged merged;
  merged.adapter = read_adapter_settings(options.files.adapter);
  merged.parameters = lora::count_parameters(*loaded.model).total - loaded.adapter->numel();
  merged.added = loaded.adapter->numel();
  merged.requantized = lora::merge_adapters(*loaded.model, {options.requantize});
  for (std::size_t i = 0; i < before.size(); ++i) {
    merged.layers.push_back(change_of(loaded.adapter->layers()[i], before[i]));
  }
  const std::vector<float> logits = values_of(logits_of(*loaded.model, sample.x));
  merged.checked_on = std::to_string(sample.x.size(0)) + ' ' + sample.kind;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    merged.largest_logit = std::max(merged.largest_logit, std::abs(static_cast<double>(attached[i])));
    merged.difference = std::max(merged.difference, std::abs(static_cast<double>(logits[i]) - static_cast<double>(attached[i])));
  }
  return merged;
}

void require_free(const MergeOptions& options) {
  require_other_file("--output", options.output, options.files);
  std::error_code missing;
  lora::require(options.force || !std::filesystem::exists(options.output, missing), "merge", "--output ", options.output.string(),
                " is there already; choose another name, or replace it with --force");
}

Json to_json(const MergeOptions& options, const Merged& merged) {
  const Results about = describe_results("merge", options.common);
  Json json{{"command", about.command},
            {"version", about.version},
            {"model", options.files.model},
            {"weights", options.files.weights.string()},
            {"adapter", options.files.adapter.string()},
            {"output", options.output.string()},
            {"method", merged.adapter.method},
            {"rank", merged.adapter.rank ? Json(*merged.adapter.rank) : Json()},
            {"alpha", merged.adapter.alpha ? Json(*merged.adapter.alpha) : Json()},
            {"parameters", {{"written", merged.parameters}, {"merged", merged.added}}},
            {"layers", Json::array()},
            {"checked_on", merged.checked_on},
            {"largest_logit", merged.largest_logit},
            {"largest_difference", merged.difference}};
  for (const LayerChange& layer : merged.layers) {
    json["layers"].push_back(
        {{"name", layer.name}, {"kind", layer.kind}, {"largest_change", layer.largest}, {"relative_change", layer.relative}});
  }
  for (const auto& [path, report] : merged.requantized) {
    json["requantized"].push_back(
        {{"name", path}, {"max_error", report.max_error}, {"mean_error", report.mean_error}, {"changed_codes", report.changed_codes}});
  }
  return json;
}

void print_requantized(const std::vector<lora::RequantizedLayer>& layers) {
  std::vector<std::vector<TextCell>> lines{{{"in 4 bits again"}, {"max error"}, {"mean error"}, {"codes changed"}}};
  for (const auto& [path, report] : layers) {
    lines.push_back(
        {{path}, {short_number(report.max_error)}, {short_number(report.mean_error)}, {fixed(100 * report.changed_codes, 2) + " %"}});
  }
  std::cout << '\n';
  print_table(std::cout, lines, 1, use_colour(stdout));
}

void print(const MergeOptions& options, const Merged& merged) {
  std::cout << merged.adapter.method;
  if (merged.adapter.rank) {
    std::cout << ", rank " << *merged.adapter.rank;
  }
  if (merged.adapter.alpha) {
    std::cout << ", alpha " << exact(*merged.adapter.alpha);
  }
  std::cout << ": " << grouped(merged.added) << " parameters merged into " << merged.layers.size() << " layers of " << options.files.model
            << "\n\n";
  std::vector<std::vector<TextCell>> lines{{{"layer"}, {"kind"}, {"max |delta|"}, {"|delta|/|W|"}}};
  for (const LayerChange& layer : merged.layers) {
    lines.push_back({{layer.name}, {layer.kind}, {short_number(layer.largest)}, {fixed(100 * layer.relative, 2) + " %"}});
  }
  print_table(std::cout, lines, 2, use_colour(stdout));
  if (!merged.requantized.empty()) {
    print_requantized(merged.requantized);
  }
  std::cout << "\nLogits of " << merged.checked_on << ", adapter attached and merged: largest difference "
            << short_number(merged.difference) << " (largest logit " << short_number(merged.largest_logit)
            << ")\nWritten: " << options.output.string() << '\n';
}

}  // namespace

void run_merge(const MergeOptions& options) {
  apply_device(options.common);
  require_free(options);
  const LoadedModel loaded = load_model(options.files, device_of(options.common));
  const Merged merged = merge(loaded, options);
  lora::nn::save_weights(*loaded.model, options.output);
  if (options.common.json) {
    std::cout << to_json(options, merged).dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
  } else if (!options.common.quiet) {
    print(options, merged);
  }
}

}  // namespace mnist_lora
