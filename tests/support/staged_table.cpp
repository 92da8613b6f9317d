#include "tests/support/staged_table.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <type_traits>
#include <vector>

#include "core/base/device_backend.hpp"

namespace lora::test {

namespace {

using kernels::KernelTable;

constexpr Device kFirstCuda{DeviceType::cuda, 0};

/// Memory of the host that operands reach, and its place on the device.
struct Span {
  std::byte* begin;
  std::byte* end;
  std::byte* block = nullptr;   // what was allocated
  std::byte* device = nullptr;  // the place of `begin`
};

/// The bytes from a view's first element to its last.
Span span_of(const ConstView& view) {
  Index elements = view.numel() > 0 ? 1 : 0;
  for (int i = 0; elements > 0 && i < view.shape.ndim(); ++i) {
    elements += (view.shape[i] - 1) * view.strides[i];
  }
  auto* const begin = static_cast<std::byte*>(const_cast<void*>(view.data));  // read only, unless a View names it too
  return {begin, begin + static_cast<std::size_t>(elements) * itemsize(view.dtype)};
}

/// The operands of one call. Its on_device() is called twice on each: first to know them, then, after upload(), for what to pass on.
class Staging {
 public:
  Staging() = default;
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  ~Staging() {
    for (const Span& span : spans_) {
      cuda_backend().free(span.block);
    }
  }

  void upload() {
    merge_overlapping();
    for (Span& span : spans_) {
      // A vector type needs alignment, so what is aligned to 16 bytes or not on the host is it there too.
      const auto offset = reinterpret_cast<std::uintptr_t>(span.begin) % 16;
      const auto bytes = static_cast<std::size_t>(span.end - span.begin);
      span.block = static_cast<std::byte*>(cuda_backend().allocate(offset + std::max<std::size_t>(bytes, 1)));
      require(span.block != nullptr, "staged", "no device memory for ", bytes, " bytes");
      span.device = span.block + offset;
      if (bytes > 0) {
        cuda_backend().upload(span.device, span.begin, bytes);
      }
    }
    known_ = true;
  }

  void download() const {
    for (const View& view : written_) {
      if (const Span span = span_of(view); span.end > span.begin) {
        cuda_backend().download(span.begin, place(view), static_cast<std::size_t>(span.end - span.begin));
      }
    }
    cuda_backend().synchronize();
  }

  /// What is no view goes through.
  template <class T>
  const T& on_device(const T& value) {
    static_assert(!std::is_pointer_v<T>);
    return value;
  }
  ConstView on_device(const ConstView& view) {
    if (!known_) {
      spans_.push_back(span_of(view));
      return view;
    }
    return {place(view), view.dtype, view.shape, view.strides};
  }
  View on_device(const View& view) {
    if (!known_) {
      written_.push_back(view);
    }
    on_device(ConstView(view));
    return known_ ? View{place(view), view.dtype, view.shape, view.strides} : view;
  }
  const ConstView* on_device(const ConstView* view) { return view == nullptr ? nullptr : &reads_.emplace_back(on_device(*view)); }
  const View* on_device(const View* view) { return view == nullptr ? nullptr : &writes_.emplace_back(on_device(*view)); }
  kernels::AdamState on_device(const kernels::AdamState& s) { return {on_device(s.m), on_device(s.v), on_device(s.max_v)}; }
  kernels::NormAffine on_device(const kernels::NormAffine& a) { return {on_device(a.weight), on_device(a.bias)}; }
  kernels::ColumnNorm on_device(const kernels::ColumnNorm& n) { return {on_device(n.mean), on_device(n.var), n.eps}; }
  kernels::ColumnNormGrad on_device(const kernels::ColumnNormGrad& g) {
    return {on_device(g.weight), on_device(g.sum_xhat), on_device(g.sum)};
  }
  kernels::RowNorm on_device(const kernels::RowNorm& n) { return {on_device(n.mean), on_device(n.rstd)}; }
  kernels::RowNormOut on_device(const kernels::RowNormOut& n) { return {on_device(n.mean), on_device(n.rstd)}; }
  kernels::BlockCodes on_device(const kernels::BlockCodes& q) {
    return {on_device(q.codes), on_device(q.absmax), on_device(q.table), q.blocksize};
  }

 private:
  void merge_overlapping() {
    std::sort(spans_.begin(), spans_.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
    std::vector<Span> merged;
    for (const Span& span : spans_) {
      if (!merged.empty() && (span.begin < merged.back().end || span.begin == merged.back().begin)) {
        merged.back().end = std::max(merged.back().end, span.end);
      } else {
        merged.push_back(span);
      }
    }
    spans_ = merged;
  }

  void* place(const ConstView& view) const {
    const auto* const data = static_cast<const std::byte*>(view.data);
    const auto after = std::find_if(spans_.begin(), spans_.end(), [data](const Span& span) { return span.begin > data; });
    const Span& span = *(after - 1);  // the last that begins at or before it
    return span.device + (data - span.begin);
  }

  std::vector<Span> spans_;
  std::vector<View> written_;
  std::deque<ConstView> reads_;  // what pointers to views point at
  std::deque<View> writes_;
  bool known_ = false;
};

template <auto kRow>
struct Staged;

template <class... P, void (*KernelTable::*kRow)(const kernels::Context&, P...)>
struct Staged<kRow> {
  static void run(const kernels::Context&, P... operands) {
    Staging staging;
    (static_cast<void>(staging.on_device(operands)), ...);
    staging.upload();
    (kernels::table(kFirstCuda).*kRow)(kernels::context(kFirstCuda), staging.on_device(operands)...);
    staging.download();
  }
};

}  // namespace

const KernelTable& staged_cuda_table() {
  static const KernelTable table{
#define KERNEL(name, parameters) &Staged<&KernelTable::name>::run,
#include "kernels/kernels.def"
#undef KERNEL
  };
  return table;
}

}  // namespace lora::test
