#pragma once
// The command line of mnist_lora: its commands with their flags.

namespace mnist_lora {

/// Runs the program. @return the exit status: 0, 1 for a failed or interrupted run, 2 for bad usage
int run_program(int argc, const char* const* argv);

}  // namespace mnist_lora
