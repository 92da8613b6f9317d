#pragma once
// Whether somebody watches, and how much fits on a line.

namespace lora {

/// True if stderr is a terminal, not a file or pipe.
bool stderr_is_terminal();

/// Characters on a line of stderr's terminal; 0 if it is none, or does not say.
int stderr_columns();

}  // namespace lora
