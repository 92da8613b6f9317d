// MNIST, digit sets, splits and the data loader.

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/threads.hpp"
#include "datasets/digits.hpp"
#include "datasets/loader.hpp"
#include "datasets/mnist.hpp"
#include "tests/support/source_file.hpp"
#include "tests/support/temp_folder.hpp"

namespace {

using namespace lora;
using namespace lora::datasets;
using Catch::Contains;
using lora::test::error_of;

const std::filesystem::path kMnist = lora::test::source_file("datasets/data/mnist");

/// `count` images of 2x3 pixels; image i has the pixels i, i+1, .. and the label i % 10.
std::shared_ptr<const ImageSet> small_set(Index count) {
  auto set = std::make_shared<ImageSet>();
  set->name = "small/train";
  set->images.shape = {count, 2, 3};
  for (Index i = 0; i < count; ++i) {
    set->labels.push_back(static_cast<std::uint8_t>(i % 10));
    for (Index pixel = 0; pixel < 6; ++pixel) {
      set->images.values.push_back(static_cast<std::uint8_t>(i + pixel));
    }
  }
  return set;
}

std::vector<Index> all_of(const ImageSet& set) {
  std::vector<Index> indices(static_cast<std::size_t>(set.size()));
  std::iota(indices.begin(), indices.end(), Index{0});
  return indices;
}

/// With mean 0 and deviation 1/255 a pixel is given as its own value, so the first one tells which image of small_set() it is.
LoaderOptions plain_options(Index batch_size) {
  LoaderOptions options;
  options.batch_size = batch_size;
  options.mean = 0.0f;
  options.stddev = 1.0f / 255.0f;
  return options;
}

std::vector<Index> images_of(const Batch& batch) {
  std::vector<Index> out;
  const Index pixels = batch.x.numel() / batch.x.size(0);
  for (Index i = 0; i < batch.x.size(0); ++i) {
    out.push_back(static_cast<Index>(std::lround(batch.x.data<float>()[i * pixels])));
  }
  return out;
}

std::vector<Index> epoch_order(const DataLoader& loader, Index epoch) {
  std::vector<Index> order;
  for (Index i = 0; i < loader.batches(); ++i) {
    const std::vector<Index> part = images_of(loader.batch(epoch, i));
    order.insert(order.end(), part.begin(), part.end());
  }
  return order;
}

template <class T>
bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.data<T>(), b.data<T>(), a.nbytes()) == 0;
}

std::array<Index, 10> histogram(const ImageSet& set) {
  std::array<Index, 10> counts{};
  for (const std::uint8_t label : set.labels) {
    ++counts[label];
  }
  return counts;
}

}  // namespace

TEST_CASE("datasets: MNIST is complete", "[datasets]") {
  const ImageSet train = load_images(kMnist, Split::train);
  const ImageSet test = load_images(kMnist, Split::test);
  CHECK(train.images.shape == Shape{60000, 28, 28});
  CHECK(test.images.shape == Shape{10000, 28, 28});
  CHECK(histogram(train) == std::array<Index, 10>{5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949});
  CHECK(histogram(test) == std::array<Index, 10>{980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009});
  CHECK(train.name == "mnist/train");

  double sum = 0.0, squares = 0.0;
  for (const std::uint8_t pixel : train.images.values) {
    sum += pixel / 255.0;
    squares += (pixel / 255.0) * (pixel / 255.0);
  }
  const double n = static_cast<double>(train.images.values.size());
  const double mean = sum / n;
  // The usual constants have four digits.
  CHECK(std::abs(mean - 0.1307) <= 1e-4);
  CHECK(std::abs(std::sqrt(squares / n - mean * mean) - 0.3081) <= 1e-4);
  CHECK(indices_of(train, DigitSet::parse("3,6,8")).size() == 6131 + 5918 + 5851);
}

TEST_CASE("datasets: digit sets are read and printed", "[datasets]") {
  const auto printed = [](const char* text) { return DigitSet::parse(text).str(); };
  CHECK(printed("0-4") == "0-4");
  CHECK(printed("3,6,8") == "3,6,8");
  CHECK(printed("8,3,6,3") == "3,6,8");
  CHECK(printed("0-4,7") == "0-4,7");
  CHECK(printed("1,0") == "0,1");
  CHECK(printed("0-2,7,8") == "0-2,7,8");
  CHECK(printed("9,8,7,0-9") == "0-9");
  CHECK(printed("4-4") == "4");
  CHECK(printed(" 1, 3 - 5 ") == "1,3-5");
  CHECK(printed("0,2-4,6,7,9") == "0,2-4,6,7,9");
  CHECK(DigitSet{}.str() == "none");
  for (unsigned mask = 1; mask < 1024; ++mask) {
    DigitSet set;
    for (int digit = 0; digit <= 9; ++digit) {
      if (((mask >> digit) & 1u) != 0) {
        set.add(digit);
      }
    }
    REQUIRE(DigitSet::parse(set.str()) == set);
    REQUIRE(set.size() + set.complement().size() == 10);
    REQUIRE(set.complement().complement() == set);
  }
}

TEST_CASE("datasets: digit sets know their members", "[datasets]") {
  const DigitSet set{0, 1, 2, 7, 8};
  CHECK(set.str() == "0-2,7,8");
  CHECK(set.complement().str() == "3-6,9");
  CHECK(set.size() == 5);
  CHECK(set.contains(7));
  CHECK_FALSE(set.contains(3));
  CHECK_FALSE(set.contains(-1));
  CHECK_FALSE(set.contains(10));
  CHECK_FALSE(set.contains(100));
  CHECK(DigitSet::all().str() == "0-9");
  CHECK(DigitSet::all().complement().empty());
}

TEST_CASE("datasets: a wrong digit set is quoted in the error", "[datasets]") {
  const auto error = [](const char* text) { return error_of([&] { DigitSet::parse(text); }); };
  CHECK_THAT(error("5-2"), Contains("[digits] '5-2': the range 5-2 runs backwards; write 2-5"));
  CHECK_THAT(error(""), Contains("[digits] '': names no digit"));
  CHECK_THAT(error("   "), Contains("names no digit"));
  CHECK_THAT(error("3,10"), Contains("[digits] '3,10': '10' is not a digit 0 to 9"));
  CHECK_THAT(error("3,,4"), Contains("[digits] '3,,4': '' is not a digit"));
  CHECK_THAT(error("3,"), Contains("'' is not a digit"));
  CHECK_THAT(error("-3"), Contains("'' is not a digit"));
  CHECK_THAT(error("1-"), Contains("'' is not a digit"));
  CHECK_THAT(error("1-2-3"), Contains("'2-3' is not a digit"));
  CHECK_THAT(error("a"), Contains("'a' is not a digit"));
  CHECK_THAT(error("1 2"), Contains("'1 2' is not a digit"));
  CHECK_THAT(error_of([] { DigitSet{3, 10}; }), Contains("[digits] 10 is not a digit"));
}

TEST_CASE("datasets: samples are chosen by digit in file order", "[datasets]") {
  const auto set = small_set(25);
  CHECK(indices_of(*set, DigitSet{3, 7}) == std::vector<Index>{3, 7, 13, 17, 23});
  CHECK(indices_of(*set, DigitSet{}).empty());
  CHECK(indices_of(*set, DigitSet::all()) == all_of(*set));
  CHECK(limit({4, 5, 6}, 2) == std::vector<Index>{4, 5});
  CHECK(limit({4, 5, 6}, 9) == std::vector<Index>{4, 5, 6});
  CHECK(limit({4, 5, 6}, 0).empty());
  CHECK_THAT(error_of([] { limit({4}, -1); }), Contains("[limit]") && Contains("-1"));
}

TEST_CASE("datasets: a split is disjoint, complete and shuffled by its generator", "[datasets]") {
  std::vector<Index> indices(1000);
  std::iota(indices.begin(), indices.end(), Index{500});
  Generator generator(3), same(3), other(4);
  const Split2 parts = split_indices(indices, 0.2, generator);
  CHECK(parts.train.size() == 800);
  std::vector<Index> together = parts.train;
  together.insert(together.end(), parts.validation.begin(), parts.validation.end());
  CHECK(together != indices);
  std::sort(together.begin(), together.end());
  CHECK(together == indices);
  CHECK(split_indices(indices, 0.2, same).validation == parts.validation);
  CHECK(split_indices(indices, 0.2, other).validation != parts.validation);
  CHECK(split_indices(indices, 0.2, same).validation != parts.validation);  // the generator has moved on
}

TEST_CASE("datasets: the parts of a split have the sizes that arithmetic without rounding gives", "[datasets]") {
  Generator generator(1);
  for (Index percent = 0; percent < 100; ++percent) {
    for (const Index n : {0, 1, 7, 10, 100, 999}) {
      const Split2 parts = split_indices(std::vector<Index>(static_cast<std::size_t>(n)), static_cast<double>(percent) / 100.0, generator);
      CAPTURE(percent, n);
      REQUIRE(static_cast<Index>(parts.train.size()) == n * (100 - percent) / 100);
      REQUIRE(static_cast<Index>(parts.train.size() + parts.validation.size()) == n);
    }
  }
  for (const double fraction : {-0.1, 1.0, 1.5, std::nan("")}) {
    CHECK_THAT(error_of([&] { split_indices({1, 2}, fraction, generator); }), Contains("[split]") && Contains("[0, 1)"));
  }
}

TEST_CASE("datasets: a batch holds normalised pixels and labels of its samples", "[datasets]") {
  const auto set = small_set(250);
  LoaderOptions options;
  options.batch_size = 2;
  options.shuffle = false;
  const Batch batch = DataLoader(set, {7, 249, 101}, options).batch(0, 0);
  REQUIRE(batch.x.shape() == Shape{2, 1, 2, 3});
  REQUIRE(batch.x.dtype() == DType::f32);
  REQUIRE(batch.x.is_contiguous());
  REQUIRE(batch.y.shape() == Shape{2});
  REQUIRE(batch.y.dtype() == DType::i64);
  CHECK(batch.y.data<std::int64_t>()[0] == 7);
  CHECK(batch.y.data<std::int64_t>()[1] == 9);
  const std::array<int, 12> pixels{7, 8, 9, 10, 11, 12, 249, 250, 251, 252, 253, 254};
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    const double expected = (pixels[i] / 255.0 - 0.1307) / 0.3081;
    CHECK(std::abs(batch.x.data<float>()[i] - expected) <= 1e-6);  // three roundings in f32 of values below 3
  }
}

TEST_CASE("datasets: an epoch has every sample once, and the last batch is kept or dropped", "[datasets]") {
  const auto set = small_set(103);
  LoaderOptions options = plain_options(10);
  options.shuffle = GENERATE(false, true);
  const DataLoader loader(set, all_of(*set), options);
  CHECK(loader.batches() == 11);
  CHECK(loader.samples() == 103);
  CHECK(loader.batch(0, 10).x.size(0) == 3);
  std::vector<Index> order = epoch_order(loader, 5);
  CHECK((order == all_of(*set)) == !options.shuffle);
  std::sort(order.begin(), order.end());
  CHECK(order == all_of(*set));

  options.drop_last = true;
  const DataLoader dropping(set, all_of(*set), options);
  CHECK(dropping.batches() == 10);
  CHECK(dropping.samples() == 100);
  std::vector<Index> kept = epoch_order(dropping, 5);
  std::sort(kept.begin(), kept.end());
  CHECK(std::unique(kept.begin(), kept.end()) == kept.end());
  CHECK(kept.size() == 100);
}

TEST_CASE("datasets: the order follows from seed and epoch alone", "[datasets]") {
  const auto set = small_set(200);
  LoaderOptions options = plain_options(16);
  options.seed = 11;
  const DataLoader loader(set, all_of(*set), options);
  const std::vector<Index> first = epoch_order(loader, 0);
  const std::vector<Index> second = epoch_order(loader, 1);
  CHECK(first != second);
  CHECK(epoch_order(loader, 0) == first);
  const DataLoader resumed(set, all_of(*set), options);
  CHECK(images_of(resumed.batch(1, 3)) == std::vector<Index>(second.begin() + 48, second.begin() + 64));
  options.seed = 12;
  CHECK(epoch_order(DataLoader(set, all_of(*set), options), 0) != first);
  options.seed = 11;
  options.batch_size = 7;
  CHECK(epoch_order(DataLoader(set, all_of(*set), options), 0) == first);
}

TEST_CASE("datasets: labels go with their images in any order", "[datasets]") {
  const auto set = small_set(200);
  const DataLoader loader(set, indices_of(*set, DigitSet{2, 5}), plain_options(64));
  const Batch batch = loader.batch(3, 0);
  const std::vector<Index> images = images_of(batch);
  REQUIRE(images.size() == 40);
  for (std::size_t i = 0; i < images.size(); ++i) {
    CHECK(batch.y.data<std::int64_t>()[i] == images[i] % 10);
  }
}

TEST_CASE("datasets: batches are bit-equal for any number of threads", "[datasets]") {
  auto set = std::make_shared<ImageSet>();
  set->images = {{600, 28, 28}, std::vector<std::uint8_t>(600 * 784)};
  for (std::size_t i = 0; i < set->images.values.size(); ++i) {
    set->images.values[i] = static_cast<std::uint8_t>(i * i / 7);
  }
  set->labels.resize(600, 1);
  LoaderOptions options;
  options.batch_size = 512;  // more than one piece of work
  options.affine.degrees = GENERATE(0.0, 15.0);
  const int before = num_threads();
  set_num_threads(1);
  const Batch alone = DataLoader(set, all_of(*set), options).batch(2, 0);
  for (const int threads : {2, 3, 8}) {
    set_num_threads(threads);
    const Batch batch = DataLoader(set, all_of(*set), options).batch(2, 0);
    CHECK(same_bits<float>(batch.x, alone.x));
    CHECK(same_bits<std::int64_t>(batch.y, alone.y));
  }
  set_num_threads(before);
}

TEST_CASE("datasets: images are changed anew in each epoch and each time that an index repeats", "[datasets]") {
  const auto set = std::make_shared<ImageSet>(ImageSet{{{1, 7, 7}, std::vector<std::uint8_t>(49)}, {3}, "one/train"});
  set->images.values[24] = 7;  // in the middle
  LoaderOptions options = plain_options(2);
  options.affine.translate = 2;
  const DataLoader loader(set, {0, 0}, options);
  const Tensor x = loader.batch(4, 0).x;
  CHECK(same_bits<float>(x, loader.batch(4, 0).x));
  const auto values = x.to_vector<float>(), later = loader.batch(5, 0).x.to_vector<float>();
  const std::vector<float> first(values.begin(), values.begin() + 49), second(values.begin() + 49, values.end());
  CHECK(first != second);
  CHECK(first != std::vector<float>(later.begin(), later.begin() + 49));
  for (const std::vector<float>& image : {first, second}) {
    const float sum = std::accumulate(image.begin(), image.end(), 0.0f);
    CHECK(std::abs(sum - 7) <= 1e-5f);  // what is read between pixels is shared out among them, and nothing leaves the image
  }
  options.batch_size = 1;
  CHECK(DataLoader(set, {0, 0}, options).batch(4, 1).x.to_vector<float>() == second);  // by its place in the epoch, not in the batch
}

TEST_CASE("datasets: the loader refuses what it cannot serve", "[datasets]") {
  const auto set = small_set(5);
  const DataLoader none(set, {}, plain_options(4));
  CHECK(none.batches() == 0);
  CHECK(none.samples() == 0);
  CHECK_THAT(error_of([&] { none.batch(0, 0); }), Contains("batch 0 is outside of the 0 batches"));
  const DataLoader loader(set, {0, 1, 2}, plain_options(2));
  CHECK_THAT(error_of([&] { loader.batch(0, 2); }), Contains("batch 2 is outside of the 2 batches"));
  CHECK_THAT(error_of([&] { loader.batch(0, -1); }), Contains("batch -1"));
  CHECK_THAT(error_of([&] { loader.batch(-1, 0); }), Contains("epochs count from 0, got -1"));
  CHECK(DataLoader(set, {4, 4}, plain_options(INT64_MAX)).batch(0, 0).x.size(0) == 2);

  const auto refusal = [&](std::vector<Index> indices, const LoaderOptions& options) {
    return error_of([&] { DataLoader(set, std::move(indices), options); });
  };
  CHECK_THAT(refusal({0, 5}, {}), Contains("index 5 is outside of the 5 samples of 'small/train'"));
  CHECK_THAT(refusal({-1}, {}), Contains("index -1"));
  CHECK_THAT(refusal({0}, plain_options(0)), Contains("batch size must be at least 1, got 0"));
  LoaderOptions flat;
  flat.stddev = 0.0f;
  CHECK_THAT(refusal({0}, flat), Contains("standard deviation"));
  LoaderOptions changed;
  changed.affine.scale = 1;
  CHECK_THAT(refusal({0}, changed), Contains("scale must be at least 0 and below 1, got 1"));
  LoaderOptions undefined;
  undefined.mean = std::nanf("");
  CHECK_THAT(refusal({0}, undefined), Contains("mean must be finite"));

  auto broken = std::make_shared<ImageSet>(*set);
  broken->labels.pop_back();
  CHECK_THAT(error_of([&] { DataLoader(broken, {0}); }), Contains("5 images and 4 labels"));
  broken->images.values.pop_back();
  CHECK_THAT(error_of([&] { DataLoader(broken, {0}); }), Contains("29 pixels in the shape [5,2,3]"));
  CHECK_THAT(error_of([] { DataLoader(nullptr, {}); }), Contains("got null"));
}
