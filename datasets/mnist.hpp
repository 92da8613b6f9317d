#pragma once
// MNIST and data sets in its form: images with a label 0..9, and choosing samples from them.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/rng.hpp"
#include "core/base/shape.hpp"
#include "datasets/digits.hpp"
#include "datasets/idx.hpp"

namespace lora::datasets {

enum class Split { train, test };

/// Grey images and their labels.
struct ImageSet {
  IdxArray images;                   ///< [N, H, W], 0 is background
  std::vector<std::uint8_t> labels;  ///< N values 0..9
  std::string name;                  ///< for people: `mnist/train`

  Index size() const { return images.shape.empty() ? 0 : images.shape[0]; }
};

/// Reads one split of a folder with MNIST's files `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
/// `t10k-labels-idx1-ubyte` (or as find_idx() spells them), plain or gzip. Fashion-MNIST has the same files.
/// @throws Error naming the file if one is missing or damaged, images are not [N,H,W], labels not [N] or not 0..9, or the two counts differ
ImageSet load_images(const std::filesystem::path& dir, Split split);

/// Positions of the samples whose label is in `digits`, in file order.
std::vector<Index> indices_of(const ImageSet& set, DigitSet digits);

/// The first `count` of `indices`; all of them if there are fewer. @throws Error if count < 0
std::vector<Index> limit(std::vector<Index> indices, Index count);

struct Split2 {
  std::vector<Index> train, validation;
};

/// Shuffles `indices` and gives the first floor((1 - validation_fraction) n) to train, the rest to validation: each index is in exactly
/// one.
/// @throws Error unless 0 <= validation_fraction < 1
Split2 split_indices(const std::vector<Index>& indices, double validation_fraction, Generator& generator);

}  // namespace lora::datasets
