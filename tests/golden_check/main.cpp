// golden_check [--device cpu|cuda] DIR: computes every case in a folder of reference cases and compares. Exit status 0 only if none failed.

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <vector>

#include "core/base/device_backend.hpp"
#include "tests/golden_check/check.hpp"

namespace {

using lora::test::Outcome;
using lora::test::Verdict;

/// The cases directly in `folder`, in order of their names.
std::vector<std::filesystem::path> cases_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().extension() == ".safetensors") {
      paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

Verdict check_file(const std::filesystem::path& path, const lora::Device& device) {
  try {
    return lora::test::check_case(lora::load_safetensors(path), device);
  } catch (const std::exception& error) {
    return {Outcome::failed, {error.what()}};
  }
}

void print(const std::string& name, const Verdict& verdict) {
  static const std::map<Outcome, const char*> words{
      {Outcome::passed, "passed"}, {Outcome::failed, "FAILED"}, {Outcome::skipped, "skipped"}};
  std::cout << words.at(verdict.outcome) << "  " << name;
  for (std::size_t i = 0; i < verdict.reasons.size(); ++i) {
    std::cout << (i == 0 ? ": " : "\n         ") << verdict.reasons[i];
  }
  std::cout << '\n';
}

int check_folder(const std::filesystem::path& folder, const lora::Device& device) {
  const auto paths = cases_in(folder);
  lora::require(!paths.empty(), "golden_check", "no *.safetensors files in ", folder);
  std::map<Outcome, int> count;
  for (const auto& path : paths) {
    const Verdict verdict = check_file(path, device);
    ++count[verdict.outcome];
    print(path.stem().string(), verdict);
  }
  std::cout << count[Outcome::passed] << " passed, " << count[Outcome::failed] << " failed, " << count[Outcome::skipped] << " skipped\n";
  return count[Outcome::failed] == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const bool named = words.size() == 3 && words[0] == "--device" && (words[1] == "cpu" || words[1] == "cuda");
  if (!named && (words.size() != 1 || words[0].rfind("-", 0) == 0)) {
    std::cerr << "usage: golden_check [--device cpu|cuda] DIR    checks every *.safetensors file directly in DIR against the library\n";
    return 2;
  }
  try {
    const lora::Device device{named && words[1] == "cuda" ? lora::DeviceType::cuda : lora::DeviceType::cpu};
    if (device.type == lora::DeviceType::cuda) {
      lora::cuda_backend();  // says what is missing
    }
    return check_folder(words.back(), device);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
