#include "core/base/version.hpp"

namespace lora {

std::string_view version() { return LORA_CORE_VERSION; }

}  // namespace lora
