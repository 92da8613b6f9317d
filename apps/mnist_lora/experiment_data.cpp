#include "apps/mnist_lora/experiment_data.hpp"

#include <cmath>
#include <utility>

#include "datasets/idx.hpp"

namespace mnist_lora {

namespace {

using lora::Index;
using lora::datasets::DataLoader;
using lora::datasets::DigitSet;
using lora::datasets::ImageSet;
using lora::datasets::LoaderOptions;
using lora::datasets::Split2;

constexpr double kValidationShare = 0.2;
constexpr std::int64_t kValidationBatch = 128;  // small, so that the peak memory of a run is that of its training
constexpr std::uint64_t kSplitStream = 1;

LoaderOptions evaluation_options(std::int64_t batch_size = kEvaluationBatch) {
  LoaderOptions options;
  options.batch_size = batch_size;
  options.shuffle = false;
  return options;
}

std::vector<Index> of_digits(const std::vector<Index>& indices, const ImageSet& images, DigitSet digits) {
  std::vector<Index> chosen;
  for (const Index i : indices) {
    if (digits.contains(images.labels[static_cast<std::size_t>(i)])) {
      chosen.push_back(i);
    }
  }
  return chosen;
}

/// The digits of `group` that are not in `seen`, which has them afterwards.
DigitSet take_new(DigitSet group, DigitSet& seen) {
  DigitSet fresh;
  for (int digit = 0; digit <= 9; ++digit) {
    if (group.contains(digit) && !seen.contains(digit)) {
      fresh.add(digit);
      seen.add(digit);
    }
  }
  return fresh;
}

void append(std::vector<Index>& all, const std::vector<Index>& more) { all.insert(all.end(), more.begin(), more.end()); }

std::vector<Index> first_share(std::vector<Index> indices, double share) {
  indices.resize(static_cast<std::size_t>(std::ceil(share * static_cast<double>(indices.size()))));
  return indices;
}

std::vector<Index> first_images(const ImageSet& images, std::int64_t limit) {
  const std::vector<Index> all = lora::datasets::indices_of(images, DigitSet::all());
  return limit == 0 ? all : lora::datasets::limit(all, limit);
}

}  // namespace

std::filesystem::path bundled_mnist() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::filesystem::path installed = program.parent_path().parent_path() / LORA_MNIST_INSTALLED;
  return !error && std::filesystem::exists(installed, error) ? installed : std::filesystem::path(LORA_MNIST_SOURCE);
}

bool is_bundled_mnist(const std::filesystem::path& folder) {
  std::error_code missing;
  return std::filesystem::equivalent(folder, bundled_mnist(), missing);
}

TrainingData::TrainingData(const std::filesystem::path& folder, std::int64_t limit, std::uint64_t seed, const std::vector<DigitSet>& groups)
    : images_(std::make_shared<const ImageSet>(lora::datasets::load_images(folder, lora::datasets::Split::train))), seed_(seed) {
  const std::vector<Index> used = first_images(*images_, limit);
  lora::Generator generator(seed, kSplitStream);
  DigitSet seen;
  for (const DigitSet group : groups) {
    const Split2 part = lora::datasets::split_indices(of_digits(used, *images_, take_new(group, seen)), kValidationShare, generator);
    append(split_.train, part.train);
    append(split_.validation, part.validation);
  }
}

std::vector<Index> TrainingData::chosen(const std::vector<Index>& part, DigitSet digits, const char* purpose) const {
  std::vector<Index> indices = of_digits(part, *images_, digits);
  lora::require(!indices.empty(), "data", "no images of the digits ", digits, " to ", purpose, " on in ", images_->name, "; raise --limit");
  return indices;
}

DataLoader TrainingData::training(DigitSet digits, std::int64_t batch_size, const TrainingImages& images) const {
  LoaderOptions options;
  options.batch_size = batch_size;
  options.seed = seed_;
  options.affine = images.affine;
  std::vector<Index> indices = chosen(split_.train, digits, "train");
  for (int digit = 0; digit <= 9; ++digit) {
    if (digits.contains(digit)) {
      continue;
    }
    const std::vector<Index> share = first_share(of_digits(split_.train, *images_, DigitSet{digit}), images.others);
    for (int i = 0; i < images.replays; ++i) {
      append(indices, share);
    }
  }
  return DataLoader(images_, std::move(indices), options);
}

DataLoader TrainingData::validation(DigitSet digits) const {
  return DataLoader(images_, chosen(split_.validation, digits, "validate"), evaluation_options(kValidationBatch));
}

std::vector<std::size_t> ImagePart::positions_of(int digit) const {
  std::vector<std::size_t> positions;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    if (images->labels[static_cast<std::size_t>(indices[i])] == digit) {
      positions.push_back(i);
    }
  }
  return positions;
}

DataLoader ImagePart::loader(const std::vector<std::size_t>& positions, std::int64_t batch_size) const {
  std::vector<Index> chosen;
  for (const std::size_t at : positions) {
    chosen.push_back(indices[at]);
  }
  return DataLoader(images, std::move(chosen), evaluation_options(batch_size));
}

void require_test_files(const std::filesystem::path& folder) {
  lora::datasets::find_idx(folder, "t10k-images-idx3-ubyte");
  lora::datasets::find_idx(folder, "t10k-labels-idx1-ubyte");
}

ImagePart test_images(const std::filesystem::path& folder, std::int64_t limit) {
  const auto images = std::make_shared<const ImageSet>(lora::datasets::load_images(folder, lora::datasets::Split::test));
  return {images, first_images(*images, limit)};
}

}  // namespace mnist_lora
