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

/// Training images, split once: a sample that one run validates on is trained on by none.
class TrainingData {
 public:
  /// @param limit  use the first so many images of the file; 0 means all. @param groups  each of these digit sets (without digits of those
  /// before it) is split on its own,
  ///   80 % to training
  TrainingData(const std::filesystem::path& folder, std::int64_t limit, std::uint64_t seed,
               const std::vector<lora::datasets::DigitSet>& groups);

  /// Shuffled batches of the digits' training part. @throws lora::Error if there are none
  lora::datasets::DataLoader training(lora::datasets::DigitSet digits, std::int64_t batch_size) const;
  /// The digits' validation part, in large batches.
  lora::datasets::DataLoader validation(lora::datasets::DigitSet digits) const;

 private:
  lora::datasets::DataLoader loader(const std::vector<lora::Index>& part, lora::datasets::DigitSet digits, const char* purpose,
                                    const lora::datasets::LoaderOptions& options) const;

  std::shared_ptr<const lora::datasets::ImageSet> images_;
  lora::datasets::Split2 split_;
  std::uint64_t seed_;
};

/// Test images of some digits, in file order and large batches.
lora::datasets::DataLoader test_loader(const std::shared_ptr<const lora::datasets::ImageSet>& images, lora::datasets::DigitSet digits);

}  // namespace mnist_lora
