#pragma once
// The thread pool. Work is cut into pieces by its size alone, so results never depend on the number of threads.

#include <type_traits>

#include "core/base/shape.hpp"

namespace lora {

/// Threads that parallel_for uses, the caller included. At first `LORA_NUM_THREADS`, else `OMP_NUM_THREADS`, else all cores.
int num_threads();

/// @param n at least 1. @throws Error if n < 1 or when called from inside parallel_for
void set_num_threads(int n);

namespace detail {
using RangeFn = void (*)(const void* context, Index begin, Index end);
void parallel_ranges(Index n, Index grain, RangeFn fn, const void* context);
}  // namespace detail

/// Calls `f(begin, end)` for the pieces [0,grain), [grain,2 grain), .. of [0,n), several at a time, and returns when all are done.
/// Pieces depend on n and grain only. Nested or simultaneous calls run their pieces on the calling thread. The first exception of a piece
/// is rethrown.
template <class F>
void parallel_for(Index n, Index grain, const F& f) {
  if (n <= grain) {
    if (n > 0) {
      f(Index{0}, n);
    }
    return;
  }
  detail::parallel_ranges(
      n, grain, [](const void* context, Index begin, Index end) { (*static_cast<const F*>(context))(begin, end); }, &f);
}

}  // namespace lora
