#pragma once
// Where training and evaluation get their batches from: any object that can tell how many it has and make each of them.

#include <memory>
#include <type_traits>
#include <utility>

#include "core/ops/convert.hpp"
#include "core/tensor.hpp"

namespace lora::nn {

/// Inputs [N,..] and targets i64[N].
struct Batch {
  Tensor x, y;
};

/// The batch for a model on a device.
inline Batch to(const Batch& batch, const Device& device) { return {lora::to(batch.x, device), lora::to(batch.y, device)}; }

/// Holds any object with
///   Index batches() const;              // in an epoch
///   Index samples() const;              // in an epoch
///   auto batch(Index epoch, Index i) const;  // something with members x and y; epoch and i count from 0
/// batch() must give the same for equal arguments: that is what makes a resumed training equal to an uninterrupted one.
/// A named object is referred to and must live as long as this; a temporary one is kept.
class BatchSource {
 public:
  template <class Source, class = std::enable_if_t<!std::is_same_v<std::remove_cvref_t<Source>, BatchSource>>>
  BatchSource(Source&& source)  // meant to convert, so that a loader can be given as it is
      : source_(hold(std::forward<Source>(source))) {}

  Index batches() const { return source_->batches(); }
  Index samples() const { return source_->samples(); }
  Batch batch(Index epoch, Index i) const { return source_->batch(epoch, i); }

 private:
  struct Concept {
    virtual ~Concept() = default;
    virtual Index batches() const = 0;
    virtual Index samples() const = 0;
    virtual Batch batch(Index epoch, Index i) const = 0;
  };

  /// Held is `const Source&` or `Source`.
  template <class Held>
  struct Holder final : Concept {
    template <class Source>
    explicit Holder(Source&& from) : source(std::forward<Source>(from)) {}
    Index batches() const override { return source.batches(); }
    Index samples() const override { return source.samples(); }
    Batch batch(Index epoch, Index i) const override {
      auto made = source.batch(epoch, i);
      return {made.x, made.y};
    }
    Held source;
  };

  template <class Source>
  static std::shared_ptr<const Concept> hold(Source&& source) {
    using Plain = std::remove_cvref_t<Source>;
    using Held = std::conditional_t<std::is_lvalue_reference_v<Source>, const Plain&, Plain>;
    return std::make_shared<Holder<Held>>(std::forward<Source>(source));
  }

  std::shared_ptr<const Concept> source_;
};

}  // namespace lora::nn
