#include "datasets/mnist.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <utility>

#include "core/base/error.hpp"

namespace lora::datasets {

namespace fs = std::filesystem;

namespace {

void check_images(const IdxArray& images, const fs::path& path) {
  const Shape& shape = images.shape;
  require(shape.ndim() == 3, "images", "'", path.string(), "' has the shape ", shape, ", images need [samples,height,width]");
  require(shape[1] > 0 && shape[2] > 0, "images", "'", path.string(), "' has images without pixels: ", shape);
}

void check_labels(const IdxArray& labels, const fs::path& path) {
  require(labels.shape.ndim() == 1, "images", "'", path.string(), "' has the shape ", labels.shape, ", labels need [samples]");
  const auto bad = std::find_if(labels.values.begin(), labels.values.end(), [](std::uint8_t label) { return label > 9; });
  if (bad != labels.values.end()) {
    fail("images", "'", path.string(), "' has the label ", int{*bad}, " at index ", bad - labels.values.begin(), "; labels are 0 to 9");
  }
}

void check_counts(Index images, const fs::path& image_path, Index labels, const fs::path& label_path) {
  require(images == labels, "images", "'", image_path.string(), "' has ", images, " images but '", label_path.string(), "' has ", labels,
          " labels; use two files of the same data set");
}

std::string set_name(const fs::path& dir, Split split) {
  std::error_code ignored;
  const fs::path whole = fs::weakly_canonical(dir, ignored);
  return whole.filename().string() + (split == Split::train ? "/train" : "/test");
}

}  // namespace

ImageSet load_images(const fs::path& dir, Split split) {
  const std::string prefix = split == Split::train ? "train" : "t10k";
  const fs::path image_path = find_idx(dir, prefix + "-images-idx3-ubyte");
  const fs::path label_path = find_idx(dir, prefix + "-labels-idx1-ubyte");
  IdxArray images = read_idx(image_path);
  check_images(images, image_path);
  IdxArray labels = read_idx(label_path);
  check_labels(labels, label_path);
  check_counts(images.shape[0], image_path, labels.shape[0], label_path);
  return {std::move(images), std::move(labels.values), set_name(dir, split)};
}

std::vector<Index> indices_of(const ImageSet& set, DigitSet digits) {
  std::vector<Index> found;
  for (std::size_t i = 0; i < set.labels.size(); ++i) {
    if (digits.contains(set.labels[i])) {
      found.push_back(static_cast<Index>(i));
    }
  }
  return found;
}

std::vector<Index> limit(std::vector<Index> indices, Index count) {
  require(count >= 0, "limit", "a number of samples cannot be negative, got ", count);
  if (count < static_cast<Index>(indices.size())) {
    indices.resize(static_cast<std::size_t>(count));
  }
  return indices;
}

Split2 split_indices(const std::vector<Index>& indices, double validation_fraction, Generator& generator) {
  require(validation_fraction >= 0.0 && validation_fraction < 1.0, "split", "the validation fraction must be in [0, 1), got ",
          validation_fraction);
  const auto n = static_cast<Index>(indices.size());
  // The small term keeps a product such as (1 - 0.9) * 10 = 0.9999.. from losing a sample.
  const auto train_count = static_cast<Index>(std::floor((1.0 - validation_fraction) * static_cast<double>(n) + 1e-6));
  Split2 parts;
  for (const Index at : permutation(n, generator)) {
    auto& part = static_cast<Index>(parts.train.size()) < train_count ? parts.train : parts.validation;
    part.push_back(indices[static_cast<std::size_t>(at)]);
  }
  return parts;
}

}  // namespace lora::datasets
