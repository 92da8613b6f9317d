#include "core/dlpack.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <memory>
#include <utility>

#include "core/dlpack_abi.hpp"

namespace lora {

using detail::DLDataType;
using detail::DLTensor;

namespace {

/// In the order of DType.
constexpr std::array<DLDataType, 8> kTypes{{{detail::kDLFloat, 32, 1},
                                            {detail::kDLFloat, 64, 1},
                                            {detail::kDLBfloat, 16, 1},
                                            {detail::kDLFloat, 16, 1},
                                            {detail::kDLUInt, 8, 1},
                                            {detail::kDLInt, 32, 1},
                                            {detail::kDLInt, 64, 1},
                                            {detail::kDLBool, 8, 1}}};
static_assert(kTypes.size() == kDTypeNames.size());

/// What an exported tensor points to; it deletes itself.
struct Exported {
  explicit Exported(const Tensor& x) : tensor(x), shape(x.shape()), strides(x.strides()) {}

  DLManagedTensor managed{};
  Tensor tensor;
  Shape shape, strides;
};

DType dtype_from(const DLDataType& type) {
  const auto* found = std::find(kTypes.begin(), kTypes.end(), type);
  require(found != kTypes.end(), "from_dlpack", "no dtype for type code ", int{type.code}, " with ", int{type.bits}, " bits and ",
          type.lanes, " lanes; there are f32 f64 bf16 f16 u8 i32 i64 bool");
  return static_cast<DType>(found - kTypes.begin());
}

Shape shape_of(const DLTensor& source) {
  require(source.ndim >= 0 && source.ndim <= kMaxDims, "from_dlpack", source.ndim, " axes, a tensor has at most ", kMaxDims);
  require(source.ndim == 0 || source.shape != nullptr, "from_dlpack", source.ndim, " axes, but the pointer to their sizes is null");
  const Shape shape(std::span<const Index>(source.shape, static_cast<std::size_t>(source.ndim)));
  check_sizes("from_dlpack", shape);
  return shape;
}

Shape strides_of(const DLTensor& source, const Shape& shape) {
  if (source.strides == nullptr || shape.numel() == 0) {
    return contiguous_strides(shape);
  }
  Shape strides(std::span<const Index>(source.strides, static_cast<std::size_t>(source.ndim)));
  for (int i = 0; i < shape.ndim(); ++i) {
    strides[i] = shape[i] == 1 ? std::max<Index>(strides[i], 0) : strides[i];  // never used, and some libraries leave anything there
    require(strides[i] >= 0, "from_dlpack", "strides ", strides, " of the shape ", shape,
            " are negative; copy it into another order first");
  }
  return strides;
}

/// Bytes from the first element to the end of the last one.
std::size_t bytes_of(DType dtype, const Shape& shape, const Shape& strides) {
  Index elements = shape.numel() == 0 ? 0 : 1;
  bool fits = true;
  for (int i = 0; elements > 0 && i < shape.ndim(); ++i) {
    Index step = 0;
    fits = fits && !__builtin_mul_overflow(shape[i] - 1, strides[i], &step) && !__builtin_add_overflow(elements, step, &elements);
  }
  const auto size = static_cast<Index>(itemsize(dtype));
  require(fits && elements <= std::numeric_limits<Index>::max() / size, "from_dlpack", "the shape ", shape, " with strides ", strides,
          " takes more memory than there can be");
  return static_cast<std::size_t>(elements * size);
}

}  // namespace

DLManagedTensor* to_dlpack(const Tensor& x) {
  require(!x.requires_grad(), "to_dlpack", x, " takes part in gradients, which the other library would not record; use detach()");
  require(x.device() == kCpu, "to_dlpack", x, " is not on the CPU; copy it there first");
  auto exported = std::make_unique<Exported>(x);
  DLTensor& out = exported->managed.dl_tensor;
  out.data = x.numel() == 0 ? nullptr : x.mutable_view().data;  // null is what the specification asks for
  out.device = {detail::kDLCPU, 0};
  out.ndim = x.ndim();
  out.dtype = kTypes[static_cast<std::size_t>(x.dtype())];
  out.shape = exported->shape.begin();
  out.strides = exported->strides.begin();
  exported->managed.manager_ctx = exported.get();
  exported->managed.deleter = [](DLManagedTensor* self) { delete static_cast<Exported*>(self->manager_ctx); };
  return &exported.release()->managed;
}

Tensor from_dlpack(DLManagedTensor* managed) {
  require(managed != nullptr, "from_dlpack", "the pointer is null");
  const DLTensor& source = managed->dl_tensor;
  require(source.device.device_type == detail::kDLCPU, "from_dlpack", "the memory is on a device of type ", source.device.device_type,
          ", the CPU's is ", detail::kDLCPU, "; copy it to the CPU first");
  const DType dtype = dtype_from(source.dtype);
  const Shape shape = shape_of(source);
  const Shape strides = strides_of(source, shape);
  const std::size_t bytes = bytes_of(dtype, shape, strides);
  require(bytes == 0 || source.data != nullptr, "from_dlpack", dtype, shape, " without data: the pointer is null");
  std::byte* data = bytes == 0 ? nullptr : static_cast<std::byte*>(source.data) + source.byte_offset;
  require(reinterpret_cast<std::uintptr_t>(data) % itemsize(dtype) == 0, "from_dlpack", "the data of ", dtype, shape,
          " does not begin at a multiple of ", itemsize(dtype), " bytes; copy it first");
  auto storage = Storage::adopt(data, bytes, kCpu, [managed] {
    if (managed->deleter != nullptr) {
      managed->deleter(managed);
    }
  });
  return Tensor(std::move(storage), dtype, shape, strides);
}

}  // namespace lora
