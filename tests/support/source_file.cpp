#include "tests/support/source_file.hpp"

#include <cstdlib>

namespace lora::test {

std::filesystem::path source_file(std::string_view path) {
  const char* const elsewhere = std::getenv("LORA_SOURCE_DIR");
  return std::filesystem::path(elsewhere != nullptr ? elsewhere : LORA_SOURCE_DIR) / path;
}

}  // namespace lora::test
