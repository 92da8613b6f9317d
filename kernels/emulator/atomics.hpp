#pragma once
// Atomic functions of CUDA; relaxed, as there.

#include <bit>
#include <cstdint>
#include <type_traits>

#include "kernels/emulator/engine.hpp"

namespace lora::simt {

template <class T>
using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

/// Replaces *p by f(*p). @return what it was
template <class T, class F>
T atomic_update(T* p, const F& f) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  auto* const bits = reinterpret_cast<Bits<T>*>(p);
  Bits<T> old = __atomic_load_n(bits, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(bits, &old, std::bit_cast<Bits<T>>(static_cast<T>(f(std::bit_cast<T>(old)))), true, __ATOMIC_RELAXED,
                                      __ATOMIC_RELAXED)) {
  }
  return std::bit_cast<T>(old);
}

}  // namespace lora::simt

template <class T>
T atomicAdd(T* p, std::type_identity_t<T> value) {
  return lora::simt::atomic_update(p, [value](T old) { return old + value; });
}
template <class T>
T atomicMax(T* p, std::type_identity_t<T> value) {
  return lora::simt::atomic_update(p, [value](T old) { return old < value ? value : old; });
}
template <class T>
T atomicMin(T* p, std::type_identity_t<T> value) {
  return lora::simt::atomic_update(p, [value](T old) { return value < old ? value : old; });
}
template <class T>
T atomicOr(T* p, std::type_identity_t<T> value) {
  return lora::simt::atomic_update(p, [value](T old) { return old | value; });
}
template <class T>
T atomicExch(T* p, std::type_identity_t<T> value) {
  return lora::simt::atomic_update(p, [value](T) { return value; });
}
/// Replaces *p by `value` if it is `expected`.
template <class T>
T atomicCAS(T* p, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  return lora::simt::atomic_update(p, [expected, value](T old) { return old == expected ? value : old; });
}
inline void __threadfence() { lora::simt::thread_fence(); }
inline void __threadfence_block() { lora::simt::thread_fence(); }
