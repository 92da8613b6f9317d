#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>

#include "core/ops/convert.hpp"
#include "core/ops/pointwise.hpp"
#include "tests/golden_check/check.hpp"
#include "tests/support/devices.hpp"
#include "tests/support/source_file.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;

namespace {

/// All cases, in order of their names.
std::vector<SafetensorsFile> all_files() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(lora::test::source_file("tests/golden"))) {
    if (entry.path().extension() == ".safetensors") {
      paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::vector<SafetensorsFile> files;
  for (const auto& path : paths) {
    files.push_back(load_safetensors(path));
  }
  return files;
}

std::vector<SafetensorsFile> files_that_run() {
  auto files = all_files();
  std::erase_if(files, [](const SafetensorsFile& file) { return check_case(file).outcome == Outcome::skipped; });
  return files;
}

std::string text_of(const Verdict& verdict) {
  std::string text;
  for (const std::string& reason : verdict.reasons) {
    text += reason + '\n';
  }
  return text;
}

/// What the library computes, by the names that the kinds of cases use.
bool is_output(const std::string& name) {
  static const std::vector<std::string> names{
      "y",      "trajectory",  "lr",          "lr_after", "running_mean_after", "running_var_after", "merged.weight", "merged.y",
      "absmax", "packed",      "dequantized", "code",     "nested_absmax",      "nested_code",       "absmax_u8",     "offset",
      "losses", "lora_E_after"};
  return name.rfind("grad.", 0) == 0 || std::find(names.begin(), names.end(), name) != names.end();
}

/// The file with tensor `name` replaced by f(tensor).
template <class F>
SafetensorsFile changed(SafetensorsFile file, const std::string& name, F f) {
  for (auto& [key, tensor] : file.tensors) {
    if (key == name) {
      tensor = f(tensor);
    }
  }
  return file;
}

/// x with element i times `factor`; a code is another one.
Tensor with_element_scaled(const Tensor& x, Index i, double factor) {
  Tensor copy = clone(x);
  if (x.dtype() == DType::u8) {
    copy.mutable_data<std::uint8_t>()[i] ^= 1;
  } else if (x.dtype() == DType::f32) {
    copy.mutable_data<float>()[i] *= static_cast<float>(factor);
  } else {
    copy.mutable_data<double>()[i] *= factor;
  }
  return copy;
}

std::vector<Index> notable_elements(const Tensor& x) {
  const auto values = x.to_vector<double>();
  const auto magnitude = [&](Index i) { return std::abs(values[static_cast<std::size_t>(i)]); };
  std::vector<Index> notable;
  Index largest = 0;
  for (Index i = 0; i < x.numel(); ++i) {
    largest = magnitude(i) > magnitude(largest) ? i : largest;
  }
  // Below 1e-4 of the largest, 1e-6 of an element is less than what sums of the others may be off.
  const Index step = std::max<Index>(7, x.numel() / 40);
  for (Index i = 0; i < x.numel(); ++i) {
    if (magnitude(i) >= 1e-4 * magnitude(largest) && (i % step == 0 || i == largest)) {
      notable.push_back(i);
    }
  }
  return notable;
}

SafetensorsFile with_attrs(SafetensorsFile file, const std::string& attrs) {
  file.metadata["attrs"] = attrs;
  return file;
}

}  // namespace

TEST_CASE("golden: every case has the reference values", "[golden]") {
  const auto files = all_files();
  REQUIRE(files.size() >= 120);
  for (const SafetensorsFile& file : files) {
    const Verdict verdict = check_case(file);
    INFO(file.path << ": " << text_of(verdict));
    CHECK(verdict.outcome != Outcome::failed);
  }
}

TEST_CASE("golden: every case has the reference values on a GPU", "[golden][cuda]") {
  for (const Device& device : other_devices()) {
    for (const SafetensorsFile& file : all_files()) {
      const Verdict verdict = check_case(file, device);
      INFO(file.path << ": " << text_of(verdict));
      CHECK(verdict.outcome != Outcome::failed);
    }
  }
}

TEST_CASE("golden: a change of 1e-6 in any output is found", "[golden]") {
  int outputs = 0;
  for (const SafetensorsFile& file : files_that_run()) {
    for (const auto& [name, tensor] : file.tensors) {
      if (!is_output(name) || tensor.numel() == 0 || tensor.dtype() == DType::i64) {  // classes are called y too
        continue;
      }
      ++outputs;
      for (const Index i : notable_elements(tensor)) {
        INFO(file.path << ' ' << name << ' ' << i);
        const auto verdict = check_case(changed(file, name, [i](const Tensor& x) { return with_element_scaled(x, i, 1.0 + 1e-6); }));
        CHECK(verdict.outcome == Outcome::failed);
        // A byte is two codes. A table that differs shows first where it is compared.
        const Index place = name == "packed" ? 2 * i + 1 : i;
        CHECK_THAT(text_of(verdict), Contains(name + " at " + std::to_string(place)));
      }
      if (tensor.dtype() == DType::u8) {
        continue;
      }
      const auto nan = check_case(changed(file, name, [](const Tensor& x) { return with_element_scaled(x, 0, std::nan("")); }));
      CHECK(nan.outcome == Outcome::failed);
    }
  }
  CHECK(outputs >= 60);
}

TEST_CASE("golden: a change of any input is found", "[golden]") {
  for (const SafetensorsFile& file : files_that_run()) {
    for (const auto& [name, tensor] : file.tensors) {
      if (is_output(name) || !is_float(tensor.dtype()) || tensor.numel() == 0) {
        continue;
      }
      INFO(file.path << ' ' << name);
      const auto verdict = check_case(changed(file, name, [](const Tensor& x) { return 0.25 - 1.5 * x; }));
      CHECK(verdict.outcome == Outcome::failed);
    }
  }
}

TEST_CASE("golden: what a case does not explain is a failure", "[golden]") {
  const SafetensorsFile file = load_safetensors(lora::test::source_file("tests/golden/op_exp.safetensors"));
  const auto text = [](const SafetensorsFile& f) {
    const Verdict verdict = check_case(f);
    CHECK(verdict.outcome == Outcome::failed);
    return text_of(verdict);
  };
  SafetensorsFile extra = file;
  extra.tensors.emplace_back("z", zeros({1}, DType::f64));
  CHECK_THAT(text(extra), Contains("unknown tensor z"));
  CHECK_THAT(text(with_attrs(file, R"({"kind":"op","op":"expp"})")), Contains("unknown op 'expp'"));
  CHECK_THAT(text(with_attrs(file, R"({"kind":"layer","op":"exp"})")), Contains("unknown kind"));
  CHECK_THAT(text(with_attrs(file, R"({"op":"exp"})")), Contains("no attribute 'kind'"));
  CHECK_THAT(text(with_attrs(file, R"({"kind":"op","op":"exp","base":2})")), Contains("unknown attribute 'base'"));
  CHECK_THAT(text(with_attrs(file, "[1]")), Contains("not a JSON object"));
  text(with_attrs(file, "{"));
  for (const auto& [name, tensor] : file.tensors) {
    SafetensorsFile missing = file;
    const auto& key = name;
    std::erase_if(missing.tensors, [&](const auto& entry) { return entry.first == key; });
    if (name != "grad.x") {
      text(missing);
    }
  }
}
