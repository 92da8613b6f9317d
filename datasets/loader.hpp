#pragma once
// Batches of images as tensors, in an order that depends on the seed and the epoch alone.

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/base/rng.hpp"
#include "core/tensor.hpp"
#include "datasets/mnist.hpp"
#include "datasets/random_affine.hpp"

namespace lora::datasets {

struct Batch {
  Tensor x;  ///< f32 [B,1,H,W], contiguous, normalised
  Tensor y;  ///< i64 [B], labels
};

struct LoaderOptions {
  Index batch_size = 64;
  std::uint64_t seed = 0;
  bool shuffle = true;     ///< a new order in each epoch; off: the order of the indices
  bool drop_last = false;  ///< leave out a last batch that is not full
  float mean = 0.1307f;    ///< of the pixels / 255; this and stddev are those of MNIST's training images
  float stddev = 0.3081f;
  RandomAffine affine = {};  ///< what is done to images, anew in each epoch and each time that an index repeats; what moves in is 0
};

/// Gives any batch of any epoch on request and keeps no position, so that training can resume anywhere.
///   x = (pixel / 255 - mean) / stddev
/// An epoch has each index once (with drop_last, each at most once). Equal seeds give equal batches, for any number of threads.
/// Not for use from several threads at once: batch() remembers the order of the epoch that was asked for last.
class DataLoader {
 public:
  /// @param indices  samples of `images` to use; may be empty, may repeat
  /// @throws Error if an index is outside of the set, batch_size < 1, stddev is not positive, affine is out of range or
  ///         `images` is not [N,H,W] with N labels
  DataLoader(std::shared_ptr<const ImageSet> images, std::vector<Index> indices, const LoaderOptions& options = {});

  /// Batches of an epoch.
  Index batches() const;
  /// Samples of an epoch.
  Index samples() const;
  /// Batch `i` of `epoch`, both counted from 0. @throws Error if i is not below batches() or epoch is negative
  Batch batch(Index epoch, Index i) const;

  const LoaderOptions& options() const { return options_; }

 private:
  const std::vector<Index>& order_of(Index epoch) const;
  /// @param first  place in the epoch of the first that was chosen
  Batch assemble(std::span<const Index> chosen, Index epoch, Index first) const;
  /// Writes sample `index` as values, changed as `place` in the sequence `changes` says.
  void write_image(Index index, const PhiloxState& changes, Index place, float* out) const;

  std::shared_ptr<const ImageSet> images_;
  std::vector<Index> indices_;
  LoaderOptions options_;
  std::array<float, 256> normalized_{};  // by pixel value
  mutable Index shuffled_epoch_ = -1;
  mutable std::vector<Index> shuffled_;
};

}  // namespace lora::datasets
