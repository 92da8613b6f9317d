#include "apps/mnist_lora/layers_table.hpp"

#include "apps/mnist_lora/text.hpp"
#include "nn/adaptable.hpp"

namespace mnist_lora {

namespace {

using lora::Index;

struct LayerCounts {
  Index own = 0;
  Index added = 0;
  Index trainable = 0;

  void add(const lora::Tensor& tensor, Index& part) {
    part += tensor.numel();
    trainable += tensor.requires_grad() ? tensor.numel() : 0;
  }
  void add(const LayerCounts& other) {
    own += other.own;
    added += other.added;
    trainable += other.trainable;
  }
};

/// Of the module itself, without its children. What is trained of a frozen base is the adapter's copy, beside the base's own.
LayerCounts counts_of(const lora::nn::Module& module) {
  LayerCounts counts;
  for (const auto& [name, tensor] : module.named_parameters()) {
    if (name.find('.') == std::string::npos) {
      counts.add(tensor, counts.own);
      counts.added += tensor.requires_grad() ? tensor.numel() : 0;
    }
  }
  if (const auto* layer = dynamic_cast<const lora::nn::AdaptableLayer*>(&module)) {
    for (const std::string& adapter : layer->adapter_names()) {
      for (const auto& [name, tensor] : layer->adapter(adapter)->named_parameters()) {
        counts.add(tensor, counts.added);
      }
    }
  }
  return counts;
}

std::vector<Cell> row_of(const std::string& name, const std::string& kind, const LayerCounts& counts) {
  return {
      {name}, {kind}, {grouped(counts.own)}, {grouped(counts.added)}, {grouped(counts.own + counts.added)}, {grouped(counts.trainable)}};
}

/// `Conv2d(1, 64)` of a longer description: kernel and stride would make the table too wide.
std::string short_kind(const std::string& text) {
  const std::size_t at = text.find(", kernel_size");
  return at == std::string::npos ? text : text.substr(0, at) + ")";
}

}  // namespace

ReportTable layers_table(const lora::nn::Module& model) {
  ReportTable table{"Parameters by layer", {"Layer", "Kind", "Base", "Added", "With adapter", "Trainable"}, {}, 2, ""};
  LayerCounts sum;
  for (const auto& [path, module] : model.named_modules()) {
    const LayerCounts counts = counts_of(*module);
    if (counts.own + counts.added > 0) {
      table.rows.push_back(row_of(path, short_kind(module->describe()), counts));
      sum.add(counts);
    }
  }
  table.rows.push_back(row_of("sum", "", sum));
  table.note = "Added is what the adapter has for a layer: its matrices, or its own copy of a batch normalisation. The base is frozen.";
  return table;
}

}  // namespace mnist_lora
