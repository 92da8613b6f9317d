#pragma once
// Tensors in safetensors files, the format that PyTorch, PEFT and others exchange weights in (core/base/safetensors.hpp describes it).

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/tensor.hpp"

namespace lora {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// What a file holds.
struct SafetensorsFile {
  NamedTensors tensors;  ///< in order of name
  std::map<std::string, std::string> metadata;
  std::filesystem::path path;  ///< for errors

  /// The tensor of this name. @throws Error naming the file and the first names that it has
  const Tensor& at(std::string_view name) const;
  bool contains(std::string_view name) const;
};

/// Reads a file: F64 F32 F16 BF16 I64 I32 U8 BOOL, at most 8 axes. Tensors are views of the mapped file: nothing is read before it is
/// used, and changing them changes neither the file nor each other. Data that is not aligned to its dtype is copied. The file may be
/// replaced while tensors live (save_safetensors does so) but not be overwritten in place.
/// @throws Error "[safetensors] PATH: key 'fc1.weight': .." on a damaged file; a file that loads has no overlap, hole or wrong size
SafetensorsFile load_safetensors(const std::filesystem::path& path);

/// Writes tensors of any strides and device; the file appears whole or not at all, and the same arguments give the same bytes. PEFT and
/// transformers expect the metadata {"format":"pt"}.
/// @throws Error on an undefined tensor, a duplicate or reserved name (`__metadata__`), text that is not UTF-8, or a failed write; then an
/// old file of this name is as it was
void save_safetensors(const std::filesystem::path& path, std::span<const std::pair<std::string, Tensor>> tensors,
                      const std::map<std::string, std::string>& metadata = {});

}  // namespace lora
