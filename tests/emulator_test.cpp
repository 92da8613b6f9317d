// The language that the emulator gives to kernels, and launches.

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <set>
#include <vector>

#include "kernels/cuda/error.hpp"
#include "kernels/cuda/gpu.hpp"
#include "kernels/emulator/device_ranges.hpp"
#include "tests/support/simt_options.hpp"

using lora::Error;
using lora::kernels::cuda::kFullMask;
using lora::testing::SimtOptions;
namespace simt = lora::simt;

namespace {

constexpr int kOrders = 6;

/// Zeroed memory of the device.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(std::size_t size) : size_(size) {
    lora::kernels::cuda::check(cudaMalloc(reinterpret_cast<void**>(&data_), size * sizeof(T)), "cudaMalloc");
    std::fill_n(data_, size, T(0));
  }
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  T* data() const { return data_; }
  T operator[](std::size_t i) const { return data_[i]; }
  std::vector<T> values() const { return {data_, data_ + size_}; }

 private:
  T* data_ = nullptr;
  std::size_t size_;
};

__global__ void count_indices(int* counts) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  atomicAdd(&counts[block * blockDim.x * blockDim.y * blockDim.z + thread], 1 + static_cast<int>(thread));
}

template <class T>
__global__ void shuffles(T* out, int width) {
  const T value = static_cast<T>(threadIdx.x + 100);
  const unsigned n = blockDim.x, mask = n < 32 ? (1u << n) - 1 : kFullMask;
  out[threadIdx.x] = __shfl_sync(mask, value, 3, width);
  out[n + threadIdx.x] = __shfl_up_sync(mask, value, 2, width);
  out[2 * n + threadIdx.x] = __shfl_down_sync(mask, value, 2, width);
  out[3 * n + threadIdx.x] = __shfl_xor_sync(mask, value, 4, width);
}

/// What the four shuffles give to a lane that reads from `source`, or from itself where that lies in another part of `width` lanes.
unsigned read_from(unsigned lane, int source, int width) {
  const int part = static_cast<int>(lane) / width;
  return source >= 0 && source / width == part ? static_cast<unsigned>(source) : lane;
}

template <class T>
bool shuffles_agree(unsigned threads, int width) {
  const DeviceArray<T> out(4 * threads);
  simt::launch("shuffles", 1, threads, 0, shuffles<T>, out.data(), width);
  bool agree = true;
  for (unsigned i = 0; i < threads; ++i) {
    const int lane = static_cast<int>(i % 32), begin = lane / width * width;
    const std::array<int, 4> sources{begin + 3 % width, lane - 2, lane + 2, lane ^ 4};
    for (unsigned k = 0; k < 4; ++k) {
      const unsigned source = i / 32 * 32 + read_from(i % 32, sources[k], width);
      agree = agree && out[k * threads + i] == static_cast<T>(source + 100);
    }
  }
  return agree;
}

__global__ void votes(unsigned* out) {
  const int vote = threadIdx.x % 3 == 0 ? 5 : 0;
  out[threadIdx.x] = __ballot_sync(kFullMask, vote);
  out[64 + threadIdx.x] = static_cast<unsigned>(__syncthreads_count(vote));
  const int mine =
      __all_sync(kFullMask, 1) + 2 * __all_sync(kFullMask, vote) + 4 * __any_sync(kFullMask, vote) + 8 * __any_sync(kFullMask, 0);
  const int block = __syncthreads_and(1) + 2 * __syncthreads_and(vote) + 4 * __syncthreads_or(vote) + 8 * __syncthreads_or(0);
  out[128 + threadIdx.x] = static_cast<unsigned>(mine + 16 * block);
}

__global__ void halves(int* out) {
  const unsigned mask = threadIdx.x % 32 < 16 ? 0xffffu : 0xffff0000u;
  int sum = static_cast<int>(threadIdx.x);
  for (int distance = 8; distance > 0; distance /= 2) {
    sum += __shfl_xor_sync(mask, sum, distance);
    if (threadIdx.x % 32 >= 16) {
      __syncwarp(mask);  // only half of the warp does it
    }
  }
  out[threadIdx.x] = sum;
}

__global__ void atomics(float* f, double* d, int* i, unsigned long long* u) {
  const int k = static_cast<int>(threadIdx.x);
  atomicAdd(f, 1.0f);
  atomicAdd(d, 0.5);
  atomicAdd(u, 1ull << 32);
  atomicAdd(&i[0], 2);
  atomicMax(&i[1], k);
  atomicMin(&i[2], -k);
  atomicCAS(&i[3], k, k + 1);  // counts where the threads come in ascending order
  atomicAdd(&i[4 + k], atomicExch(&i[4 + k], 7));
}

template <class T>
__device__ T* scratch() {
  GPU_SHARED(T, values, [16]);
  return values;
}

__global__ void shared_arrays(float* out) {
  GPU_DYN_SHARED(float, dynamic);
  float* const floats = scratch<float>();
  double* const doubles = scratch<double>();
  const auto address = reinterpret_cast<std::uintptr_t>(dynamic);
  out += 5 * blockIdx.x;
  out[0] = address % 128 == 0 && address % 256 != 0 ? 1.0f : 0.0f;
  out[1] = floats == scratch<float>() && static_cast<void*>(floats) != doubles ? 1.0f : 0.0f;
  out[2] = dynamic[7];
  out[3] = floats[3];
  out[4] = static_cast<float>(doubles[15]);
  floats[3] = dynamic[7] = 1.0f;  // the next block finds NaN again
  doubles[15] = 1.0;
}

__global__ void arrivals(int* next, int* number) { number[lora::kernels::cuda::thread_index()] = atomicAdd(next, 1); }

std::vector<int> arrivals_in(int order) {
  const SimtOptions options(order, 1);
  const DeviceArray<int> next(1), number(128);
  simt::launch("arrivals", 1, 128, 0, arrivals, next.data(), number.data());
  return number.values();
}

__global__ void nothing(const float*) {}

__global__ void launches_again(int*) { simt::launch("inner", 1, 1, 0, nothing, nullptr); }

}  // namespace

TEST_CASE("emulator: every thread of a grid runs once and knows where it is", "[emulator]") {
  for (int order = 0; order < kOrders; ++order) {
    for (int threads : {1, 3}) {
      const SimtOptions options(order, threads);
      const DeviceArray<int> counts(2 * 3 * 5 * 24);
      simt::launch("count_indices", dim3(2, 3, 5), dim3(4, 3, 2), 0, count_indices, counts.data());
      for (unsigned i = 0; i < 2 * 3 * 5 * 24; ++i) {
        REQUIRE(counts[i] == 1 + static_cast<int>(i % 24));
      }
    }
  }
}

TEST_CASE("emulator: shuffles read the lanes that CUDA says, in full and in partial warps", "[emulator]") {
  for (int order = 0; order < kOrders; ++order) {
    const SimtOptions options(order, 1);
    for (int width : {8, 16, 32}) {
      CHECK(shuffles_agree<int>(64, width));
      CHECK(shuffles_agree<float>(32, width));
      CHECK(shuffles_agree<double>(96, width));
    }
    CHECK(shuffles_agree<std::int64_t>(24, 8));
  }
}

TEST_CASE("emulator: votes of warps and blocks", "[emulator]") {
  for (int order = 0; order < kOrders; ++order) {
    const SimtOptions options(order, 1);
    const DeviceArray<unsigned> out(192);
    simt::launch("votes", 1, 64, 0, votes, out.data());
    CHECK(out[5] == 0x49249249u);   // lanes 0, 3, .. 30
    CHECK(out[40] == 0x92492492u);  // threads 33, 36, .. 63
    CHECK(out[64] == 22);
    CHECK(out[128] == 16 * 5 + 5);
  }
}

TEST_CASE("emulator: halves of a warp work apart from each other", "[emulator]") {
  for (int order = 0; order < kOrders; ++order) {
    const SimtOptions options(order, 1);
    const DeviceArray<int> out(32);
    simt::launch("halves", 1, 32, 0, halves, out.data());
    CHECK(out[3] == 120);
    CHECK(out[19] == 120 + 16 * 16);
  }
}

TEST_CASE("emulator: atomic functions", "[emulator]") {
  const SimtOptions options(0, 1);
  const DeviceArray<float> f(1);
  const DeviceArray<double> d(1);
  const DeviceArray<int> i(4 + 64);
  const DeviceArray<unsigned long long> u(1);
  simt::launch("atomics", 3, 64, 0, atomics, f.data(), d.data(), i.data(), u.data());
  CHECK(f[0] == 192.0f);
  CHECK(d[0] == 96.0);
  CHECK(u[0] == 192ull << 32);
  CHECK(i[0] == 384);
  CHECK(i[1] == 63);
  CHECK(i[2] == -63);
  CHECK(i[3] == 64);
  CHECK(i[4 + 63] == 21);  // 7, 14, 21 after each of the blocks
}

TEST_CASE("emulator: no update is lost between OS threads", "[emulator]") {
  const SimtOptions options(0, 4);
  const DeviceArray<int> next(1), number(2000 * 128);
  simt::launch("arrivals", 2000, 128, 0, arrivals, next.data(), number.data());
  std::vector<int> numbers = number.values();
  std::sort(numbers.begin(), numbers.end());
  CHECK(next[0] == 2000 * 128);
  CHECK(std::adjacent_find(numbers.begin(), numbers.end()) == numbers.end());
}

TEST_CASE("emulator: shared arrays are apart, aligned as declared and NaN in every block", "[emulator]") {
  const DeviceArray<float> out(15);
  simt::launch("shared_arrays", 3, 1, 64 * sizeof(float), shared_arrays, out.data());
  for (unsigned block = 0; block < 3; ++block) {
    CHECK(out[5 * block] == 1.0f);
    CHECK(out[5 * block + 1] == 1.0f);
    CHECK(std::isnan(out[5 * block + 2]));
    CHECK(std::isnan(out[5 * block + 3]));
    CHECK(std::isnan(out[5 * block + 4]));
  }
}

TEST_CASE("emulator: orders are ascending, descending and drawn by a seed", "[emulator]") {
  const std::vector<int> ascending = arrivals_in(0);
  CHECK(std::is_sorted(ascending.begin(), ascending.end()));
  CHECK(std::is_sorted(ascending.rbegin(), ascending.rend()) == false);
  const std::vector<int> descending = arrivals_in(1);
  CHECK(std::is_sorted(descending.rbegin(), descending.rend()));
  std::set<std::vector<int>> all{ascending, descending};
  for (int seed = 3; seed < 12; seed += 2) {
    CHECK(arrivals_in(seed) == arrivals_in(seed));
    all.insert(arrivals_in(seed));
  }
  CHECK(all.size() == 7);  // of 128 threads no two seeds draw the same order
}

TEST_CASE("emulator: bit and rounding functions", "[emulator]") {
  CHECK(__popc(0xf0f0u) == 8);
  CHECK(__clz(1) == 31);
  CHECK(__clz(0) == 32);
  CHECK(__ffs(0) == 0);
  CHECK(__ffs(8) == 4);
  CHECK(__umulhi(0x80000000u, 6u) == 3u);
  CHECK(__float_as_int(1.0f) == 0x3f800000);
  CHECK(__int_as_float(0x40000000) == 2.0f);
  CHECK(max(1, 2u) == 2u);
  CHECK(min(1.0f, NAN) == 1.0f);
  CHECK(max(NAN, 2.0) == 2.0);
  CHECK(rsqrtf(4.0f) == 0.5f);
}

TEST_CASE("emulator: launches that CUDA refuses, and pointers to host memory", "[emulator]") {
  const DeviceArray<float> device(4);
  const std::vector<float> host(4);
  CHECK_NOTHROW(simt::launch("k", 1, 1024, 227 << 10, nothing, device.data() + 4));
  CHECK_NOTHROW(simt::launch("k", 1, 1, 0, nothing, nullptr));
  CHECK_THROWS_WITH(simt::launch("k", 1, 1, 0, nothing, host.data()),
                    Catch::Contains("[k] argument 1 is") && Catch::Contains("no device memory"));
  CHECK_THROWS_WITH(simt::launch("k", 1, dim3(32, 33), 0, nothing, device.data()), Catch::Contains("a block of 32 x 33 x 1 threads"));
  CHECK_THROWS_WITH(simt::launch("k", 1, 0, 0, nothing, device.data()), Catch::Contains("a block of 0 x 1 x 1 threads"));
  CHECK_THROWS_WITH(simt::launch("k", dim3(1, 65536), 1, 0, nothing, device.data()), Catch::Contains("a grid of 1 x 65536 x 1 blocks"));
  CHECK_THROWS_WITH(simt::launch("k", 0, 1, 0, nothing, device.data()), Catch::Contains("a grid of 0 x 1 x 1 blocks"));
  CHECK_THROWS_WITH(simt::launch("k", 1, 1, (227 << 10) + 1, nothing, device.data()), Catch::Contains("bytes of shared memory"));
  CHECK_THROWS_WITH(simt::launch("k", 1, 1, 0, launches_again, nullptr), Catch::Contains("a kernel launches another"));
}

TEST_CASE("emulator: ranges of device memory", "[emulator]") {
  std::array<char, 32> bytes{};
  char* const begin = bytes.data() + 8;
  CHECK_FALSE(simt::is_device(begin, 1));
  simt::add_device_range(begin, 16);
  CHECK(simt::is_device(begin, 16));
  CHECK(simt::is_device(begin + 15, 1));
  CHECK(simt::is_device(begin + 16, 0));
  CHECK_FALSE(simt::is_device(begin + 15, 2));
  CHECK_FALSE(simt::is_device(begin - 1, 1));
  CHECK_FALSE(simt::is_device(begin + 17, 0));
  CHECK_FALSE(simt::is_device(nullptr, 0));
  simt::remove_device_range(begin);
  CHECK_FALSE(simt::is_device(begin, 1));
  CHECK_THROWS_AS(simt::remove_device_range(begin), Error);
}
