#pragma once
// Reads the content of a file from start to end, inflating it on the way if it is gzip.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace lora::datasets {

/// A stream of bytes. A file that starts with gzip's magic bytes 1f 8b is inflated whatever its name; of any other file the bytes are given
/// as they are. Inflates only as much as is asked for. Checksum and length of gzip data are checked when the end is reached.
class ByteReader {
 public:
  /// @throws Error if the file is missing, is a folder or cannot be opened
  explicit ByteReader(const std::filesystem::path& path);
  ~ByteReader();
  ByteReader(const ByteReader&) = delete;
  ByteReader& operator=(const ByteReader&) = delete;

  /// Fills `out` with the next bytes. @return their number: less than asked for only at the end of the content
  /// @throws Error naming the file if it cannot be read or its gzip data are corrupt or end early
  std::size_t read(std::span<std::uint8_t> out);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lora::datasets
