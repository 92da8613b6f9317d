#pragma once
// Arrays for direct tests of kernels: any dtype and layout, read and written as f64, and the kernels of every instruction set and device.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
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

/// An array that owns its memory. Elements are numbered in row-major order.
class KernelArray {
 public:
  KernelArray(DType dtype, const Shape& shape, Layout layout = Layout::contiguous) : KernelArray(dtype, shape, strides_of(shape, layout)) {}

  /// Strides may be 0: then elements share memory.
  KernelArray(DType dtype, const Shape& shape, const Shape& strides) : dtype_(dtype), shape_(shape), strides_(strides) {
    Index last = 0;
    for (int i = 0; i < shape.ndim(); ++i) {
      last += shape[i] > 0 ? (shape[i] - 1) * strides[i] : 0;
    }
    bytes_.resize(static_cast<std::size_t>(last + 1) * itemsize(dtype));
  }

  Index numel() const { return shape_.numel(); }
  const Shape& shape() const { return shape_; }
  View view() { return {bytes_.data(), dtype_, shape_, strides_}; }
  ConstView read() const { return {bytes_.data(), dtype_, shape_, strides_}; }
  /// Everything, the gaps between elements too.
  const std::vector<unsigned char>& bytes() const { return bytes_; }

  double get(Index i) const {
    double value = 0;
    visit_dtype(dtype_, [&]<class T>(Tag<T>) {
      T element{};
      std::memcpy(&element, bytes_.data() + place(i), sizeof(T));
      if constexpr (std::is_same_v<T, f16> || std::is_same_v<T, bf16>) {
        value = static_cast<double>(static_cast<float>(element));
      } else {
        value = static_cast<double>(element);
      }
    });
    return value;
  }

  void set(Index i, double value) {
    visit_dtype(dtype_, [&]<class T>(Tag<T>) {
      T element{};
      if constexpr (std::is_same_v<T, f16> || std::is_same_v<T, bf16>) {
        element = T(static_cast<float>(value));
      } else {
        element = static_cast<T>(value);
      }
      std::memcpy(bytes_.data() + place(i), &element, sizeof(T));
    });
  }

  template <class F>
  KernelArray& fill_by(const F& f) {
    for (Index i = 0; i < numel(); ++i) {
      set(i, f(i));
    }
    return *this;
  }

  /// Different values of both signs within (-1, 1), the same for equal `salt`.
  KernelArray& scramble(int salt) {
    return fill_by([salt](Index i) { return static_cast<double>(((i + 1) * 7919 + salt * 104729) % 2003 - 1001) / 1002.0; });
  }

 private:
  std::size_t place(Index i) const {
    Index offset = 0;
    for (int axis = shape_.ndim() - 1; axis >= 0; --axis) {
      offset += i % shape_[axis] * strides_[axis];
      i /= shape_[axis];
    }
    return static_cast<std::size_t>(offset) * itemsize(dtype_);
  }

  DType dtype_;
  Shape shape_, strides_;
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
  for (Index i = 0; i < y.numel(); ++i) {
    const double want = expected(i), got = y.get(i);
    const bool same = got == want || (std::isnan(got) && std::isnan(want));
    const double off = same ? 0 : std::abs(got - want) / std::max(1.0, std::abs(want));
    result = off <= result || std::isnan(result) ? result : off;
  }
  return result;
}

}  // namespace lora::test
