#pragma once
// The version: of these headers as macros, of the library that is linked as a function. The build takes its version from here.

#include <string_view>

#define LORA_CORE_VERSION_MAJOR 0
#define LORA_CORE_VERSION_MINOR 1
#define LORA_CORE_VERSION_PATCH 0
#define LORA_CORE_VERSION "0.1.0"

namespace lora {

/// LORA_CORE_VERSION of the library; a shared one may be newer than the headers that a program was compiled with.
std::string_view version();

}  // namespace lora
