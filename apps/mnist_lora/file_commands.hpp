#pragma once
// The commands that work on files of models: their flags and help.

namespace CLI {
class App;
}

namespace mnist_lora {

void add_eval(CLI::App& app);
void add_predict(CLI::App& app);
void add_merge(CLI::App& app);
void add_inspect(CLI::App& app);

}  // namespace mnist_lora
