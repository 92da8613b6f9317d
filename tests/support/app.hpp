#pragma once
// Running mnist_lora inside a test: what it says, and a small data set for it.

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "apps/mnist_lora/commands.hpp"

namespace lora::test {

/// A stream writes here instead while this lives. With `alarm`, SIGINT is raised as soon as that text has been written.
class Captured {
 public:
  explicit Captured(std::ostream& stream, std::string alarm = "")
      : buffer_(std::move(alarm)), stream_(stream), before_(stream.rdbuf(&buffer_)) {}
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;
  ~Captured() { stream_.rdbuf(before_); }
  std::string text() const { return buffer_.str(); }

 private:
  class Buffer : public std::stringbuf {
   public:
    explicit Buffer(std::string alarm) : alarm_(std::move(alarm)) {}

   protected:
    int sync() override {
      if (!alarm_.empty() && str().find(alarm_) != std::string::npos) {
        alarm_.clear();
        std::raise(SIGINT);
      }
      return 0;
    }

   private:
    std::string alarm_;
  };

  Buffer buffer_;
  std::ostream& stream_;
  std::streambuf* before_;
};

struct Outcome {
  int status = -1;
  std::string out, err;
};

using Words = std::vector<std::string>;

/// Runs the program. @param alarm  see Captured, on stderr
inline Outcome run_app(const Words& words, const std::string& alarm = "") {
  std::vector<const char*> argv{"mnist_lora"};
  for (const std::string& word : words) {
    argv.push_back(word.c_str());
  }
  Outcome outcome;
  const Captured out(std::cout), err(std::cerr, alarm);
  outcome.status = mnist_lora::run_program(static_cast<int>(argv.size()), argv.data());
  outcome.out = out.text();
  outcome.err = err.text();
  return outcome;
}

/// No program is found while this lives: reports have no figures, which take longer than all else here.
class NoPrograms {
 public:
  NoPrograms() : path_(std::getenv("PATH") == nullptr ? "" : std::getenv("PATH")) { setenv("PATH", "/nonexistent", 1); }
  NoPrograms(const NoPrograms&) = delete;
  NoPrograms& operator=(const NoPrograms&) = delete;
  ~NoPrograms() { setenv("PATH", path_.c_str(), 1); }

 private:
  std::string path_;
};

namespace detail {

inline void write_idx(const std::filesystem::path& path, const std::vector<std::uint32_t>& shape, const std::vector<std::uint8_t>& values) {
  std::ofstream file(path, std::ios::binary);
  const char magic[4] = {0, 0, 8, static_cast<char>(shape.size())};
  file.write(magic, sizeof magic);
  for (const std::uint32_t size : shape) {
    for (const int shift : {24, 16, 8, 0}) {
      file.put(static_cast<char>(size >> shift));
    }
  }
  for (const std::uint8_t value : values) {
    file.put(static_cast<char>(value));
  }
}

/// Label i % 10 is a bright bar at a place of its own, with noise over it.
inline std::vector<std::uint8_t> made_images(std::size_t count, std::uint32_t noise) {
  std::vector<std::uint8_t> pixels;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t at = 0; at < 784; ++at) {
      noise = noise * 1664525u + 1013904223u;
      const bool bar = at / 56 == i % 10 + 2;
      pixels.push_back(static_cast<std::uint8_t>((bar ? 90u : 0u) + (noise >> 24) / 2));
    }
  }
  return pixels;
}

inline void write_split(const std::filesystem::path& folder, const std::string& name, std::uint32_t count, std::uint32_t noise) {
  std::vector<std::uint8_t> labels;
  for (std::uint32_t i = 0; i < count; ++i) {
    labels.push_back(static_cast<std::uint8_t>(i % 10));
  }
  write_idx(folder / (name + "-images-idx3-ubyte"), {count, 28, 28}, made_images(count, noise));
  write_idx(folder / (name + "-labels-idx1-ubyte"), {count}, labels);
}

}  // namespace detail

/// 500 training images and 200 test images of ten classes, as IDX files.
inline void write_small_data(const std::filesystem::path& folder) {
  detail::write_split(folder, "train", 500, 1);
  detail::write_split(folder, "t10k", 200, 2);
}

}  // namespace lora::test
