#pragma once
// Whether somebody watches.

namespace lora {

/// True if stderr is a terminal, not a file or pipe.
bool stderr_is_terminal();

}  // namespace lora
