#pragma once
// Arrays for direct tests of kernels: any dtype and layout, read and written as f64, and the kernels of every instruction set and device.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/base/device_backend.hpp"
#include "core/base/dtype.hpp"
#include "core/base/view.hpp"
#include "kernels/cpu/isa.hpp"
#include "tests/support/staged_table.hpp"

namespace lora::test {

/// Name and kernels of each instruction set that this machine has.
inline std::vector<std::pair<std::string, const kernels::KernelTable*>> cpu_tables() {
  std::vector<std::pair<std::string, const kernels::KernelTable*>> tables;
  for (const std::string_view isa : kernels::kCpuIsas) {
    if (const kernels::KernelTable* table = kernels::cpu_table(isa); table != nullptr) {
      tables.emplace_back(isa, table);
    }
  }
  return tables;
}

/// These, and the kernels of CUDA where there is one; all take arrays of the host. The environment's LORA_KERNEL_TABLE chooses one by name,
/// for sanitizers under which all of them take long.
inline std::vector<std::pair<std::string, const kernels::KernelTable*>> kernel_tables() {
  auto tables = cpu_tables();
  if (cuda_available()) {
    tables.emplace_back("cuda", &staged_cuda_table());
  }
  if (const char* const only = std::getenv("LORA_KERNEL_TABLE"); only != nullptr) {
    std::erase_if(tables, [only](const auto& table) { return table.first != only; });
    require(!tables.empty(), "tests", "LORA_KERNEL_TABLE is '", only, "', which this build or machine does not have");
  }
  return tables;
}

/// How an array lies in memory.
enum class Layout { contiguous, reversed, gaps };

/// Strides of `shape`: row-major, with the axes in reverse order, or row-major over every third element.
inline Shape strides_of(const Shape& shape, Layout layout) {
  Shape strides = contiguous_strides(shape);
  Index step = layout == Layout::gaps ? 3 : 1;
  for (int i = 0; i < shape.ndim(); ++i) {
    const int axis = layout == Layout::reversed ? i : shape.ndim() - 1 - i;
    strides[axis] = step;
    step *= shape[axis];
  }
  return strides;
}

/// How an element is read and written as f64. Chosen once for an array, as sanitizers make every branch and call expensive.
struct ElementAccess {
  double (*load)(const unsigned char*);
  void (*store)(unsigned char*, double);
};

template <class T>
double load_element(const unsigned char* from) {
  using Wide = std::conditional_t<std::is_same_v<T, f16> || std::is_same_v<T, bf16>, float, T>;
  T element{};
  std::memcpy(&element, from, sizeof(T));
  return static_cast<double>(static_cast<Wide>(element));
}

template <class T>
void store_element(unsigned char* to, double value) {
  using Wide = std::conditional_t<std::is_same_v<T, f16> || std::is_same_v<T, bf16>, float, T>;
  const T element(static_cast<Wide>(value));
  std::memcpy(to, &element, sizeof(T));
}

inline ElementAccess element_access(DType dtype) {
  return visit_dtype(dtype, []<class T>(Tag<T>) { return ElementAccess{load_element<T>, store_element<T>}; });
}

/// The distance of each element from the first, in row-major order.
inline std::vector<Index> places_of(const Shape& shape, const Shape& strides) {
  std::vector<Index> places(shape.numel() > 0 ? 1 : 0, 0);
  places.reserve(static_cast<std::size_t>(shape.numel()));
  for (int axis = 0; axis < shape.ndim() && !places.empty(); ++axis) {
    const std::vector<Index> outer = std::exchange(places, {});
    const Index size = shape[axis], step = strides[axis];
    for (const Index start : outer) {
      for (Index i = 0; i < size; ++i) {
        places.push_back(start + i * step);
      }
    }
  }
  return places;
}

/// An array that owns its memory. Elements are numbered in row-major order.
class KernelArray {
 public:
  KernelArray(DType dtype, const Shape& shape, Layout layout = Layout::contiguous) : KernelArray(dtype, shape, strides_of(shape, layout)) {}

  /// Strides may be 0: then elements share memory.
  KernelArray(DType dtype, const Shape& shape, const Shape& strides)
      : dtype_(dtype), shape_(shape), strides_(strides), access_(element_access(dtype)), places_(places_of(shape, strides)) {
    const Index last = places_.empty() ? 0 : *std::max_element(places_.begin(), places_.end());
    bytes_.resize(static_cast<std::size_t>(last + 1) * itemsize(dtype));
    for (Index& place : places_) {
      place *= static_cast<Index>(itemsize(dtype));
    }
  }

  Index numel() const { return shape_.numel(); }
  const Shape& shape() const { return shape_; }
  View view() { return {bytes_.data(), dtype_, shape_, strides_}; }
  ConstView read() const { return {bytes_.data(), dtype_, shape_, strides_}; }
  /// Everything, the gaps between elements too.
  const std::vector<unsigned char>& bytes() const { return bytes_; }

  double get(Index i) const { return access_.load(bytes_.data() + places_[static_cast<std::size_t>(i)]); }
  void set(Index i, double value) { access_.store(bytes_.data() + places_[static_cast<std::size_t>(i)], value); }

  template <class F>
  KernelArray& fill_by(const F& f) {
    for (Index i = 0, n = numel(); i < n; ++i) {
      set(i, f(i));
    }
    return *this;
  }

  /// Different values of both signs within (-1, 1), the same for equal `salt`.
  KernelArray& scramble(int salt) {
    return fill_by([salt](Index i) { return static_cast<double>(((i + 1) * 7919 + salt * 104729) % 2003 - 1001) / 1002.0; });
  }

 private:
  DType dtype_;
  Shape shape_, strides_;
  ElementAccess access_;
  std::vector<Index> places_;  // in bytes
  std::vector<unsigned char> bytes_;
};

/// A few units in the last place of values around 1, for results of a few operations on them.
inline double rounding(DType dtype) { return dtype == DType::f32 ? 0x1p-21 : 0x1p-50; }

inline constexpr Layout kLayouts[] = {Layout::contiguous, Layout::reversed, Layout::gaps};

/// Sizes around vectors, blocks and pieces.
inline constexpr Index kAwkward[] = {0, 1, 2, 15, 16, 17, 31, 32, 33, 1023, 1024, 1025, 40000};

/// Largest |y - expected| / max(1, |expected|); NaN where one of them alone is NaN or infinite.
template <class F>
double worst(const KernelArray& y, const F& expected) {
  double result = 0;
  for (Index i = 0, n = y.numel(); i < n; ++i) {
    const double want = expected(i), got = y.get(i);
    const bool same = got == want || (std::isnan(got) && std::isnan(want));
    const double off = same ? 0 : std::abs(got - want) / std::max(1.0, std::abs(want));
    result = off <= result || std::isnan(result) ? result : off;
  }
  return result;
}

}  // namespace lora::test
