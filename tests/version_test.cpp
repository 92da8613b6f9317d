#include <catch2/catch.hpp>
#include <string>

#include "core/base/version.hpp"

TEST_CASE("version: the text, the numbers and the library agree", "[version]") {
  const std::string numbers = std::to_string(LORA_CORE_VERSION_MAJOR) + "." + std::to_string(LORA_CORE_VERSION_MINOR) + "." +
                              std::to_string(LORA_CORE_VERSION_PATCH);
  CHECK(numbers == LORA_CORE_VERSION);
  CHECK(lora::version() == LORA_CORE_VERSION);
}
