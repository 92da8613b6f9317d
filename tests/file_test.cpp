// Mapping, reading and atomic writing of files.
#include "core/base/file.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <csignal>

#include "tests/support/temp_folder.hpp"

namespace fs = std::filesystem;
using Catch::Contains;
using lora::test::error_of;
using Folder = lora::test::TempFolder;

namespace {

/// While it lives, files of this process cannot grow over `bytes`: a write fails in the middle, as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit old_{};
};

std::string map_to_string(const fs::path& path) {
  const lora::MappedFile file(path);
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

mode_t mode_of(const fs::path& path) {
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & mode_t{07777};
}

}  // namespace

TEST_CASE("file: what is written is read back, by read and by map", "[file]") {
  const Folder folder;
  const std::size_t size = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{4095}, std::size_t{4096}, std::size_t{200001});
  std::string text(size, 'a');
  for (std::size_t i = 0; i < size; ++i) {
    text[i] = static_cast<char>(i * 31 + i / 256);
  }
  lora::write_file_atomically(folder / "f", text);
  CHECK(lora::read_text_file(folder / "f") == text);
  CHECK(map_to_string(folder / "f") == text);
  CHECK(folder.count() == 1);
}

TEST_CASE("file: pieces are written one after the other, empty ones too", "[file]") {
  const Folder folder;
  const std::string a = "abc", b, c = "de";
  const std::array<std::span<const std::byte>, 3> pieces{std::as_bytes(std::span(a)), std::as_bytes(std::span(b)),
                                                         std::as_bytes(std::span(c))};
  lora::write_file_atomically(folder / "f", pieces);
  CHECK(lora::read_text_file(folder / "f") == "abcde");
}

TEST_CASE("file: changing mapped bytes does not change the file", "[file]") {
  const Folder folder;
  lora::write_file_atomically(folder / "f", "before");
  const lora::MappedFile file(folder / "f");
  file.bytes()[0] = std::byte{'X'};
  CHECK(lora::read_text_file(folder / "f") == "before");
}

TEST_CASE("file: a mapping outlives the replacement and the removal of its file", "[file]") {
  const Folder folder;
  lora::write_file_atomically(folder / "f", "first");
  const lora::MappedFile file(folder / "f");
  lora::write_file_atomically(folder / "f", "2");
  fs::remove(folder / "f");
  CHECK(std::string(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()) == "first");
}

TEST_CASE("file: what cannot be read is an error with path and reason", "[file]") {
  const Folder folder;
  lora::write_file_atomically(folder / "f", "12345");
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK_THAT(error_of([&] { lora::MappedFile(folder / "none"); }), Contains("none: cannot open the file: No such file") && Contains("; "));
  CHECK_THAT(error_of([&] { lora::MappedFile(folder / "f" / "x"); }), Contains("Not a directory"));
  CHECK_THAT(error_of([&] { lora::MappedFile(folder / "."); }), Contains("it is a folder"));
  CHECK_THAT(error_of([&] { lora::MappedFile(folder / "pipe"); }), Contains("pipe") && Contains("give the path of a file"));
  CHECK_THAT(error_of([&] { lora::read_text_file(folder / "none"); }), Contains("No such file"));
  CHECK_THAT(error_of([&] { lora::read_text_file(folder / "."); }), Contains("Is a directory"));
  CHECK_THAT(error_of([&] { lora::read_text_file(folder / "f", 4); }), Contains("f: more than 4 bytes"));
  CHECK(lora::read_text_file(folder / "f", 5) == "12345");
}

TEST_CASE("file: a write that fails in the middle leaves the old file and nothing else", "[file]") {
  const Folder folder;
  lora::write_file_atomically(folder / "f", "old");
  const std::string large(100000, 'n');
  std::string error;
  {
    const FileSizeLimit limit(50000);
    error = error_of([&] { lora::write_file_atomically(folder / "f", large); });
  }
  CHECK_THAT(error, Contains("f: cannot write the file: File too large"));
  CHECK(lora::read_text_file(folder / "f") == "old");
  CHECK(folder.count() == 1);
}

TEST_CASE("file: what must not be replaced is refused and stays", "[file]") {
  const Folder folder;
  fs::create_directory(folder / "dir");
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK_THAT(error_of([&] { lora::write_file_atomically(folder / "dir", "x"); }), Contains("a folder of this name exists"));
  CHECK_THAT(error_of([&] { lora::write_file_atomically(folder / "pipe", "x"); }), Contains("device or pipe"));
  CHECK_THAT(error_of([&] { lora::write_file_atomically("/dev/null", "x"); }), Contains("device or pipe"));
  CHECK_THAT(error_of([&] { lora::write_file_atomically(folder / "none" / "f", "x"); }),
             Contains("there is no folder") && Contains("none'"));
  CHECK_THAT(error_of([&] { lora::write_file_atomically(folder / "none/", "x"); }), Contains("names no file"));
  CHECK_THAT(error_of([&] { lora::write_file_atomically("", "x"); }), Contains("names no file"));
  CHECK(fs::is_directory(folder / "dir"));
  CHECK(fs::is_fifo(folder / "pipe"));
  CHECK(fs::is_character_file("/dev/null"));
  CHECK(folder.count() == 2);
}

TEST_CASE("file: permissions stop a write before anything changes", "[file]") {
  if (::geteuid() == 0) {
    WARN("permissions do not bind root");
    return;
  }
  const Folder folder;
  fs::create_directory(folder / "locked");
  lora::write_file_atomically(folder / "f", "old");
  fs::permissions(folder / "f", fs::perms::owner_read);
  fs::permissions(folder / "locked", fs::perms::owner_read | fs::perms::owner_exec);
  CHECK_THAT(error_of([&] { lora::write_file_atomically(folder / "f", "new"); }), Contains("Permission denied; check the permissions"));
  CHECK_THAT(error_of([&] { lora::write_file_atomically(folder / "locked" / "f", "new"); }), Contains("Permission denied"));
  CHECK(lora::read_text_file(folder / "f") == "old");
  fs::permissions(folder / "locked", fs::perms::owner_all);
}

TEST_CASE("file: an old file's permissions are kept", "[file]") {
  const Folder folder;
  lora::write_file_atomically(folder / "f", "old");
  fs::permissions(folder / "f", fs::perms(0640));
  lora::write_file_atomically(folder / "f", "new");
  CHECK(mode_of(folder / "f") == 0640);
  CHECK(lora::read_text_file(folder / "f") == "new");
}

TEST_CASE("file: a symbolic link is followed and stays a link", "[file]") {
  const Folder folder;
  lora::write_file_atomically(folder / "real", "old");
  fs::create_symlink("real", folder / "link");
  lora::write_file_atomically(folder / "link", "new");
  CHECK(fs::is_symlink(folder / "link"));
  CHECK(lora::read_text_file(folder / "real") == "new");
  fs::create_symlink("loop", folder / "loop");
  CHECK_THAT(error_of([&] { lora::write_file_atomically(folder / "loop", "x"); }), Contains("loop: cannot"));
}

TEST_CASE("file: a name without a folder is one in the current folder", "[file]") {
  const Folder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder / ".");
  lora::write_file_atomically("plain", "x");
  fs::current_path(before);
  CHECK(lora::read_text_file(folder / "plain") == "x");
}
