#pragma once
// The images of an experiment: which are trained on, which choose the best epoch, and the test images that are read last.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "datasets/loader.hpp"
#include "datasets/mnist.hpp"

namespace mnist_lora {

/// The MNIST that comes with the program: beside the installed program, else in the source tree.
std::filesystem::path bundled_mnist();

/// Whether a folder is that one: what others report of MNIST says nothing of other data.
bool is_bundled_mnist(const std::filesystem::path& folder);

/// Images to a batch where nothing is trained.
inline constexpr std::int64_t kEvaluationBatch = 1000;

/// Some images of a set.
struct ImagePart {
  std::shared_ptr<const lora::datasets::ImageSet> images;
  std::vector<lora::Index> indices;

  /// Positions in `indices` of those with this digit.
  std::vector<std::size_t> positions_of(int digit) const;
  /// Batches of the images at these positions, in this order.
  lora::datasets::DataLoader loader(const std::vector<std::size_t>& positions, std::int64_t batch_size) const;
};

/// What is trained on beside the digits themselves, and how.
struct TrainingImages {
  double others = 0;  ///< share of each other digit's training part, at least one image if above 0
  int replays = 1;    ///< times that an epoch has each of those
  lora::datasets::RandomAffine affine = {};
};

/// Training images, split once: a sample that one run validates on is trained on by none.
class TrainingData {
 public:
  /// @param limit  use the first so many images of the file; 0 means all. @param groups  each of these digit sets (without digits of those
  /// before it) is split on its own,
  ///   80 % to training
  TrainingData(const std::filesystem::path& folder, std::int64_t limit, std::uint64_t seed,
               const std::vector<lora::datasets::DigitSet>& groups);

  /// Shuffled batches of the digits' training part. @throws lora::Error if there are none
  lora::datasets::DataLoader training(lora::datasets::DigitSet digits, std::int64_t batch_size, const TrainingImages& images = {}) const;
  /// The digits' validation part, in order.
  lora::datasets::DataLoader validation(lora::datasets::DigitSet digits) const;
  /// All that is trained on, and all that is held out.
  ImagePart training_part() const { return {images_, split_.train}; }
  ImagePart validation_part() const { return {images_, split_.validation}; }

 private:
  std::vector<lora::Index> chosen(const std::vector<lora::Index>& part, lora::datasets::DigitSet digits, const char* purpose) const;

  std::shared_ptr<const lora::datasets::ImageSet> images_;
  lora::datasets::Split2 split_;
  std::uint64_t seed_;
};

/// Looks for the test files without reading them. @throws lora::Error if one is not there
void require_test_files(const std::filesystem::path& folder);

/// The first `limit` test images, or all. @throws lora::Error if they are not there
ImagePart test_images(const std::filesystem::path& folder, std::int64_t limit = 0);

}  // namespace mnist_lora
