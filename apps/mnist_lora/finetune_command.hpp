#pragma once
// The command finetune: its flags and help.

#include <string>

namespace CLI {
class App;
}

namespace mnist_lora {

/// @param command_line  for the report
void add_finetune(CLI::App& app, const std::string& command_line);

}  // namespace mnist_lora
