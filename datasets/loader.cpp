#include "datasets/loader.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "core/base/error.hpp"
#include "core/base/rng.hpp"
#include "core/base/threads.hpp"

namespace lora::datasets {

namespace {

// Epoch e is shuffled by the first of these streams + e, its images are changed by the second + e: streams of nothing else.
constexpr std::uint64_t kFirstEpochStream = std::uint64_t{1} << 62;
constexpr std::uint64_t kFirstAffineStream = std::uint64_t{1} << 63;
constexpr Index kPixelsPerPiece = 1 << 16;

void check_set(const ImageSet& set) {
  const Shape& shape = set.images.shape;
  require(shape.ndim() == 3 && shape.numel() == static_cast<Index>(set.images.values.size()), "loader", "'", set.name, "' has ",
          set.images.values.size(), " pixels in the shape ", shape, "; images are [samples,height,width]");
  require(shape[0] == static_cast<Index>(set.labels.size()), "loader", "'", set.name, "' has ", shape[0], " images and ", set.labels.size(),
          " labels; each image needs one");
}

void check_indices(const ImageSet& set, const std::vector<Index>& indices) {
  for (const Index index : indices) {
    require(index >= 0 && index < set.size(), "loader", "index ", index, " is outside of the ", set.size(), " samples of '", set.name, "'");
  }
}

void check_options(const LoaderOptions& options) {
  require(options.batch_size >= 1, "loader", "the batch size must be at least 1, got ", options.batch_size);
  require(std::isfinite(options.mean), "loader", "the mean must be finite, got ", options.mean);
  require(std::isfinite(options.stddev) && options.stddev > 0.0f, "loader", "the standard deviation must be finite and above 0, got ",
          options.stddev);
  check_range(options.affine);
}

/// The rows of a shuffled batch lie all over the set: without this, waiting for memory takes twice the time of the work itself.
void prefetch(const std::uint8_t* begin, Index bytes) {
  constexpr Index kCacheLine = 64;
  for (Index at = 0; at < bytes; at += kCacheLine) {
    __builtin_prefetch(begin + at);
  }
  __builtin_prefetch(begin + bytes - 1);
}

/// Eight pixels are read before eight values are written, since the compiler must take it that a write may change a pixel.
void look_up(const std::uint8_t* pixels, Index n, const float* table, float* out) {
  std::array<std::uint8_t, 8> eight;
  constexpr auto kStep = static_cast<Index>(eight.size());
  Index i = 0;
  for (; i + kStep <= n; i += kStep) {
    std::copy_n(pixels + i, kStep, eight.begin());
    std::transform(eight.begin(), eight.end(), out + i, [table](std::uint8_t pixel) { return table[pixel]; });
  }
  std::transform(pixels + i, pixels + n, out + i, [table](std::uint8_t pixel) { return table[pixel]; });
}

std::array<float, 256> normalization_table(float mean, float stddev) {
  std::array<float, 256> table{};
  for (std::size_t pixel = 0; pixel < table.size(); ++pixel) {
    table[pixel] = (static_cast<float>(pixel) / 255.0f - mean) / stddev;
  }
  return table;
}

}  // namespace

DataLoader::DataLoader(std::shared_ptr<const ImageSet> images, std::vector<Index> indices, const LoaderOptions& options)
    : images_(std::move(images)), indices_(std::move(indices)), options_(options) {
  require(images_ != nullptr, "loader", "needs a set of images, got null");
  check_set(*images_);
  check_indices(*images_, indices_);
  check_options(options_);
  normalized_ = normalization_table(options_.mean, options_.stddev);
}

Index DataLoader::batches() const {
  const auto n = static_cast<Index>(indices_.size());
  const Index full = n / options_.batch_size;
  return options_.drop_last || n % options_.batch_size == 0 ? full : full + 1;
}

Index DataLoader::samples() const { return options_.drop_last ? batches() * options_.batch_size : static_cast<Index>(indices_.size()); }

Batch DataLoader::batch(Index epoch, Index i) const {
  require(epoch >= 0, "loader", "epochs count from 0, got ", epoch);
  require(i >= 0 && i < batches(), "loader", "batch ", i, " is outside of the ", batches(), " batches of an epoch");
  const Index begin = i * options_.batch_size;
  const Index count = std::min(options_.batch_size, samples() - begin);
  return assemble(std::span(order_of(epoch)).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count)), epoch, begin);
}

const std::vector<Index>& DataLoader::order_of(Index epoch) const {
  if (!options_.shuffle) {
    return indices_;
  }
  if (epoch != shuffled_epoch_) {
    Generator generator(options_.seed, kFirstEpochStream + static_cast<std::uint64_t>(epoch));
    shuffled_ = permutation(static_cast<Index>(indices_.size()), generator);
    std::transform(shuffled_.begin(), shuffled_.end(), shuffled_.begin(), [&](Index at) { return indices_[static_cast<std::size_t>(at)]; });
    shuffled_epoch_ = epoch;
  }
  return shuffled_;
}

void DataLoader::write_image(Index index, const PhiloxState& changes, Index place, float* out) const {
  const Index height = images_->images.shape[1], width = images_->images.shape[2];
  const std::uint8_t* const pixels = images_->images.values.data() + index * height * width;
  if (options_.affine.is_identity()) {
    return look_up(pixels, height * width, normalized_.data(), out);
  }
  FramedImage image(height, width, normalized_[0]);
  for (Index y = 0; y < height; ++y) {
    look_up(pixels + y * width, width, normalized_.data(), image.row(y));
  }
  image.warp(inverse_map(options_.affine.draw(changes, static_cast<std::uint64_t>(place)), height, width), out);
}

Batch DataLoader::assemble(std::span<const Index> chosen, Index epoch, Index first) const {
  const Shape& shape = images_->images.shape;
  const Index pixels = shape[1] * shape[2];
  const auto count = static_cast<Index>(chosen.size());
  Batch batch{empty({count, 1, shape[1], shape[2]}), empty({count}, DType::i64)};
  float* const x = batch.x.mutable_data<float>();
  std::int64_t* const y = batch.y.mutable_data<std::int64_t>();
  const std::uint8_t* const source = images_->images.values.data();
  const PhiloxState changes{options_.seed, kFirstAffineStream + static_cast<std::uint64_t>(epoch), 0};
  parallel_for(count, std::max<Index>(1, kPixelsPerPiece / std::max<Index>(1, pixels)), [&](Index begin, Index end) {
    for (Index i = begin; pixels > 0 && i < end; ++i) {
      prefetch(source + chosen[static_cast<std::size_t>(i)] * pixels, pixels);
    }
    for (Index i = begin; i < end; ++i) {
      const Index index = chosen[static_cast<std::size_t>(i)];
      write_image(index, changes, first + i, x + i * pixels);
      y[i] = images_->labels[static_cast<std::size_t>(index)];
    }
  });
  return batch;
}

}  // namespace lora::datasets
