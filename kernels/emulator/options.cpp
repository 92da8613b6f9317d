#include "kernels/emulator/options.hpp"

#include <cstdlib>
#include <string>

#include "core/base/error.hpp"

namespace lora::simt {

namespace {

int number_from_environment(const char* name, int fallback) {
  const char* const text = std::getenv(name);
  if (text == nullptr) {
    return fallback;
  }
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  require(end != text && *end == '\0' && value >= 0 && value < 1 << 30, "emulator", name, " is '", text, "'; set it to a number");
  return static_cast<int>(value);
}

}  // namespace

Options& options() {
  static Options chosen{number_from_environment("LORA_SIMT_ORDER", 0), number_from_environment("LORA_SIMT_THREADS", 1), true};
  return chosen;
}

}  // namespace lora::simt
