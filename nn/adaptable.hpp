#pragma once
// The base of layers that can be adapted: it owns the weight and the adapters attached to it.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ops/quantize.hpp"
#include "nn/adapter.hpp"
#include "nn/module.hpp"

namespace lora::nn {

/// The cotangent of a layer's input from that of its output, for a weight or some rows of one; without a graph. It may outlive the layer.
using InputGradient = std::function<Tensor(const Tensor& gy, const Tensor& weight)>;

/// A layer's weight: a tensor, or 4 bits a number and their entries in a state dict.
struct LayerWeight {
  Tensor dense;
  Quantized4Bit packed;
  StateDict entries;

  bool is_packed() const { return packed.defined(); }
  const Device& device() const { return is_packed() ? packed.device() : dense.device(); }
  std::uint64_t version() const { return (is_packed() ? packed.packed : dense).storage()->version(); }
};

/// What quantizing a merged weight changed.
struct RequantizeReport {
  double max_error = 0;      ///< largest |quantized - merged| of the weight's numbers
  double mean_error = 0;     ///< their mean
  double changed_codes = 0;  ///< share of the 4-bit codes that are not those of before
};

/// A layer with one weight (and maybe a bias) and a list of adapters, none at first. Attaching changes neither the layer's place in the
/// model nor its state dict. An adapter is written against apply, down, up and outer alone, so one text serves every kind of layer.
class AdaptableLayer : public Module {
 public:
  /// apply(x, weight, bias), plus the shares of the active adapters in order of attachment.
  Tensor forward(const Tensor& x) const final;

  /// The layer's function with another weight, of the layer's own shape or spread, and without a bias if that is undefined.
  virtual Tensor apply(const Tensor& x, const Tensor& weight, const Tensor& bias = {}) const = 0;
  /// x into `rank` features: a of shape down_shape(rank), seeing x as the layer sees it.
  virtual Tensor down(const Tensor& x, const Tensor& a) const = 0;
  /// addend + scale * (h into the layer's outputs by b of shape up_shape(rank)).
  virtual Tensor up(const Tensor& h, const Tensor& b, double scale, const Tensor& addend) const = 0;
  /// The weight, spread, whose function is that of b after a: apply(x, outer(b, a)) = up(down(x, a), b).
  virtual Tensor outer(const Tensor& b, const Tensor& a) const = 0;
  /// An equal weight in which every output sees every input: a grouped one gets zeros, others are given back as they are.
  virtual Tensor spread(const Tensor& weight) const { return weight; }
  /// Into how many parts that do not see each other inputs and outputs are cut.
  virtual Index groups() const { return 1; }
  /// A value for each output, [out], in the shape that broadcasts over the layer's result.
  virtual Tensor per_output(const Tensor& values) const = 0;
  virtual Shape down_shape(Index rank) const = 0;
  virtual Shape up_shape(Index rank) const = 0;
  /// Inputs that one feature of down() sees: what initialisers scale by.
  virtual Index fan_in() const = 0;

  /// How apply(x, weight) goes back to x, of the given shape. Layers that have it can keep their weight in 4 bits. @throws Error by default
  virtual InputGradient input_gradient(const Shape& x) const;

  /// A weight of 4 bits is expanded into a new tensor.
  Tensor weight() const;
  Shape weight_shape() const { return weight_.is_packed() ? weight_.packed.shape : weight_.dense.shape(); }
  DType dtype() const { return dtype_; }
  const Device& device() const { return weight_.device(); }
  /// The weight in 4 bits, or null if it is dense.
  const Quantized4Bit* packed() const { return weight_.is_packed() ? &weight_.packed : nullptr; }
  /// Puts another weight in the place of the layer's own, which is let go. One of 4 bits is no parameter: it is never trained.
  /// @throws Error if the shape is not weight_shape(), or adapters are merged
  void set_weight(const Tensor& dense);
  void set_weight(const Quantized4Bit& packed);
  const Tensor& bias() const { return bias_; }

  /// Adds an active adapter. @throws Error if the name is taken or adapters are merged
  void attach(std::string name, std::unique_ptr<Adapter> adapter);
  /// Removes an adapter. @throws Error if there is none of that name or adapters are merged
  void detach(std::string_view name);
  /// The adapter of that name, or null.
  Adapter* adapter(std::string_view name) const;
  std::vector<std::string> adapter_names() const;
  bool is_active(std::string_view name) const;
  /// Lets the named adapter act or not. @throws Error if adapters are merged
  void set_active(std::string_view name, bool on);
  /// Switches all adapters off and on again, whichever are active: off, the layer gives what it gave before any was attached, bit for bit.
  /// @throws Error if adapters are merged
  void set_adapters_enabled(bool on);
  bool adapters_enabled() const { return enabled_; }

  /// Puts a weight that has the active adapters in it in the place of the layer's own, which is kept. It may have another shape: adapters
  /// of a grouped convolution act on all inputs, so merging spreads its weight. @throws Error if some are merged or the result is not
  /// finite; then nothing was changed
  void merge();
  /// Puts the weight of before merge() back. @throws Error if a weight was changed since; nothing to do if not merged
  void unmerge();
  bool merged() const { return original_.has_value(); }
  /// Quantizes a merged weight as the one of before was. @throws Error unless merged into a weight of 4 bits
  RequantizeReport requantize();

 protected:
  AdaptableLayer(Tensor weight, Tensor bias);
  std::vector<Tensor> extra_parameters() const override;
  StateDict extra_state() const override { return weight_.entries; }
  void move_extra(const Device& device) override;

 private:
  struct Slot {
    std::string name;
    std::unique_ptr<Adapter> adapter;
    bool active = true;
  };
  const Slot* find(std::string_view name) const;
  void require_unmerged(std::string_view action) const;
  bool unchanged_since_merge() const;

  void use(LayerWeight weight);
  Tensor base_output(const Tensor& x) const;

  LayerWeight weight_;
  Tensor bias_;
  DType dtype_;                                  // that the layer computes in
  std::optional<LayerWeight> original_;          // the weight before merge()
  std::uint64_t versions_at_merge_[2] = {0, 0};  // of the original and of the merged weight
  std::vector<Slot> slots_;
  bool enabled_ = true;
};

}  // namespace lora::nn
