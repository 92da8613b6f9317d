#pragma once
// Attaching adapters to a model, and what is done with attached ones whatever their method.

#include <memory>
#include <string>
#include <vector>

#include "core/base/rng.hpp"
#include "lora/method.hpp"
#include "lora/target.hpp"
#include "nn/module.hpp"
#include "nn/overlay.hpp"

namespace lora {

/// A named adapter on the layers of a model. A handle: the layers own the adapters, and the model must outlive it.
class AttachedAdapter {
 public:
  AttachedAdapter(std::string name, std::shared_ptr<const AdapterMethod> method, std::vector<NamedLayer> layers, nn::Module& model);

  const std::string& name() const { return name_; }
  const AdapterMethod& method() const { return *method_; }
  const std::vector<NamedLayer>& layers() const { return layers_; }
  /// The adapter's tensors that train: `fc1.lora_A`, `fc1.lora_B`, .., then its own values of the model's: `fc1.bias`, ..
  std::vector<nn::NamedTensor> named_parameters() const;
  std::vector<Tensor> parameters() const;
  /// Its own values of the model's parameters and buffers, or null.
  nn::Overlay* overlay() const;
  /// Number of elements of all its tensors.
  Index numel() const;
  /// Lets it act or not; others are not touched. @throws Error if adapters are merged
  void set_active(bool on) const;
  /// Takes it off the model; the handle is of no use afterwards. @throws Error if adapters are merged
  void detach() const;

 private:
  void check() const;

  std::string name_;
  std::shared_ptr<const AdapterMethod> method_;
  std::vector<NamedLayer> layers_;
  nn::Module* model_;
};

/// Attaches an adapter to every layer that the method's targets name, active, and freezes the model's own parameters (they stay frozen
/// after detach(); model.requires_grad_(true) thaws them). Biases and modules that the method has its own values of train, and the base's
/// are back while the adapter is not active or disabled. Each method has an overload for its settings: attach(model, LoraConfig{..}, name).
/// @throws Error if no layer fits, if another adapter has its own values of the same tensors, if the name is taken or not a word of
/// letters, digits, '_' and '-', or if adapters are merged; then nothing was changed
AttachedAdapter attach(nn::Module& model, std::shared_ptr<const AdapterMethod> method, const std::string& name = "default",
                       Generator& generator = default_generator());

/// All adapters of a model off, or on again as they were. Off, the model gives what it gave before any was attached, bit for bit.
void set_adapters_enabled(nn::Module& model, bool on);

/// Folds the active adapters into the weights; the forward pass then costs what the base costs. @throws Error as AdaptableLayer::merge();
/// then nothing was changed
void merge_adapters(nn::Module& model);

/// A layer whose merged weight was quantized, and by how much that changed it.
struct RequantizedLayer {
  std::string path;
  nn::RequantizeReport report;
};

struct MergeOptions {
  bool requantize = false;  ///< weights that were of 4 bits are so again, quantized in the same way; else they are dense
};

/// The same, and with `requantize` what became of each weight of 4 bits: small changes may vanish in them. @throws Error also if a grouped
/// weight of 4 bits is to be quantized again, which merging made dense
std::vector<RequantizedLayer> merge_adapters(nn::Module& model, const MergeOptions& options);

/// Restores all weights bit for bit.
void unmerge_adapters(nn::Module& model);

struct ParameterCounts {
  Index total = 0;      ///< of the model and its adapters; a weight of 4 bits counts the numbers that it stands for
  Index trainable = 0;  ///< of these, what an optimizer would train
  Index added = 0;      ///< of these, the adapters'
};

ParameterCounts count_parameters(const nn::Module& model);

}  // namespace lora
