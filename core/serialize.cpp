#include "core/serialize.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>

#include "core/base/error.hpp"
#include "core/base/file.hpp"
#include "core/base/safetensors.hpp"
#include "core/ops/convert.hpp"

namespace lora {
namespace {

Tensor load_tensor(const std::shared_ptr<MappedFile>& file, const TensorEntry& entry, std::string_view origin) {
  check_bool_bytes(file->bytes(), entry, origin);
  std::byte* data = file->bytes().data() + entry.offset;
  const bool aligned = reinterpret_cast<std::uintptr_t>(data) % itemsize(entry.dtype) == 0;
  if (aligned && entry.bytes != 0) {
    auto storage = Storage::adopt(data, entry.bytes, kCpu, [file] {});  // the mapping lives as long as its last tensor
    return {std::move(storage), entry.dtype, entry.shape, contiguous_strides(entry.shape)};
  }
  Tensor tensor = empty(entry.shape, entry.dtype);
  if (entry.bytes != 0) {
    std::memcpy(tensor.mutable_view().data, data, entry.bytes);
  }
  return tensor;
}

/// The elements on the CPU in row-major order.
Tensor packed(const std::filesystem::path& path, const std::string& name, const Tensor& tensor) {
  require(tensor.defined(), "safetensors", path.string(), ": key ", quote_name(name), ": the tensor was never given a value");
  return contiguous(to(tensor.detach(), kCpu));
}

/// Linear: `tensors` is the caller's to change, so it need not be sorted any more.
auto find_name(const NamedTensors& tensors, std::string_view name) {
  return std::find_if(tensors.begin(), tensors.end(), [&](const auto& item) { return item.first == name; });
}

std::string first_names(const NamedTensors& tensors) {
  constexpr std::size_t kShown = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(kShown, tensors.size()); ++i) {
    text += (i == 0 ? "" : ", ") + quote_name(tensors[i].first);
  }
  if (tensors.empty()) {
    return "no tensor at all";
  }
  return tensors.size() <= kShown ? text : text + " and " + std::to_string(tensors.size() - kShown) + " more";
}

}  // namespace

const Tensor& SafetensorsFile::at(std::string_view name) const {
  const auto found = find_name(tensors, name);
  if (found == tensors.end()) {
    fail("safetensors", path.string(), ": has no tensor ", quote_name(name), "; it has ", first_names(tensors));
  }
  return found->second;
}

bool SafetensorsFile::contains(std::string_view name) const { return find_name(tensors, name) != tensors.end(); }

SafetensorsFile load_safetensors(const std::filesystem::path& path) {
  const auto file = std::make_shared<MappedFile>(path);
  const std::string origin = path.string();
  SafetensorsHeader header = parse_safetensors(file->bytes(), origin);
  SafetensorsFile out;
  out.path = path;
  out.metadata = std::move(header.metadata);
  for (TensorEntry& entry : header.entries) {
    Tensor tensor = load_tensor(file, entry, origin);
    out.tensors.emplace_back(std::move(entry.name), std::move(tensor));
  }
  return out;
}

void save_safetensors(const std::filesystem::path& path, std::span<const std::pair<std::string, Tensor>> tensors,
                      const std::map<std::string, std::string>& metadata) {
  std::vector<Tensor> alive;  // until everything is written
  std::vector<TensorBytes> views;
  for (const auto& [name, tensor] : tensors) {
    const Tensor& values = alive.emplace_back(packed(path, name, tensor));
    const auto* data = static_cast<const std::byte*>(values.view().data);
    views.push_back({name, values.dtype(), values.shape(), {data, values.nbytes()}});
  }
  write_safetensors(path, views, metadata);
}

}  // namespace lora
