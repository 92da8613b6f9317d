#pragma once
// The safetensors format on plain memory: what a file says of its tensors, and writing one.
//
// A file is the length of the header (8 bytes, little endian), the header (UTF-8 JSON, padded with spaces so that the data is aligned to
// 8 bytes), and the tensors' bytes, row-major and little endian, without overlaps or holes. The header maps each name to
// {"dtype":"F32","shape":[2,3],"data_offsets":[0,24]} with offsets from the end of the header; `__metadata__` maps strings to strings.

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/dtype.hpp"
#include "core/base/shape.hpp"

namespace lora {

/// A tensor of a file; `offset` is from the start of the file, and is a multiple of the item size only in well-made files.
struct TensorEntry {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  std::size_t offset = 0;
  std::size_t bytes = 0;
};

struct SafetensorsHeader {
  std::vector<TensorEntry> entries;  ///< in order of name
  std::map<std::string, std::string> metadata;
};

/// Reads and checks the header of a whole file in memory: afterwards every entry lies inside of it and has the size of its shape and dtype.
/// Dtypes: F64 F32 F16 BF16 I64 I32 U8 BOOL. Fields of an entry other than dtype, shape and data_offsets are ignored.
/// @param origin  names the file in errors: "[safetensors] ORIGIN: key 'fc1.weight': .."
/// @throws Error on anything that the format forbids, a dtype other than the above, or more than 8 axes
SafetensorsHeader parse_safetensors(std::span<const std::byte> file, std::string_view origin);

/// Checks that a BOOL entry holds zeros and ones only; other dtypes pass. @throws Error naming the key and the byte
void check_bool_bytes(std::span<const std::byte> file, const TensorEntry& entry, std::string_view origin);

/// What a file says of a tensor that need not be one of this library: any dtype, any number of axes.
struct TensorListing {
  std::string name;
  std::string dtype;  ///< in the file's spelling: `F32`, `F8_E4M3`
  std::vector<Index> shape;
  std::size_t offset = 0;  ///< from the start of the file
  std::size_t bytes = 0;
};

struct SafetensorsListing {
  std::vector<TensorListing> tensors;  ///< in order of name
  std::map<std::string, std::string> metadata;
};

/// Reads and checks the header as parse_safetensors() does, whatever the dtypes are; the size of those that the format does not know is
/// taken as it is. @throws Error on anything that the format forbids
SafetensorsListing list_safetensors(std::span<const std::byte> file, std::string_view origin);

/// A tensor to write: its elements in row-major order.
struct TensorBytes {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  std::span<const std::byte> bytes;
};

/// Writes a file atomically (see write_file_atomically) in the official writer's form: tensors by dtype, the widest first, then by name.
/// No `__metadata__` is written if `metadata` is empty. Equal arguments give equal bytes.
/// @throws Error on a duplicate or reserved name (`__metadata__`), text that is not UTF-8, bytes that do not fit the shape, or a failed
/// write
void write_safetensors(const std::filesystem::path& path, std::span<const TensorBytes> tensors,
                       const std::map<std::string, std::string>& metadata = {});

/// The name in single quotes as errors show it: control characters escaped, at most 200 bytes.
std::string quote_name(std::string_view name);

}  // namespace lora
