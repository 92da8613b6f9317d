// Row fill.

#include <cstring>

#include "kernels/cuda/convert.hpp"
#include "kernels/cuda/elementwise.hpp"

namespace lora::kernels::cuda {

namespace {

template <class Bits>
__global__ void fill_kernel(Layout<1> at, Bits element, Bits* out) {
  const Elements<1> mine(at);
  mine.each([&](int j) { out[mine.in<0>(j)] = element; });
}

/// `value` in the type that `dtype` has in memory, in the first bytes.
std::uint64_t bits_of(double value, DType dtype) {
  std::uint64_t bits = 0;
  visit_dtype(dtype, [&]<class T>(Tag<T>) {
    const auto element = narrowed<InMemory<T>>(value);
    std::memcpy(&bits, &element, sizeof(element));
  });
  return bits;
}

}  // namespace

void fill(const Context& context, double value, const View& out) {
  const Layout<1> at = make_layout<1>(out.shape, {&out.strides});
  const std::uint64_t bits = bits_of(value, out.dtype);
  visit_bits(itemsize(out.dtype), [&]<class Bits>(Tag<Bits>) {
    launch_elements(context, Row::fill, at, fill_kernel<Bits>, static_cast<Bits>(bits), out.ptr<Bits>());
  });
}

}  // namespace lora::kernels::cuda
