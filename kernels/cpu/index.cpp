// Rows index_select and index_select_grad.

#include <algorithm>
#include <cstring>

#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/walk.hpp"

namespace lora::kernels::LORA_CPU_ISA {
namespace {

/// A row of bytes to elements that lie `step` bytes apart.
void scatter_bytes(Index n, std::size_t size, const char* from, char* to, Index step) {
  for (Index j = 0; j < n; ++j) {
    std::memcpy(to + j * step, from + j * static_cast<Index>(size), size);
  }
}

template <class T>
void add_row(Index n, const T* from, Index in, T* to, Index out) {
  if (in == 1 && out == 1) {
    each(n, [=](Index j) { to[j] += from[j]; });
    return;
  }
  for (Index j = 0; j < n; ++j) {
    to[j * out] += from[j * in];
  }
}

template <class T>
void zero_rows(Index rows, Index columns, T* to, Index row, Index column) {
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < columns; ++j) {
      to[i * row + j * column] = T(0);
    }
  }
}

}  // namespace

void index_select(const Context&, const ConstView& x, const ConstView& index, const View& y) {
  std::size_t size = 0;
  visit_any(x.dtype, [&]<class T>(Tag<T>) { size = sizeof(T); });
  const auto bytes = static_cast<Index>(size);
  const Index k = y.shape[0], m = y.shape[1], in = x.strides[0] * bytes, out = y.strides[0] * bytes, step = y.strides[1] * bytes;
  const Index *rows = index.ptr<Index>(), index_step = index.strides[0];
  const char* from = x.ptr<char>();
  char* to = y.ptr<char>();
  parallel_for(k, std::max<Index>(1, kGrain / std::max<Index>(1, m)), [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const char* row = from + rows[i * index_step] * in;
      if (step == bytes) {
        std::memcpy(to + i * out, row, static_cast<std::size_t>(m) * size);
      } else {
        scatter_bytes(m, size, row, to + i * out, step);
      }
    }
  });
}

void index_select_grad(const Context&, const ConstView& index, const ConstView& gy, const View& gx) {
  const Index k = gy.shape[0], m = gx.shape[1], n = gx.shape[0];
  const Index *rows = index.ptr<Index>(), index_step = index.strides[0];
  visit_real(gx.dtype, [&]<class T>(Tag<T>) {
    const T* from = gy.ptr<T>();
    T* to = gx.ptr<T>();
    const Index in_row = gy.strides[0], in = gy.strides[1], out_row = gx.strides[0], out = gx.strides[1];
    // Pieces are columns: each goes through all rows in order, so sums do not depend on who makes them.
    const Index grain = std::max<Index>(16, kGrain / std::max<Index>(1, k + n));
    parallel_for(m, grain, [=](Index begin, Index end) {
      zero_rows(n, end - begin, to + begin * out, out_row, out);
      for (Index i = 0; i < k; ++i) {
        add_row(end - begin, from + i * in_row + begin * in, in, to + rows[i * index_step] * out_row + begin * out, out);
      }
    });
  });
}

}  // namespace lora::kernels::LORA_CPU_ISA
