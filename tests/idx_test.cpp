// The IDX reader and folders of IDX files.

#include <zlib.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/rng.hpp"
#include "datasets/byte_reader.hpp"
#include "datasets/idx.hpp"
#include "datasets/mnist.hpp"
#include "tests/support/temp_folder.hpp"

namespace {

using namespace lora;
using namespace lora::datasets;
using Catch::Contains;
using lora::test::error_of;
using Bytes = std::vector<std::uint8_t>;

struct TempDir : lora::test::TempFolder {
  std::filesystem::path write(const std::string& name, const Bytes& bytes) const {
    std::ofstream file(path() / name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    REQUIRE(file.good());
    return path() / name;
  }
};

Bytes gzip(Bytes content) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  Bytes out(deflateBound(&stream, content.size()) + 64);
  stream.next_in = content.data();
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

Bytes joined(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Bytes cut(const Bytes& bytes, std::size_t count) { return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count)}; }

Bytes header(const std::vector<std::uint32_t>& sizes, std::uint8_t type = 8) {
  Bytes out{0, 0, type, static_cast<std::uint8_t>(sizes.size())};
  for (const std::uint32_t size : sizes) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      out.push_back(static_cast<std::uint8_t>(size >> shift));
    }
  }
  return out;
}

/// Bytes without a pattern that a compressor would find.
Bytes noise(std::size_t count, std::uint64_t seed = 1) {
  Bytes out(count);
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = static_cast<std::uint8_t>(PhiloxState{seed}.block(i)[0]);
  }
  return out;
}

std::string read_error(const std::filesystem::path& path) {
  return error_of([&] { read_idx(path); });
}

}  // namespace

TEST_CASE("idx: IDX arrays come back as written, plain and gzip, whatever the name", "[idx]") {
  const TempDir dir;
  const std::vector<std::vector<std::uint32_t>> shapes{{5}, {3, 4}, {2, 3, 4}, {0}, {7, 0}, {1, 2, 1, 2, 1, 2, 1, 2}, {3, 1000, 999}};
  const auto& sizes = shapes[GENERATE(range(std::size_t{0}, std::size_t{7}))];
  const Bytes values = noise(std::accumulate(sizes.begin(), sizes.end(), std::size_t{1}, std::multiplies<>{}));
  const Bytes file = joined(header(sizes), values);
  const Bytes half = cut(file, file.size() / 2);
  const Bytes rest(file.begin() + static_cast<std::ptrdiff_t>(half.size()), file.end());
  for (const Bytes& stored : {file, gzip(file), joined(gzip(half), gzip(rest))}) {
    const IdxArray array = read_idx(dir.write("any-name.gz", stored));
    REQUIRE(array.shape.ndim() == static_cast<int>(sizes.size()));
    REQUIRE(std::equal(sizes.begin(), sizes.end(), array.shape.begin(), [](std::uint32_t a, Index b) { return Index{a} == b; }));
    REQUIRE(array.values == values);
  }
}

TEST_CASE("idx: every way in which an IDX file can be wrong is told with file and fact", "[idx]") {
  struct Row {
    const char* name;
    Bytes content;
    const char* fact;
  };
  const Bytes good = joined(header({10, 20}), noise(200));
  const Bytes packed = gzip(good);
  Bytes flipped = packed;
  flipped[packed.size() / 2] ^= 0x10;
  Bytes bad_sum = packed;
  bad_sum[packed.size() - 8] ^= 1;
  const std::vector<Row> rows{
      {"empty", {}, "is empty"},
      {"one-byte", {0x1f}, "ends within its header, after 1 bytes"},
      {"half-magic", {0, 0, 8}, "ends within its header, after 3 bytes"},
      {"half-header", cut(good, 9), "ends within its header, after 9 of 12 bytes"},
      {"half-data", cut(good, 150), "expected 200 bytes of data for the size [10,20], got 138"},
      {"no-data", cut(good, 12), "expected 200 bytes of data for the size [10,20], got 0"},
      {"trailing", joined(good, {0}), "goes on after the 200 bytes of data that its size [10,20] asks for"},
      {"png", {0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a}, "is no IDX file: it starts with the bytes 89 50 4e 47"},
      {"unknown-type", joined(header({2}, 0x0a), noise(2)), "is no IDX file: it starts with the bytes 00 00 0a 01"},
      {"floats", joined(header({2}, 0x0d), noise(8)), "holds elements of type f32 (0d), and only u8 (08) is read"},
      {"no-axes", {0, 0, 8, 0, 1}, "has 0 axes; 1 to 8"},
      {"nine-axes", joined(header({1, 1, 1, 1, 1, 1, 1, 1, 1}), {7}), "has 9 axes; 1 to 8"},
      {"all-axes", joined({0, 0, 8, 255}, noise(2000)), "has 255 axes; 1 to 8"},
      {"absurd", joined(header({0xffffffff, 0xffffffff, 0xffffffff}), noise(9)), "absurd size [4294967295,4294967295,4294967295]"},
      {"too-big", joined(header({0xffffffff, 0x7fffffff}), noise(9)), "expected 9223372030412324865 bytes"},
      {"too-big.gz", gzip(joined(header({0xffffffff, 0x7fffffff}), noise(9))), "got 9;"},
      {"trailing.gz", gzip(joined(good, {0})), "goes on after the 200 bytes"},
      {"half-data.gz", gzip(cut(good, 150)), "expected 200 bytes of data for the size [10,20], got 138"},
      {"empty.gz", gzip({}), "is empty"},
      {"truncated.gz", cut(packed, packed.size() / 2), "unexpected end of file"},
      {"no-trailer.gz", cut(packed, packed.size() - 3), "unexpected end of file"},
      {"flipped.gz", flipped, "the gzip data are corrupt ("},
      {"bad-sum.gz", bad_sum, "the gzip data are corrupt (incorrect data check)"},
      {"method.gz", {0x1f, 0x8b, 9, 0, 0, 0, 0, 0, 0, 3}, "the gzip data are corrupt (unknown compression method)"},
      {"tail.gz", joined(packed, {'x'}), "other bytes follow the end of the gzip data"},
  };
  const TempDir dir;
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const auto path = dir.write(row.name, row.content);
    CHECK_THAT(read_error(path), Contains("'" + path.string() + "'") && Contains(row.fact));
  }
  CHECK_THAT(read_error(dir.path() / "nowhere"), Contains("nowhere' does not exist"));
  CHECK_THAT(read_error(dir.path()), Contains(dir.path().string() + "' is a folder"));
}

TEST_CASE("idx: a cut gzip file is an error, and one with a flipped bit an error or intact", "[idx]") {
  const TempDir dir;
  const Bytes values = noise(54);
  const Bytes packed = gzip(joined(header({6, 9}), values));
  for (std::size_t size = 0; size < packed.size(); ++size) {
    CAPTURE(size);
    REQUIRE_THAT(read_error(dir.write("cut.gz", cut(packed, size))), Contains("cut.gz'"));
  }
  std::size_t noticed = 0;
  for (std::size_t bit = 0; bit < 8 * packed.size(); ++bit) {
    Bytes flipped = packed;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    const auto path = dir.write("flip.gz", flipped);
    CAPTURE(bit);
    IdxArray array;
    const std::string error = error_of([&] { array = read_idx(path); });
    // A few bits mean nothing: flags and time in the header, and those that fill up the last byte before the checksum.
    const bool intact = error == "no error" && array.shape == Shape{6, 9} && array.values == values;
    REQUIRE((intact || error.find("flip.gz'") != std::string::npos));
    noticed += intact ? 0 : 1;
  }
  CHECK(noticed >= 8 * (packed.size() - 10));  // all but part of the ten bytes of header
}

TEST_CASE("idx: reads in pieces of any size give the same bytes", "[idx]") {
  const TempDir dir;
  const Bytes content = noise(200000);
  const std::size_t piece = GENERATE(std::size_t{1}, std::size_t{4095}, std::size_t{65536}, std::size_t{300000});
  for (const Bytes& stored : {content, gzip(content)}) {
    ByteReader reader(dir.write("content", stored));
    Bytes all, part(piece);
    for (std::size_t got = reader.read(part); got > 0; got = reader.read(part)) {
      all.insert(all.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(got));
    }
    REQUIRE(all == content);
    REQUIRE(reader.read(part) == 0);
  }
}

TEST_CASE("idx: an IDX file is found under both spellings, plain or gzip", "[idx]") {
  const TempDir dir;
  const std::string stem = "train-images-idx3-ubyte";
  const std::string error = error_of([&] { find_idx(dir.path(), stem); });
  for (const std::string& name : {stem, stem + ".gz", std::string("train-images.idx3-ubyte"), std::string("train-images.idx3-ubyte.gz")}) {
    CHECK_THAT(error, Contains(dir.path().string()) && Contains(name));
    const auto path = dir.write(name, {1});
    CHECK(find_idx(dir.path(), stem) == path);
    std::filesystem::remove(path);
    std::filesystem::create_directory(path);  // a folder of that name is not the file
  }
  CHECK_THAT(error_of([&] { find_idx(dir.path(), stem); }), Contains("looked for"));
  CHECK_THAT(error_of([&] { find_idx(dir.path() / "none", stem); }), Contains("there is no folder") && Contains("none'"));
}

TEST_CASE("idx: a folder of images and labels is checked as a whole", "[idx]") {
  const TempDir dir;
  const Bytes labels = joined(header({3}), {0, 9, 4});
  dir.write("t10k-images-idx3-ubyte", joined(header({3, 2, 5}), noise(30)));
  const auto load = [&] { return load_images(dir.path(), Split::test); };
  CHECK_THAT(error_of(load), Contains("t10k-labels-idx1-ubyte.gz"));

  dir.write("t10k-labels-idx1-ubyte", labels);
  const ImageSet set = load();
  CHECK(set.images.shape == Shape{3, 2, 5});
  CHECK(set.labels == Bytes{0, 9, 4});
  CHECK(set.size() == 3);
  CHECK(set.name == dir.path().filename().string() + "/test");
  CHECK_THAT(error_of([&] { load_images(dir.path(), Split::train); }), Contains("train-images-idx3-ubyte"));

  dir.write("t10k-labels-idx1-ubyte", joined(header({3}), {0, 9, 10}));
  CHECK_THAT(error_of(load), Contains("t10k-labels-idx1-ubyte'") && Contains("label 10 at index 2"));
  dir.write("t10k-labels-idx1-ubyte", joined(header({4}), {0, 9, 4, 1}));
  CHECK_THAT(error_of(load), Contains("t10k-images-idx3-ubyte' has 3 images") && Contains("t10k-labels-idx1-ubyte' has 4 labels"));
  dir.write("t10k-labels-idx1-ubyte", joined(header({3, 1}), {0, 9, 4}));
  CHECK_THAT(error_of(load), Contains("t10k-labels-idx1-ubyte' has the shape [3,1]"));
  dir.write("t10k-labels-idx1-ubyte", labels);
  dir.write("t10k-images-idx3-ubyte", joined(header({3, 10}), noise(30)));
  CHECK_THAT(error_of(load), Contains("t10k-images-idx3-ubyte' has the shape [3,10]"));
  dir.write("t10k-images-idx3-ubyte", header({3, 0, 10}));
  CHECK_THAT(error_of(load), Contains("t10k-images-idx3-ubyte' has images without pixels"));
}
