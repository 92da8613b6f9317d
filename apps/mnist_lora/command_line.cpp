#include "apps/mnist_lora/command_line.hpp"

#include <algorithm>
#include <exception>
#include <iostream>
#include <memory>
#include <new>

#include <CLI/CLI.hpp>

#include "apps/mnist_lora/interrupt.hpp"

namespace mnist_lora {

namespace {

class HelpFormat final : public CLI::Formatter {
 public:
  HelpFormat() {
    column_width(28);
    label("SUBCOMMAND", "COMMAND");
  }

  std::string make_option_opts(const CLI::Option* option) const override {
    const std::string type = option->get_type_size() > 0 ? option->get_type_name() : "";
    return (type.empty() ? "" : " ") + type + (option->get_required() && !option->get_positional() ? " (required)" : "");
  }

  std::string make_option_desc(const CLI::Option* option) const override {
    const std::string value = option->get_default_str();
    return option->get_description() + (value.empty() ? "" : " [" + value + "]");
  }

  std::string make_option_usage(const CLI::Option* option) const override {
    const std::string name = option->get_name() + (option->get_expected_max() > 1 ? "..." : "");
    return option->get_required() ? name : '[' + name + ']';
  }

  /// CLI11 leaves two empty lines between groups.
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override {
    std::string help = CLI::Formatter::make_help(app, std::move(name), mode);
    for (std::size_t at = help.find("\n\n\n"); at != std::string::npos; at = help.find("\n\n\n", at)) {
      help.erase(at, 1);
    }
    return help;
  }
};

/// `mnist_lora digits`, as far as the command was recognised.
std::string command_name(const CLI::App& app) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  return app.get_name() + (chosen.empty() ? "" : " " + chosen.front()->get_name());
}

std::string known_commands(const CLI::App& app) {
  std::string out;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    out += (out.empty() ? "" : ", ") + command->get_name();
  }
  return out;
}

bool is_plain(const std::string& word) {
  const std::string plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%";
  return !word.empty() && word.find_first_not_of(plain) == std::string::npos;
}

std::string quoted(const std::string& word) {
  std::string out = "'";
  for (const char c : word) {
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return out + "'";
}

/// The command line that goes on with what this one began.
std::string resuming(int argc, const char* const* argv) {
  std::vector<std::string> words(argv, argv + argc);
  if (std::find(words.begin(), words.end(), "--resume") == words.end()) {
    words.emplace_back("--resume");
  }
  return shell_command(words);
}

/// CLI11 says no more than that a command is required.
std::string usage_text(const CLI::App& app, const CLI::ParseError& error, int argc, const char* const* argv) {
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && app.get_subcommands().empty()) {
    const std::string given = argc > 1 && argv[1][0] != '-' ? std::string("there is no command ") + argv[1] : "a command is needed";
    return given + "; choose from " + known_commands(app);
  }
  return error.what();
}

}  // namespace

std::string shell_command(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : " ") + (is_plain(word) ? word : quoted(word));
  }
  return text;
}

void describe(CLI::App& command, const std::vector<std::string>& examples) {
  command.group("Commands");
  command.formatter(std::make_shared<HelpFormat>());
  std::string footer = examples.empty() ? "" : "Examples:\n";
  for (const std::string& example : examples) {
    footer += "  " + example + '\n';
  }
  command.footer(footer);
}

int run_cli(CLI::App& app, int argc, const char* const* argv) {
  const auto failed = [&app](const char* what) {
    std::cerr << app.get_name() << ": error: " << what << '\n';
    return kExitFailed;
  };
  try {
    app.parse(argc, argv);
    return kExitOk;
  } catch (const CLI::Success& done) {  // --help, --version
    app.exit(done, std::cout, std::cerr);
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    std::cerr << app.get_name() << ": " << usage_text(app, error, argc, argv) << "\nTry " << command_name(app) << " --help\n";
    return kExitUsage;
  } catch (const Interrupted& stopped) {
    std::cerr << app.get_name() << ": " << stopped.what() << "; go on with\n  " << resuming(argc, argv) << '\n';
    return kExitFailed;
  } catch (const std::bad_alloc&) {
    return failed("out of memory; try a smaller --batch-size");
  } catch (const std::exception& error) {
    return failed(error.what());
  }
}

}  // namespace mnist_lora
