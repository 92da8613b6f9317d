#pragma once
// The way from a command line to an exit status, and what --help looks like.

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace mnist_lora {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;  ///< the run failed or was interrupted
inline constexpr int kExitUsage = 2;   ///< the command line is wrong

/// Gives the app's or command's --help the common form: defaults in brackets at the end of a line, examples last.
void describe(CLI::App& command, const std::vector<std::string>& examples);

/// The words as a shell takes them, with quotes where they are needed.
std::string shell_command(const std::vector<std::string>& words);

/// Parses and runs the chosen command (its CLI callback). Help and version go to stdout, errors to stderr: never an exception.
/// An Interrupted run is told from a failed one, with the command that goes on with it.
/// @return kExitOk, kExitFailed or kExitUsage
int run_cli(CLI::App& app, int argc, const char* const* argv);

}  // namespace mnist_lora
