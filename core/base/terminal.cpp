#include "core/base/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

namespace lora {

bool stderr_is_terminal() { return isatty(STDERR_FILENO) == 1; }

int stderr_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

}  // namespace lora
