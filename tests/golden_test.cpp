#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "core/ops/convert.hpp"
#include "tests/golden_check/op_check.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;

namespace {

/// The files of ops, in order of name.
std::vector<SafetensorsFile> op_cases() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(LORA_SOURCE_DIR "/tests/golden")) {
    if (entry.path().filename().string().rfind("op_", 0) == 0) {
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

bool is_output(const std::string& name) {
  return name == "y" || name.rfind("grad.", 0) == 0 || name == "running_mean_after" || name == "running_var_after";
}

/// The file with the largest element of tensor `name` changed by `relative` of itself.
SafetensorsFile changed(SafetensorsFile file, const std::string& name, double relative) {
  for (auto& [key, tensor] : file.tensors) {
    if (key == name) {
      tensor = clone(tensor);
      double* first = tensor.mutable_data<double>();
      double* largest = std::max_element(first, first + tensor.numel(), [](double a, double b) { return std::abs(a) < std::abs(b); });
      *largest *= 1.0 + relative;
    }
  }
  return file;
}

SafetensorsFile with_attrs(SafetensorsFile file, const std::string& attrs) {
  file.metadata["attrs"] = attrs;
  return file;
}

std::string first_failure(const SafetensorsFile& file) {
  const auto failures = golden_failures(file);
  return failures.empty() ? "none" : failures.front();
}

}  // namespace

TEST_CASE("golden: ops and their gradients have the reference values", "[golden]") {
  const auto files = op_cases();
  REQUIRE(files.size() >= 30);
  for (const SafetensorsFile& file : files) {
    INFO(file.path);
    CHECK(golden_failures(file) == std::vector<std::string>{});
  }
}

TEST_CASE("golden: a change of 1e-6 in any output is found", "[golden]") {
  int outputs = 0;
  for (const SafetensorsFile& file : op_cases()) {
    for (const auto& [name, tensor] : file.tensors) {
      if (is_output(name)) {
        INFO(file.path << ' ' << name);
        ++outputs;
        CHECK_THAT(first_failure(changed(file, name, 1e-6)), Contains(name + " at "));
        CHECK(first_failure(changed(file, name, std::nan(""))) != "none");
      }
    }
  }
  CHECK(outputs >= 60);
}

TEST_CASE("golden: what a case does not explain is a failure", "[golden]") {
  const SafetensorsFile file = load_safetensors(LORA_SOURCE_DIR "/tests/golden/op_exp.safetensors");
  SafetensorsFile extra = file;
  extra.tensors.emplace_back("z", zeros({1}, DType::f64));
  CHECK_THAT(first_failure(extra), Contains("unknown tensor z"));
  CHECK_THAT(first_failure(with_attrs(file, R"({"kind":"op","op":"expp"})")), Contains("unknown op"));
  CHECK_THAT(first_failure(with_attrs(file, R"({"kind":"layer","op":"exp"})")), Contains("unknown kind"));
  CHECK_THAT(first_failure(with_attrs(file, R"({"kind":"op","op":"exp","base":2})")), Contains("unknown attribute 'base'"));
  CHECK(first_failure(with_attrs(file, "{")) != "none");
  SafetensorsFile missing = file;
  missing.tensors.erase(missing.tensors.begin());
  CHECK(first_failure(missing) != "none");
}
