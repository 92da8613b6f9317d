// emulator_bugs SANITIZER...   runs every bug that one of these sanitizers must find in a process of its own, and every kernel without its
// bug emulator_bugs --bug NAME     runs one

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

#include "core/base/error.hpp"
#include "tests/emulator_bugs.hpp"

namespace lora::testing {

namespace {

Finder finder(const std::string& sanitizer) {
  if (sanitizer == "address") {
    return Finder::address;
  }
  require(sanitizer == "undefined" || sanitizer == "thread", "emulator_bugs", "unknown sanitizer ", sanitizer);
  return sanitizer == "undefined" ? Finder::undefined : Finder::thread;
}

std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen((command + " 2>&1").c_str(), "r"), pclose);
  require(pipe != nullptr, "emulator_bugs", "cannot run ", command);
  std::string output;
  for (int c = std::fgetc(pipe.get()); c != EOF; c = std::fgetc(pipe.get())) {
    output += static_cast<char>(c);
  }
  return output;
}

bool is_found(const std::string& program, const Bug& bug) {
  const std::string output = output_of(program + " --bug " + bug.name);
  const bool found = output.find(bug.report) != std::string::npos;
  std::cout << bug.name << (found ? ": found, " : ": NOT found, ") << bug.report << '\n';
  if (!found) {
    std::cout << output;
  }
  return found;
}

int check(const std::string& program, const std::string& sanitizer) {
  const Finder which = finder(sanitizer);
  return static_cast<int>(
      std::count_if(bugs().begin(), bugs().end(), [&](const Bug& bug) { return bug.finder == which && !is_found(program, bug); }));
}

void run_named(const std::string& name) {
  const auto bug = std::find_if(bugs().begin(), bugs().end(), [&](const Bug& one) { return one.name == name; });
  require(bug != bugs().end(), "emulator_bugs", "unknown bug ", name);
  run_bug(*bug, true);
}

int run(int count, char** arguments) {
  if (count == 3 && std::string(arguments[1]) == "--bug") {
    run_named(arguments[2]);
    return 0;
  }
  int missed = 0;
  for (int i = 1; i < count; ++i) {
    missed += check(arguments[0], arguments[i]);
  }
  for (const Bug& bug : bugs()) {  // a report ends this process, or its exit status tells of it
    run_bug(bug, false);
  }
  return missed == 0 ? 0 : 1;
}

}  // namespace

}  // namespace lora::testing

int main(int count, char** arguments) {
  try {
    return lora::testing::run(count, arguments);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}
