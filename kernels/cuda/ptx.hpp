#pragma once
// The only file with inline PTX. Every wrapper has a body for nvcc and one for the emulator.

#include <cstdint>

#include "kernels/cuda/gpu.hpp"

#ifdef LORA_CUDA_EMULATED
#include "kernels/cuda/ptx_meaning.hpp"
#endif

namespace lora::kernels::cuda::ptx {

#ifdef LORA_CUDA_EMULATED

inline void cp_async16(void* shared, const void* global, int src_bytes = 16, simt::Loc at = simt::Loc::current()) {
  simt::cp_async(shared, global, 16, static_cast<unsigned>(src_bytes), at);
}

inline void cp_async_commit() { simt::cp_async_commit(); }

template <int kPending>
void cp_async_wait() {
  simt::cp_async_wait(kPending);
}

namespace detail {

template <bool kTransposed>
void ldmatrix(std::uint32_t (&result)[4], const void* row, simt::Loc at) {
  static constinit char kind = 0;
  if (reinterpret_cast<std::uintptr_t>(row) % 16 != 0) {
    simt::fail("ldmatrix from a row that is not 16-byte aligned", at);
  }
  meaning::LdmatrixLane lane{row, {}};
  const auto run = [](void* const lanes[32], unsigned, const void*) { meaning::ldmatrix_x4(lanes, kTransposed); };
  simt::warp_collective(kFullMask, &lane, {&kind, sizeof lane, run}, at);
  for (int i = 0; i < 4; ++i) {
    result[i] = lane.result[i];
  }
}

}  // namespace detail

inline void ldmatrix_x4(std::uint32_t (&result)[4], const void* row, simt::Loc at = simt::Loc::current()) {
  detail::ldmatrix<false>(result, row, at);
}

inline void ldmatrix_x4_trans(std::uint32_t (&result)[4], const void* row, simt::Loc at = simt::Loc::current()) {
  detail::ldmatrix<true>(result, row, at);
}

inline void mma_m16n8k16_bf16(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1,
                              simt::Loc at = simt::Loc::current()) {
  static constinit char kind = 0;
  meaning::MmaLane lane{{d[0], d[1], d[2], d[3]}, {a[0], a[1], a[2], a[3]}, {b0, b1}};
  const auto run = [](void* const lanes[32], unsigned, const void*) { meaning::mma_m16n8k16_bf16(lanes); };
  simt::warp_collective(kFullMask, &lane, {&kind, sizeof lane, run}, at);
  for (int i = 0; i < 4; ++i) {
    d[i] = lane.d[i];
  }
}

#else

__device__ inline std::uint32_t shared_address(const void* p) { return static_cast<std::uint32_t>(__cvta_generic_to_shared(p)); }

/// Begins to copy `src_bytes` and to zero the rest of 16 bytes; both addresses are multiples of 16.
__device__ inline void cp_async16(void* shared, const void* global, int src_bytes = 16) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(shared_address(shared)), "l"(global), "r"(src_bytes) : "memory");
}

/// This thread's copies since the last commit become one group.
__device__ inline void cp_async_commit() { asm volatile("cp.async.commit_group;\n" ::: "memory"); }

/// Waits for all but the newest kPending groups of this thread; others see the bytes after a barrier.
template <int kPending>
__device__ inline void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(kPending) : "memory");
}

/// Four 8x8 matrices of 16-bit elements; lane 8j + i gives the address of row i of matrix j.
__device__ inline void ldmatrix_x4(std::uint32_t (&result)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(result[0]), "=r"(result[1]), "=r"(result[2]), "=r"(result[3])
               : "r"(shared_address(row))
               : "memory");
}

/// The same, each matrix transposed.
__device__ inline void ldmatrix_x4_trans(std::uint32_t (&result)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(result[0]), "=r"(result[1]), "=r"(result[2]), "=r"(result[3])
               : "r"(shared_address(row))
               : "memory");
}

/// d += a b, of 16x16 and 16x8 bf16 in the registers of a warp, in f32.
__device__ inline void mma_m16n8k16_bf16(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

#endif

}  // namespace lora::kernels::cuda::ptx
