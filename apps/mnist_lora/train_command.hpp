#pragma once
// The command train: its flags and help.

#include <string>

namespace CLI {
class App;
}

namespace mnist_lora {

/// @param program  as it was called. @param command_line  for the report
void add_train(CLI::App& app, const std::string& program, const std::string& command_line);

}  // namespace mnist_lora
