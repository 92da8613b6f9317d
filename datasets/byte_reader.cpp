#include "datasets/byte_reader.hpp"

#include <zlib.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "core/base/error.hpp"

namespace lora::datasets {

namespace {

constexpr std::size_t kInputBytes = 1 << 16;
constexpr std::size_t kMaxStep = 1 << 30;  // zlib counts in 32 bits
constexpr int kGzipWindow = 15 + 16;       // the largest window; + 16 asks for gzip's wrapper

std::ifstream open_file(const std::filesystem::path& path) {
  std::error_code ignored;
  require(!std::filesystem::is_directory(path, ignored), "read", "'", path.string(), "' is a folder; name a file in it");
  require(std::filesystem::exists(path, ignored), "read", "'", path.string(), "' does not exist; check the path");
  std::ifstream file(path, std::ios::binary);
  require(file.is_open(), "read", "'", path.string(), "' cannot be opened; check that it may be read");
  return file;
}

}  // namespace

class ByteReader::Impl {
 public:
  explicit Impl(const std::filesystem::path& path) : path_(path.string()), file_(open_file(path)), input_(kInputBytes) {
    refill();
    gzip_ = stream_.avail_in >= 2 && input_[0] == 0x1f && input_[1] == 0x8b;
    if (gzip_) {
      check(inflateInit2(&stream_, kGzipWindow));
    }
  }
  ~Impl() {
    if (gzip_) {
      inflateEnd(&stream_);
    }
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::size_t read(std::span<std::uint8_t> out) {
    std::size_t done = 0;
    while (done < out.size()) {
      const auto rest = out.subspan(done, std::min(out.size() - done, kMaxStep));
      const std::size_t got = gzip_ ? read_gzip(rest) : read_plain(rest);
      if (got == 0) {
        break;
      }
      done += got;
    }
    return done;
  }

 private:
  /// Once all input is used up, gets more. @return false at the end of the file
  bool refill() {
    if (stream_.avail_in == 0) {
      file_.read(reinterpret_cast<char*>(input_.data()), static_cast<std::streamsize>(input_.size()));
      require(!file_.bad(), "read", "'", path_, "' cannot be read on; check the disk");
      stream_.next_in = input_.data();
      stream_.avail_in = static_cast<uInt>(file_.gcount());
    }
    return stream_.avail_in > 0;
  }

  std::size_t read_plain(std::span<std::uint8_t> out) {
    if (!refill()) {
      return 0;
    }
    const std::size_t count = std::min<std::size_t>(out.size(), stream_.avail_in);
    std::copy_n(stream_.next_in, count, out.begin());
    stream_.next_in += count;
    stream_.avail_in -= static_cast<uInt>(count);
    return count;
  }

  std::size_t read_gzip(std::span<std::uint8_t> out) {
    stream_.next_out = out.data();
    stream_.avail_out = static_cast<uInt>(out.size());
    while (stream_.avail_out > 0 && !ended_) {
      require(refill(), "read", "'", path_, "': the gzip data end early (unexpected end of file); get the file again");
      const int status = inflate(&stream_, Z_NO_FLUSH);
      if (status == Z_STREAM_END) {
        next_member();
      } else {
        check(status);
      }
    }
    return out.size() - stream_.avail_out;
  }

  /// gzip data may consist of several members one after the other.
  void next_member() {
    ended_ = !refill();
    if (!ended_) {
      require(*stream_.next_in == 0x1f, "read", "'", path_, "': other bytes follow the end of the gzip data; get the file again");
      check(inflateReset(&stream_));
    }
  }

  void check(int status) const {
    require(status == Z_OK, "read", "'", path_, "': the gzip data are corrupt (", stream_.msg != nullptr ? stream_.msg : zError(status),
            "); get the file again");
  }

  std::string path_;
  std::ifstream file_;
  std::vector<std::uint8_t> input_;
  z_stream stream_{};
  bool gzip_ = false;
  bool ended_ = false;
};

ByteReader::ByteReader(const std::filesystem::path& path) : impl_(std::make_unique<Impl>(path)) {}
ByteReader::~ByteReader() = default;
std::size_t ByteReader::read(std::span<std::uint8_t> out) { return impl_->read(out); }

}  // namespace lora::datasets
