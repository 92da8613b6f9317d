// Running gnuplot: its program comes from, and its messages go to, unnamed files, so neither side ever waits for the other.

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "apps/mnist_lora/html.hpp"
#include "apps/mnist_lora/plots.hpp"
#include "core/base/error.hpp"
#include "core/base/file.hpp"

extern char** environ;

namespace mnist_lora {

namespace {

constexpr const char* kWhere = "plots";
namespace fs = std::filesystem;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

File unnamed_file() {
  File file(std::tmpfile());
  lora::require(file != nullptr, kWhere, "no temporary file: ", std::strerror(errno), "; free some space for temporary files");
  return file;
}

File unnamed_file_with(const std::string& text) {
  File file = unnamed_file();
  const bool written = std::fwrite(text.data(), 1, text.size(), file.get()) == text.size() && std::fflush(file.get()) == 0;
  lora::require(written, kWhere, "no temporary file: ", std::strerror(errno), "; free some space for temporary files");
  std::rewind(file.get());
  return file;
}

std::string contents(std::FILE* file) {
  std::rewind(file);
  std::string out;
  std::array<char, 4096> piece{};
  while (const std::size_t n = std::fread(piece.data(), 1, piece.size(), file)) {
    out.append(piece.data(), n);
  }
  return out;
}

/// What the child has for its standard streams.
class Streams {
 public:
  Streams(std::FILE* in, std::FILE* out) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_adddup2(&actions_, fileno(in), 0);
    posix_spawn_file_actions_adddup2(&actions_, fileno(out), 1);
    posix_spawn_file_actions_adddup2(&actions_, fileno(out), 2);
  }
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;
  ~Streams() { posix_spawn_file_actions_destroy(&actions_); }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    lora::require(errno == EINTR, kWhere, "waiting for gnuplot failed: ", std::strerror(errno));
  }
  return status;
}

/// Runs `text` with `folder` as the place of its output files.
void run_gnuplot(std::string program, const fs::path& folder, const std::string& text) {
  const File in = unnamed_file_with("cd " + quote(fs::absolute(folder).string()) + '\n' + text);
  const File messages = unnamed_file();
  const Streams streams(in.get(), messages.get());
  std::string no_user_settings = "-d";
  std::array<char*, 3> arguments{program.data(), no_user_settings.data(), nullptr};
  pid_t child = 0;
  const int failed = posix_spawnp(&child, program.c_str(), streams.get(), nullptr, arguments.data(), environ);
  lora::require(failed == 0, kWhere, "cannot start ", program, ": ", std::strerror(failed), "; install gnuplot-nox");
  const int status = wait_for(child);
  lora::require(WIFEXITED(status) && WEXITSTATUS(status) == 0, kWhere, program, " failed: ", contents(messages.get()),
                "; figures need gnuplot 5.4 or newer with the svg and pngcairo terminals (gnuplot-nox)");
}

/// The files that gnuplot made, gone at the end whatever happens.
class Parts {
 public:
  Parts(const std::vector<Figure>& figures, const fs::path& folder) {
    for (const Figure& figure : figures) {
      paths_.push_back(folder / (figure.name + ".part.svg"));
      paths_.push_back(folder / (figure.name + ".part.png"));
    }
  }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;
  ~Parts() {
    for (const fs::path& path : paths_) {
      std::error_code ignored;
      fs::remove(path, ignored);
    }
  }
  const fs::path& svg(std::size_t i) const { return paths_[2 * i]; }
  const fs::path& png(std::size_t i) const { return paths_[2 * i + 1]; }

 private:
  std::vector<fs::path> paths_;
};

}  // namespace

std::vector<std::string> render_figures(const std::vector<Figure>& figures, const fs::path& folder, const std::string& program) {
  lora::require(gnuplot_available(program), kWhere, program,
                " is not installed; apt-get install -y gnuplot-nox, then run the command again");
  std::error_code error;
  fs::create_directories(folder, error);
  lora::require(!error, kWhere, "cannot make the folder ", folder, ": ", error.message());
  const Parts parts(figures, folder);
  run_gnuplot(program, folder, gnuplot_program(figures));
  std::vector<std::string> svgs;
  for (std::size_t i = 0; i < figures.size(); ++i) {
    svgs.push_back(clean_svg(lora::read_text_file(parts.svg(i)), figures[i].title));
    lora::write_file_atomically(folder / (figures[i].name + ".svg"), svgs.back());
    fs::rename(parts.png(i), folder / (figures[i].name + ".png"), error);
    lora::require(!error, kWhere, "cannot write ", folder / (figures[i].name + ".png"), ": ", error.message());
  }
  return svgs;
}

}  // namespace mnist_lora
