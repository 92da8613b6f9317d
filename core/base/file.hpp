#pragma once
// Files: mapped for reading, and written so that a failure never harms what was there.

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace lora {

/// A whole file in memory, mapped privately: the bytes may be changed, pages are copied on the first write and the file stays as it is.
/// Replacing the file by another one of the same name (as write_file_atomically does) leaves a mapping as it was; shortening or
/// overwriting the file in place while it is mapped does not.
class MappedFile {
 public:
  /// @throws Error naming the path if it cannot be opened, is no regular file, or cannot be mapped
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  /// The contents; the first byte is aligned to a page. Empty for an empty file.
  std::span<std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// The contents of a file or pipe.
/// @throws Error naming the path if it cannot be read or has more than `max_bytes`
std::string read_text_file(const std::filesystem::path& path, std::size_t max_bytes = std::size_t{64} << 20);

/// Writes the pieces one after the other to a new file in the same folder, syncs it to the disk and renames it to `path`: at every moment
/// `path` is the whole old file or the whole new one. An old file's permissions are kept, a symbolic link is followed.
/// @throws Error naming the path; then the old file is as it was and nothing new is left. Refused: a folder, device or pipe, a file without
///   write permission, a folder that does not exist
void write_file_atomically(const std::filesystem::path& path, std::span<const std::span<const std::byte>> pieces);
void write_file_atomically(const std::filesystem::path& path, std::string_view text);

}  // namespace lora
