#pragma once
// The memory layout of DLPack's DLManagedTensor, the one without a version. The specification's names are kept.
// Written out here because it is smaller than a dependency on its header, which on older systems does not know bool.
/// @source https://dmlc.github.io/dlpack/latest/c_api.html

#include <cstdint>

namespace lora::detail {

inline constexpr std::int32_t kDLCPU = 1;

inline constexpr std::uint8_t kDLInt = 0, kDLUInt = 1, kDLFloat = 2, kDLBfloat = 4, kDLBool = 6;

struct DLDevice {
  std::int32_t device_type;
  std::int32_t device_id;
};

struct DLDataType {
  std::uint8_t code;
  std::uint8_t bits;
  std::uint16_t lanes;  // elements of a vector type; 1 otherwise
  friend bool operator==(const DLDataType&, const DLDataType&) = default;
};

struct DLTensor {
  void* data;
  DLDevice device;
  std::int32_t ndim;
  DLDataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;  // in elements; null means row-major
  std::uint64_t byte_offset;
};

}  // namespace lora::detail

struct DLManagedTensor {
  lora::detail::DLTensor dl_tensor;
  void* manager_ctx;                         // the producer's own
  void (*deleter)(struct DLManagedTensor*);  // may be null
};

static_assert(sizeof(DLManagedTensor) == 64 && sizeof(lora::detail::DLDataType) == 4);
