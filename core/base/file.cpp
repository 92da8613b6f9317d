#include "core/base/file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

#include "core/base/error.hpp"

namespace lora {
namespace {

namespace fs = std::filesystem;

const char* remedy(int code) {
  switch (code) {
    case ENOENT: return "check the path";
    case ENOTDIR: return "a part of the path is not a folder";
    case EISDIR: return "give the path of a file";
    case EACCES:
    case EPERM: return "check the permissions";
    case EROFS: return "choose a place that can be written";
    case ENOSPC:
    case EDQUOT: return "free some space on the disk";
    case EFBIG: return "the system's limit of file sizes is reached";
    case EMFILE:
    case ENFILE: return "too many files are open";
    case ENOMEM: return "there is not enough memory";
    default: return "check the path and the disk";
  }
}

[[noreturn]] void fail_errno(const fs::path& path, std::string_view action, int code) {
  fail("file", path.string(), ": cannot ", action, ": ", std::generic_category().message(code), "; ", remedy(code));
}

/// Closes a file descriptor at the end of its scope.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  /// Closes now; false if the system reports a failed write only here (network file systems do).
  bool close() { return ::close(std::exchange(fd_, -1)) == 0 || errno == EINTR; }

 private:
  int fd_;
};

Descriptor open_to_read(const fs::path& path, int flags) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) {
    fail_errno(path, "open the file", errno);
  }
  return Descriptor(fd);
}

/// Where the file is to appear: the end of symbolic links.
fs::path resolve_target(const fs::path& path) {
  require(path.has_filename(), "file", "'", path.string(), "' names no file; give a folder and a file name");
  std::error_code error;
  if (!fs::is_symlink(path, error)) {
    return path;
  }
  const fs::path target = fs::weakly_canonical(path, error);
  if (error) {
    fail_errno(path, "follow the symbolic link", error.value());
  }
  return target;
}

void check_folder(const fs::path& path, const fs::path& folder) {
  std::error_code error;
  const fs::file_status status = fs::status(folder, error);
  if (!fs::status_known(status)) {
    fail_errno(path, "reach the file's folder", error.value());
  }
  require(fs::is_directory(status), "file", path.string(), ": cannot write the file: there is no folder '", folder.string(),
          "'; make it first");
}

/// Checks what a rename would replace, and gives its permissions; those of a new file if there is none.
mode_t mode_of_target(const fs::path& target) {
  struct stat info {};
  if (::stat(target.c_str(), &info) != 0) {
    return 0;
  }
  require(!S_ISDIR(info.st_mode), "file", target.string(), ": cannot write the file: a folder of this name exists; choose another name");
  require(S_ISREG(info.st_mode), "file", target.string(), ": cannot write the file: it is a device or pipe; choose another name");
  if (::access(target.c_str(), W_OK) != 0) {
    fail_errno(target, "write the file", errno);
  }
  return info.st_mode & mode_t{07777};
}

/// A new file beside the target, removed again unless it was renamed.
class TemporaryFile {
 public:
  TemporaryFile(const fs::path& target, const fs::path& folder) : target_(target), path_(unused_name(folder)), file_(create(folder)) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!renamed_) {
      ::unlink(path_.c_str());
    }
  }

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(file_.get(), bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) {
        continue;
      }
      if (n <= 0) {
        fail_errno(target_, "write the file", n < 0 ? errno : EIO);
      }
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
  }

  void commit(mode_t mode) {
    check(mode == 0 || ::fchmod(file_.get(), mode) == 0, "set the permissions");
    check(::fsync(file_.get()) == 0, "write the file to the disk");
    check(file_.close(), "write the file to the disk");
    check(::rename(path_.c_str(), target_.c_str()) == 0, "put the file in its place");
    renamed_ = true;
  }

 private:
  static fs::path unused_name(const fs::path& folder) {
    static std::atomic<unsigned> counter{0};
    return folder / (".new-" + std::to_string(::getpid()) + "-" + std::to_string(counter++));
  }

  /// A name left by a process that was killed is passed over, never reused.
  Descriptor create(const fs::path& folder) {
    constexpr int kTries = 1000;
    int code = 0;
    for (int i = 0; i < kTries; ++i) {
      const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (fd >= 0) {
        return Descriptor(fd);
      }
      code = errno;
      if (code != EEXIST && code != EINTR) {
        break;
      }
      path_ = unused_name(folder);
    }
    fail_errno(target_, "create a file in its folder", code);
  }

  void check(bool ok, std::string_view action) const {
    if (!ok) {
      fail_errno(target_, action, errno);
    }
  }

  const fs::path& target_;
  fs::path path_;
  Descriptor file_;
  bool renamed_ = false;
};

/// Makes the new name last through a loss of power. Some file systems cannot; the file is whole there all the same.
void sync_folder(const fs::path& folder) {
  const Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.valid()) {
    ::fsync(fd.get());
  }
}

}  // namespace

MappedFile::MappedFile(const fs::path& path) : path_(path) {
  const Descriptor fd = open_to_read(path, O_NONBLOCK);  // opening a pipe would wait for its writer
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) {
    fail_errno(path, "read the file's size", errno);
  }
  require(S_ISREG(info.st_mode), "file", path.string(), ": cannot map it: it is a folder, device or pipe; give the path of a file");
  if (info.st_size == 0) {
    return;
  }
  const auto size = static_cast<std::size_t>(info.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd.get(), 0);
  if (data == MAP_FAILED) {
    fail_errno(path, "map the file into memory", errno);
  }
  data_ = static_cast<std::byte*>(data);
  size_ = size;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) {
    ::munmap(data_, size_);
  }
}

std::string read_text_file(const fs::path& path, std::size_t max_bytes) {
  const Descriptor fd = open_to_read(path, 0);
  std::string text;
  std::array<char, 65536> buffer;
  while (true) {
    const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      fail_errno(path, "read the file", errno);
    }
    if (n == 0) {
      return text;
    }
    const auto count = static_cast<std::size_t>(n);
    require(count <= max_bytes - text.size(), "file", path.string(), ": more than ", max_bytes, " bytes; is it the right file?");
    text.append(buffer.data(), count);
  }
}

void write_file_atomically(const fs::path& path, std::span<const std::span<const std::byte>> pieces) {
  const fs::path target = resolve_target(path);
  const fs::path folder = target.has_parent_path() ? target.parent_path() : fs::path(".");
  check_folder(path, folder);
  const mode_t mode = mode_of_target(target);
  TemporaryFile file(target, folder);
  for (const auto piece : pieces) {
    file.write(piece);
  }
  file.commit(mode);
  sync_folder(folder);
}

void write_file_atomically(const fs::path& path, std::string_view text) {
  const std::array<std::span<const std::byte>, 1> pieces{std::as_bytes(std::span(text))};
  write_file_atomically(path, pieces);
}

}  // namespace lora
