#pragma once
// Where the tests find what the repository brings: reference cases, images.

#include <filesystem>
#include <string_view>

namespace lora::test {

/// A path of the repository. Its root is the environment's LORA_SOURCE_DIR, for tests that were built elsewhere, else where they were
/// built.
std::filesystem::path source_file(std::string_view path);

}  // namespace lora::test
