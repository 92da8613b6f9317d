#include "tests/ptx_conformance.hpp"

#include "core/base/memory.hpp"
#include "kernels/cuda/device.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/ptx.hpp"

namespace lora::test {

namespace {

namespace cuda = kernels::cuda;
namespace ptx = kernels::cuda::ptx;
using ptx::meaning::MmaLane;

__global__ void mma_kernel(const MmaLane* in, MmaLane* out) {
  MmaLane lane = in[threadIdx.x];
  ptx::mma_m16n8k16_bf16(lane.d, lane.a, lane.b[0], lane.b[1]);
  out[threadIdx.x] = lane;
}

constexpr int kRows = 64;

__global__ void ldmatrix_kernel(bool transposed, const std::uint16_t* from, const int* row, std::array<std::uint32_t, 4>* out) {
  GPU_SHARED(std::uint16_t, rows, [kRows * 8]);
  for (unsigned i = threadIdx.x; i < kRows * 8; i += blockDim.x) {
    rows[i] = from[i];
  }
  __syncthreads();
  std::uint32_t result[4];
  if (transposed) {
    ptx::ldmatrix_x4_trans(result, rows + row[threadIdx.x] * 8);
  } else {
    ptx::ldmatrix_x4(result, rows + row[threadIdx.x] * 8);
  }
  for (unsigned i = 0; i < 4; ++i) {
    out[threadIdx.x][i] = result[i];
  }
}

__global__ void cp_async_kernel(const unsigned char* from, const int* bytes, unsigned char* out) {
  GPU_SHARED(unsigned char, copies, [2][32 * 16]);
  const unsigned at = threadIdx.x * 16, number = bytes[threadIdx.x] >= 0 ? static_cast<unsigned>(bytes[threadIdx.x]) : 0u;
  ptx::cp_async16(copies[0] + at, from + threadIdx.x * 32, static_cast<int>(number));
  ptx::cp_async_commit();
  ptx::cp_async16(copies[1] + at, from + threadIdx.x * 32 + 16, static_cast<int>(number));
  ptx::cp_async_commit();
  ptx::cp_async_wait<1>();
  for (unsigned i = 0; i < 16; ++i) {
    out[threadIdx.x * 32 + i] = copies[0][at + i];
  }
  ptx::cp_async_wait<0>();
  for (unsigned i = 0; i < 16; ++i) {
    out[threadIdx.x * 32 + 16 + i] = copies[1][at + i];
  }
}

constexpr Device kDevice{DeviceType::cuda, 0};

/// A copy of host memory on the device.
template <class T>
class OnDevice {
 public:
  explicit OnDevice(const T* from, std::size_t count = 1) : bytes_(count * sizeof(T)), memory_(bytes_, kDevice) {
    cuda::upload(memory_.ptr<void>(), from, bytes_);
  }
  T* get() const { return memory_.ptr<T>(); }
  void download(T* to) const { cuda::download(to, memory_.ptr<void>(), bytes_); }

 private:
  std::size_t bytes_;
  Scratch memory_;
};

/// One warp. The wrappers belong to the row gemm.
template <class... P, class... A>
void run_warp(void (*kernel)(P...), const A&... args) {
  cuda::launch(kernels::context(kDevice), cuda::Row::gemm, {{32, 32}}, {dim3(1), dim3(32)}, kernel, args...);
}

}  // namespace

Lanes<MmaLane> run_mma(const Lanes<MmaLane>& lanes) {
  const OnDevice<MmaLane> in(lanes.data(), lanes.size()), out(lanes.data(), lanes.size());
  run_warp(mma_kernel, in.get(), out.get());
  Lanes<MmaLane> result;
  out.download(result.data());
  return result;
}

Lanes<std::array<std::uint32_t, 4>> run_ldmatrix(bool transposed, const std::vector<std::uint16_t>& rows, const Lanes<int>& row) {
  require(rows.size() == kRows * 8, "run_ldmatrix", "needs ", kRows, " rows of 8");
  Lanes<std::array<std::uint32_t, 4>> result{};
  const OnDevice<std::uint16_t> from(rows.data(), rows.size());
  const OnDevice<int> numbers(row.data(), row.size());
  const OnDevice<std::array<std::uint32_t, 4>> out(result.data(), result.size());
  run_warp(ldmatrix_kernel, transposed, from.get(), numbers.get(), out.get());
  out.download(result.data());
  return result;
}

Lanes<std::array<unsigned char, 32>> run_cp_async(const Lanes<std::array<unsigned char, 32>>& from, const Lanes<int>& bytes) {
  Lanes<std::array<unsigned char, 32>> result{};
  const OnDevice<unsigned char> in(from[0].data(), 32 * 32), out(result[0].data(), 32 * 32);
  const OnDevice<int> numbers(bytes.data(), bytes.size());
  run_warp(cp_async_kernel, in.get(), numbers.get(), out.get());
  out.download(result[0].data());
  return result;
}

}  // namespace lora::test
