// The safetensors format: reading (with a table of damaged files), writing, and tensors to files and back.
#include "core/base/safetensors.hpp"

#include <catch2/catch.hpp>
#include <cstdint>
#include <cstring>
#include <filesystem>

#include "core/base/file.hpp"
#include "core/ops/view.hpp"
#include "core/serialize.hpp"
#include "tests/support/source_file.hpp"
#include "tests/support/temp_folder.hpp"

namespace fs = std::filesystem;
using Catch::Contains;
using lora::DType;
using lora::NamedTensors;
using lora::Tensor;
using lora::test::error_of;
using Folder = lora::test::TempFolder;

namespace {

std::string length_bytes(std::uint64_t length) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes;
}

/// A file of this header and `data_bytes` zeros.
std::string file_of(const std::string& header, std::size_t data_bytes = 0) {
  return length_bytes(header.size()) + header + std::string(data_bytes, '\0');
}

/// A file with one tensor "w" of four bytes, its fields as given.
std::string one_entry(const std::string& fields, std::size_t data_bytes = 4) { return file_of(R"({"w":{)" + fields + "}}", data_bytes); }

lora::SafetensorsHeader parse(const std::string& bytes) { return lora::parse_safetensors(std::as_bytes(std::span(bytes)), "F"); }

std::string repeat(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) {
    out += text;
  }
  return out;
}

fs::path golden(const char* file) { return lora::test::source_file("tests/golden/peft_mlp") / file; }

std::string raw_bytes(const Tensor& tensor) { return {static_cast<const char*>(tensor.view().data), tensor.nbytes()}; }

struct BadFile {
  const char* name;
  std::string bytes;
  const char* error;
};

const std::string kF32 = R"("dtype":"F32","shape":[1],"data_offsets":[0,4])";

const std::vector<BadFile>& bad_files() {
  static const std::vector<BadFile> rows = {
      {"empty", "", "the file has 0 bytes"},
      {"length cut short", "1234567", "the file has 7 bytes"},
      {"text, no safetensors", "hello, this is a text file", "is over the limit of 100000000"},
      {"length is all ones", length_bytes(~std::uint64_t{0}), "is over the limit of 100000000"},
      {"length over the limit", length_bytes(100'000'001), "the header length 100000001 is over the limit"},
      {"header cut short", length_bytes(10) + "{}", "the header has 10 bytes, but only 2 follow"},
      {"no header", file_of(""), "not valid UTF-8 JSON at byte 8"},
      {"no JSON", file_of("{\"w\":?}"), "not valid UTF-8 JSON at byte 13"},
      {"JSON cut short", file_of(R"({"w":{"dtype")"), "not valid UTF-8 JSON at byte 21"},
      {"text after the JSON", file_of("{} x"), "not valid UTF-8 JSON at byte 11"},
      {"zeros after the JSON", file_of(std::string("{}\0\0", 4)), "not valid UTF-8 JSON at byte 10"},
      {"not UTF-8", file_of("{\"\xff\":1}"), "not valid UTF-8 JSON at byte 10"},
      {"lone surrogate", file_of(R"({"\ud800":1})"), "not valid UTF-8 JSON at byte 16"},
      {"number beyond f64", one_entry(R"("dtype":"F32","shape":[1e999],"data_offsets":[0,4])"), "a number that is too large"},
      {"an array", file_of("[1]"), "the header is no JSON object but array"},
      {"null", file_of("null"), "the header is no JSON object but null"},
      {"deep arrays", file_of(repeat("[", 1000000)), "nested deeper than 32 levels"},
      {"deep objects", file_of(repeat("{\"a\":", 200000)), "nested deeper than 32 levels"},
      {"deep unused field", one_entry(kF32 + ",\"x\":" + repeat("[", 99) + repeat("]", 99)), "nested deeper than 32 levels"},
      {"name twice", file_of("{\"w\":{" + kF32 + "},\"w\":{" + kF32 + "}}", 4), "key 'w': appears twice in the header"},
      {"field twice", one_entry(kF32 + R"(,"dtype":"F32")"), "key 'w': has 'dtype' twice"},
      {"metadata twice", file_of(R"({"__metadata__":{},"__metadata__":{}})"), "key '__metadata__': appears twice"},
      {"metadata key twice", file_of(R"({"__metadata__":{"a":"1","a":"2"}})"), "key '__metadata__': has 'a' twice"},
      {"metadata no object", file_of(R"({"__metadata__":"pt"})"), "key '__metadata__': must map strings to strings, got string"},
      {"metadata of numbers", file_of(R"({"__metadata__":{"epoch":3}})"),
       "key '__metadata__': the value of 'epoch' must be a string, got number"},
      {"entry no object", file_of(R"({"w":[1]})"), "key 'w': must be an object with dtype, shape and data_offsets, got array"},
      {"no dtype", one_entry(R"("shape":[1],"data_offsets":[0,4])"), "key 'w': has no dtype"},
      {"no shape", one_entry(R"("dtype":"F32","data_offsets":[0,4])"), "key 'w': has no shape"},
      {"no data_offsets", one_entry(R"("dtype":"F32","shape":[1])"), "key 'w': has no data_offsets"},
      {"dtype a number", one_entry(R"("dtype":32,"shape":[1],"data_offsets":[0,4])"), "key 'w': dtype must be string, got number"},
      {"shape a number", one_entry(R"("dtype":"F32","shape":1,"data_offsets":[0,4])"), "key 'w': shape must be array, got number"},
      {"data_offsets null", one_entry(R"("dtype":"F32","shape":[1],"data_offsets":null)"), "key 'w': data_offsets must be array, got null"},
      {"dtype I8", one_entry(R"("dtype":"I8","shape":[4],"data_offsets":[0,4])"),
       "key 'w': dtype 'I8' is not supported; supported are F64"},
      {"dtype F8", one_entry(R"("dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4])"), "dtype 'F8_E4M3' is not supported"},
      {"dtype in small letters", one_entry(R"("dtype":"f32","shape":[1],"data_offsets":[0,4])"), "dtype 'f32' is not supported"},
      {"negative size", one_entry(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])"), "key 'w': sizes in shape must be whole numbers"},
      {"fractional size", one_entry(R"("dtype":"F32","shape":[1.0],"data_offsets":[0,4])"), "whole numbers from 0 to 2^63-1, got 1.0"},
      {"size a string", one_entry(R"("dtype":"F32","shape":["1"],"data_offsets":[0,4])"), "whole numbers from 0 to 2^63-1, got \"1\""},
      {"size 2^63", one_entry(R"("dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,4])"), "got 9223372036854775808"},
      {"size 2^64 + 1", one_entry(R"("dtype":"F32","shape":[18446744073709551617],"data_offsets":[0,4])"),
       "key 'w': sizes in shape must be"},
      {"product overflow", one_entry(R"("dtype":"F32","shape":[4294967296,4294967297],"data_offsets":[0,4])"), "has too many elements"},
      {"product wraps to 4 bytes", one_entry(R"("dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4])"),
       "has too many elements"},
      {"overflow beside a 0", one_entry(R"("dtype":"U8","shape":[0,4294967296,4294967296],"data_offsets":[0,0])", 0),
       "has too many elements"},
      {"nine axes", one_entry(R"("dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4])"), "key 'w': has 9 axes; at most 8"},
      {"one offset", one_entry(R"("dtype":"F32","shape":[1],"data_offsets":[4])"), "data_offsets must be [begin,end], got 1 numbers"},
      {"negative offset", one_entry(R"("dtype":"F32","shape":[1],"data_offsets":[-4,0])"), "key 'w': data_offsets must be whole numbers"},
      {"offsets reversed", one_entry(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])"), "data_offsets [4,0] end before they begin"},
      {"size too small", one_entry(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"), "[0,4] hold 4 bytes, but f32[2] needs 8"},
      {"bytes for a size 0", one_entry(R"("dtype":"F32","shape":[0],"data_offsets":[0,4])"), "[0,4] hold 4 bytes, but f32[0] needs 0"},
      {"data cut short", one_entry(kF32, 3), "key 'w': data_offsets [0,4] are outside of the 3 bytes of data"},
      {"offsets far outside", one_entry(R"("dtype":"U8","shape":[1],"data_offsets":[9223372036854775806,9223372036854775807])"),
       "are outside of the 4 bytes"},
      {"bytes left over", one_entry(kF32, 6), "the last 2 bytes of the file belong to no tensor"},
      {"bytes and no tensor", file_of("{}", 1), "the last 1 bytes of the file belong to no tensor"},
      {"hole before the first", one_entry(R"("dtype":"U8","shape":[2],"data_offsets":[2,4])"),
       "key 'w': bytes 0 to 2 of the data before it"},
      {"hole", file_of("{\"v\":{" + kF32 + R"(},"w":{"dtype":"U8","shape":[1],"data_offsets":[5,6]}})", 6),
       "key 'w': bytes 4 to 5 of the data"},
      {"overlap", file_of("{\"v\":{" + kF32 + R"(},"w":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}})", 5),
       "key 'w': begins at byte 3 of the data, inside"},
      {"same place", file_of("{\"v\":{" + kF32 + "},\"w\":{" + kF32 + "}}", 4), "tensors must not overlap"},
      {"size 0 inside another", file_of("{\"v\":{" + kF32 + R"(},"w":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}})", 4),
       "key 'w': begins at byte 1"},
  };
  return rows;
}

/// One tensor a dtype, with bit patterns that arithmetic would change (NaN payloads, negative zeros).
NamedTensors every_dtype() {
  NamedTensors out;
  for (const DType dtype : {DType::f32, DType::f64, DType::bf16, DType::f16, DType::u8, DType::i32, DType::i64, DType::boolean}) {
    Tensor tensor = lora::empty({3, 5}, dtype);
    auto* bytes = static_cast<unsigned char*>(tensor.mutable_view().data);
    for (std::size_t i = 0; i < tensor.nbytes(); ++i) {
      bytes[i] = static_cast<unsigned char>(dtype == DType::boolean ? i % 2 : 255 - i);
    }
    out.emplace_back(std::string(lora::name(dtype)), tensor);
  }
  return out;
}

}  // namespace

TEST_CASE("safetensors: a damaged file is an error that says where", "[safetensors]") {
  const BadFile& row = bad_files()[GENERATE(range(std::size_t{0}, bad_files().size()))];
  CAPTURE(row.name);
  const std::string error = error_of([&] { parse(row.bytes); });
  CHECK_THAT(error, Catch::StartsWith("[safetensors] F: ") && Contains(row.error));
  CHECK(error.size() < 1000);
}

TEST_CASE("safetensors: every cut of a good file is an error", "[safetensors]") {
  const std::string good = file_of(R"({"__metadata__":{"a":"b"},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4);
  CHECK(parse(good).entries.size() == 1);
  for (std::size_t size = 0; size < good.size(); ++size) {
    CAPTURE(size);
    CHECK_THAT(error_of([&] { parse(good.substr(0, size)); }), Catch::StartsWith("[safetensors] F: "));
  }
}

TEST_CASE("safetensors: changing any byte of a good file never crashes", "[safetensors]") {
  const std::string good = file_of(R"({"__metadata__":{"a":"b"},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4);
  int errors = 0;
  for (std::size_t i = 0; i < 256 * good.size(); ++i) {
    std::string bytes = good;
    bytes[i / 256] = static_cast<char>(i % 256);
    errors += error_of([&] { parse(bytes); }) == "no error" ? 0 : 1;
  }
  CHECK(errors > 10000);
}

TEST_CASE("safetensors: an unsorted header, padding, unknown fields and names of any kind are read", "[safetensors]") {
  const auto header =
      parse(file_of(R"({"b\"\u00fc":{"dtype":"F64","shape":[],"data_offsets":[1,9],"x":{"y":[1]}},"e":{"dtype":"I64","shape":[2,0],)"
                    R"("data_offsets":[9,9]},"a":{"data_offsets":[0,1],"shape":[1],"dtype":"BOOL"},"__metadata__":{"k":"v"}}   )",
                    9));
  REQUIRE(header.entries.size() == 3);
  CHECK(header.entries[0].name == "a");
  CHECK(header.entries[1].name == "b\"\xc3\xbc");
  CHECK(header.entries[1].shape == lora::Shape{});
  CHECK(header.entries[1].dtype == DType::f64);
  CHECK(header.entries[1].offset == header.entries[0].offset + 1);
  CHECK(header.entries[2].bytes == 0);
  CHECK(header.metadata == std::map<std::string, std::string>{{"k", "v"}});
}

TEST_CASE("safetensors: the smallest file has no tensors", "[safetensors]") {
  CHECK(parse(file_of("{}")).entries.empty());
  const Folder folder;
  lora::save_safetensors(folder / "f", {});
  CHECK(lora::read_text_file(folder / "f") == length_bytes(8) + "{}      ");
  CHECK(lora::load_safetensors(folder / "f").tensors.empty());
}

TEST_CASE("safetensors: a BOOL byte other than 0 and 1 is an error", "[safetensors]") {
  const Folder folder;
  std::string bytes = file_of(R"({"m":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}})", 3);
  bytes[bytes.size() - 3] = 1;
  lora::write_file_atomically(folder / "good", bytes);
  CHECK(lora::load_safetensors(folder / "good").at("m").to_vector<int>() == std::vector<int>{1, 0, 0});
  bytes.back() = 2;
  lora::write_file_atomically(folder / "bad", bytes);
  CHECK_THAT(error_of([&] { lora::load_safetensors(folder / "bad"); }), Contains("bad: key 'm': element 2 of a BOOL tensor"));
}

TEST_CASE("safetensors: all dtypes keep their bits", "[safetensors]") {
  const Folder folder;
  const NamedTensors saved = every_dtype();
  lora::save_safetensors(folder / "f", saved);
  const auto file = lora::load_safetensors(folder / "f");
  REQUIRE(file.tensors.size() == saved.size());
  for (const auto& [name, tensor] : saved) {
    CAPTURE(name);
    CHECK(file.at(name).dtype() == tensor.dtype());
    CHECK(file.at(name).shape() == tensor.shape());
    CHECK(raw_bytes(file.at(name)) == raw_bytes(tensor));
  }
}

TEST_CASE("safetensors: a file is listed whatever its dtypes and axes are", "[safetensors]") {
  const std::string bytes = file_of(
      R"({"__metadata__":{"k":"v"},"a":{"dtype":"F8_E5M2","shape":[2],"data_offsets":[0,2]},)"
      R"("b":{"dtype":"F4","shape":[1,1,1,1,1,1,1,1,3],"data_offsets":[2,4]},"c":{"dtype":"NEW","shape":[99],"data_offsets":[4,5]}})",
      5);
  const auto list = [](const std::string& file) { return lora::list_safetensors(std::as_bytes(std::span(file)), "F"); };
  const lora::SafetensorsListing listing = list(bytes);
  REQUIRE(listing.tensors.size() == 3);
  CHECK(listing.metadata.at("k") == "v");
  CHECK(listing.tensors[0].dtype == "F8_E5M2");
  CHECK(listing.tensors[1].shape.size() == 9);
  CHECK(listing.tensors[2].bytes == 1);
  CHECK(listing.tensors[2].offset == bytes.size() - 1);
  CHECK_THAT(error_of([&] { parse(bytes); }), Contains("'F8_E5M2' is not supported"));
  CHECK_THAT(error_of([&] { list(one_entry(R"("dtype":"I16","shape":[3],"data_offsets":[0,4])")); }), Contains("i16[3] needs 6"));
  CHECK_THAT(error_of([&] { list(one_entry(R"("dtype":"NEW","shape":[3],"data_offsets":[0,3])")); }), Contains("belong to no tensor"));
}

TEST_CASE("safetensors: scalars, empty tensors, many axes and strides are saved", "[safetensors]") {
  const Folder folder;
  const Tensor matrix = lora::from_values(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3});
  const NamedTensors saved{{"scalar", lora::full({}, 7.5, DType::f64)},
                           {"none", lora::empty({0})},
                           {"no rows", lora::empty({3, 0, 2}, DType::i64)},
                           {"axes", lora::full({1, 1, 2, 1, 1, 1, 1, 3}, 2.0)},
                           {"transposed", lora::t(matrix)},
                           {"column", lora::narrow(matrix, 1, 1, 1)},
                           {"repeated", lora::expand(lora::full({1}, 3.0), {4})}};
  lora::save_safetensors(folder / "f", saved);
  const auto file = lora::load_safetensors(folder / "f");
  CHECK(file.at("scalar").ndim() == 0);
  CHECK(file.at("scalar").item<double>() == 7.5);
  CHECK(file.at("none").shape() == lora::Shape{0});
  CHECK(file.at("no rows").shape() == lora::Shape{3, 0, 2});
  CHECK(file.at("axes").shape() == saved[3].second.shape());
  CHECK(file.at("transposed").shape() == lora::Shape{3, 2});
  CHECK(file.at("transposed").to_vector<float>() == std::vector<float>{1, 4, 2, 5, 3, 6});
  CHECK(file.at("column").to_vector<float>() == std::vector<float>{2, 5});
  CHECK(file.at("repeated").to_vector<float>() == std::vector<float>{3, 3, 3, 3});
}

TEST_CASE("safetensors: parameters are saved without their gradient history", "[safetensors]") {
  const Folder folder;
  Tensor weight = lora::full({2, 3}, 1.5);
  weight.requires_grad_();
  const NamedTensors saved{{"w", weight}, {"wt", lora::t(weight)}};
  lora::save_safetensors(folder / "f", saved);
  const auto file = lora::load_safetensors(folder / "f");
  CHECK_FALSE(file.at("w").requires_grad());
  CHECK(file.at("wt").shape() == lora::Shape{3, 2});
}

TEST_CASE("safetensors: names and metadata of any text come back", "[safetensors]") {
  const Folder folder;
  const std::vector<std::string> names{
      "",      " ",         "quote\" and \\", "new\nline\ttab\x01\x7f", std::string("ze\0ro", 5), "\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80",
      "a/b.c", "__metadata"};
  NamedTensors saved;
  std::map<std::string, std::string> metadata;
  for (std::size_t i = 0; i < names.size(); ++i) {
    saved.emplace_back(names[i], lora::full({1}, static_cast<double>(i)));
    metadata[names[i]] = names[names.size() - 1 - i];
  }
  lora::save_safetensors(folder / "f", saved, metadata);
  const auto file = lora::load_safetensors(folder / "f");
  CHECK(file.metadata == metadata);
  REQUIRE(file.tensors.size() == names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    CHECK(file.at(names[i]).item<double>() == static_cast<double>(i));
  }
}

TEST_CASE("safetensors: the layout is by dtype, then by name, and padded", "[safetensors]") {
  const Folder folder;
  const NamedTensors saved{{"c", lora::full({1}, 1.0, DType::u8)},
                           {"b", lora::full({1}, 1.0)},
                           {"a", lora::full({1}, 1.0)},
                           {"d", lora::full({1}, 1.0, DType::f64)}};
  lora::save_safetensors(folder / "f", saved, {{"y", "2"}, {"x", "1"}});
  const std::string header =
      R"({"__metadata__":{"x":"1","y":"2"},"d":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},)"
      R"("a":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},"b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]},)"
      R"("c":{"dtype":"U8","shape":[1],"data_offsets":[16,17]}})";
  const std::string text = lora::read_text_file(folder / "f");
  const std::size_t padded = (header.size() + 7) / 8 * 8;
  CHECK(text.size() == 8 + padded + 17);
  CHECK(text.substr(0, 8 + padded) == length_bytes(padded) + header + std::string(padded - header.size(), ' '));
}

TEST_CASE("safetensors: what cannot be written is an error and leaves the old file", "[safetensors]") {
  const Folder folder;
  const fs::path path = folder / "f";
  const Tensor one = lora::full({1}, 1.0);
  lora::save_safetensors(path, NamedTensors{{"old", one}});
  const auto save = [&](const NamedTensors& tensors, const std::map<std::string, std::string>& metadata = {}) {
    return error_of([&] { lora::save_safetensors(path, tensors, metadata); });
  };
  CHECK_THAT(save({{"w", one}, {"v", one}, {"w", one}}), Contains("f: key 'w': appears twice"));
  CHECK_THAT(save({{"__metadata__", one}}), Contains("key '__metadata__': the name is reserved"));
  CHECK_THAT(save({{"a\xff", one}}), Contains("the name 'a\xef\xbf\xbd' is not valid UTF-8"));
  CHECK_THAT(save({{"w", one}}, {{"k", "\xc0"}}), Contains("the metadata value") && Contains("is not valid UTF-8"));
  CHECK_THAT(save({{"w", one}}, {{"\xc0", "v"}}), Contains("the metadata key") && Contains("is not valid UTF-8"));
  CHECK_THAT(save({{"w", Tensor()}}), Contains("key 'w': the tensor was never given a value"));
  CHECK_THAT(save({{"w", one}}, {{"k", std::string(100'000'000, 'x')}}), Contains("the format's limit is 100000000"));
  CHECK_THAT(error_of([&] { lora::save_safetensors(folder / "none" / "f", NamedTensors{{"w", one}}); }), Contains("there is no folder"));
  const float value = 0;
  const std::vector<lora::TensorBytes> short_bytes{{"w", DType::f32, {2}, std::as_bytes(std::span(&value, 1))}};
  CHECK_THAT(error_of([&] { lora::write_safetensors(path, short_bytes); }), Contains("key 'w': f32[2] needs 8 bytes, got 4"));
  CHECK(lora::load_safetensors(path).contains("old"));
  CHECK(folder.count() == 1);
}

TEST_CASE("safetensors: loaded tensors are views of the file that can be changed apart from it", "[safetensors]") {
  const Folder folder;
  lora::save_safetensors(folder / "f", NamedTensors{{"a", lora::full({4}, 1.0)}, {"b", lora::full({4}, 2.0)}});
  const std::size_t before = lora::memory_stats().current_bytes;
  auto file = lora::load_safetensors(folder / "f");
  CHECK(lora::memory_stats().current_bytes == before);
  Tensor a = file.at("a");
  const auto version_of_b = file.at("b").storage()->version();
  a.fill_(9.0);
  CHECK(file.at("b").storage()->version() == version_of_b);
  CHECK(file.at("b").to_vector<float>() == std::vector<float>(4, 2.0f));
  CHECK(lora::load_safetensors(folder / "f").at("a").to_vector<float>() == std::vector<float>(4, 1.0f));
  file = {};
  fs::remove(folder / "f");
  CHECK(a.to_vector<float>() == std::vector<float>(4, 9.0f));
}

TEST_CASE("safetensors: a file can be saved over itself while its tensors live", "[safetensors]") {
  const Folder folder;
  lora::save_safetensors(folder / "f", NamedTensors{{"a", lora::full({10000}, 1.0)}});
  auto file = lora::load_safetensors(folder / "f");
  file.tensors.emplace_back("0", lora::full({3}, 5.0));  // moves the others' place in the file
  lora::save_safetensors(folder / "f", file.tensors);
  CHECK(file.at("a").to_vector<float>() == std::vector<float>(10000, 1.0f));
  CHECK(lora::load_safetensors(folder / "f").at("a").to_vector<float>() == std::vector<float>(10000, 1.0f));
}

TEST_CASE("safetensors: data that is not aligned is copied", "[safetensors]") {
  const Folder folder;
  std::string bytes = file_of(R"({"w":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}} )", 16);  // data begins at byte 64
  const std::size_t pad = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{4}, std::size_t{7});
  bytes =
      length_bytes(bytes.size() - 24 + pad) + bytes.substr(8, bytes.size() - 24) + std::string(pad, ' ') + bytes.substr(bytes.size() - 16);
  const double values[2] = {1.25, -3.0};
  std::memcpy(bytes.data() + bytes.size() - 16, values, 16);
  lora::write_file_atomically(folder / "f", bytes);
  const Tensor w = lora::load_safetensors(folder / "f").at("w");
  CHECK(reinterpret_cast<std::uintptr_t>(w.data<double>()) % alignof(double) == 0);
  CHECK(w.to_vector<double>() == std::vector<double>{1.25, -3.0});
}

TEST_CASE("safetensors: a missing name is an error that lists what there is", "[safetensors]") {
  lora::SafetensorsFile file;
  file.path = "model.safetensors";
  CHECK_THAT(error_of([&] { file.at("w"); }), Contains("model.safetensors: has no tensor 'w'; it has no tensor at all"));
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    file.tensors.emplace_back(name, Tensor());
  }
  CHECK_THAT(error_of([&] { file.at("w"); }), Contains("it has 'a', 'b', 'c', 'd', 'e'") && !Contains("more"));
  file.tensors.emplace_back("f", Tensor());
  CHECK_THAT(error_of([&] { file.at(""); }), Contains("has no tensor ''; it has 'a', 'b', 'c', 'd', 'e' and 1 more"));
  CHECK(file.contains("f"));
  CHECK_FALSE(file.contains("aa"));
}

TEST_CASE("safetensors: files of the official library are read, and written with the same bytes", "[safetensors]") {
  const char* name = GENERATE("model.safetensors", "expected.safetensors", "model_4bit.safetensors", "lora/adapter_model.safetensors",
                              "dora/adapter_model.safetensors");
  CAPTURE(name);
  const Folder folder;
  const auto file = lora::load_safetensors(golden(name));
  lora::save_safetensors(folder / "f", file.tensors, file.metadata);
  CHECK(lora::read_text_file(folder / "f") == lora::read_text_file(golden(name)));
}

TEST_CASE("safetensors: values of a model that the official library saved", "[safetensors]") {
  const auto model = lora::load_safetensors(golden("model.safetensors"));
  REQUIRE(model.tensors.size() == 6);
  CHECK(model.at("fc1.weight").shape() == lora::Shape{64, 784});
  CHECK(model.at("fc1.weight").data<float>()[0] == 0.004259901586920023f);
  CHECK(model.at("fc3.bias").data<float>()[1] == -0.10207729041576385f);
  CHECK(lora::load_safetensors(golden("lora/adapter_model.safetensors")).metadata == std::map<std::string, std::string>{{"format", "pt"}});
}
