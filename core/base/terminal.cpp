#include "core/base/terminal.hpp"

#include <unistd.h>

namespace lora {

bool stderr_is_terminal() { return isatty(STDERR_FILENO) == 1; }

}  // namespace lora
