// Streams that run their work as late as CUDA allows it show waits that are missing. Each fault here is planted.

#include <cuda_runtime_api.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

#include "core/base/error.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/reduce.hpp"
#include "kernels/cuda/device.hpp"
#include "kernels/cuda/error.hpp"
#include "kernels/emulator/stream.hpp"
#include "tests/support/devices.hpp"

using namespace lora;
using kernels::cuda::check;
using lora::test::kCuda;

namespace {

/// Streams are late in its scope.
class Late {
 public:
  Late() : before_(simt::lazy_streams()) {
    kernels::cuda::synchronize();
    simt::lazy_streams() = true;
  }
  ~Late() {
    kernels::cuda::synchronize();
    simt::lazy_streams() = before_;
  }
  Late(const Late&) = delete;
  Late& operator=(const Late&) = delete;

 private:
  bool before_;
};

/// A buffer that two values go to the device through, one after another; what arrives.
std::vector<int> through_one_buffer(bool wait_between) {
  Tensor place = zeros({2}, DType::i32, kCuda);
  int* const to = place.mutable_view().ptr<int>();
  const cudaStream_t stream = kernels::cuda::stream();
  static const cudaEvent_t copied = [] {
    cudaEvent_t made = nullptr;
    check(cudaEventCreateWithFlags(&made, cudaEventDisableTiming), "test");
    return made;
  }();
  int buffer = 7;
  check(cudaMemcpyAsync(to, &buffer, sizeof(buffer), cudaMemcpyHostToDevice, stream), "test");
  check(cudaEventRecord(copied, stream), "test");
  if (wait_between) {
    check(cudaEventSynchronize(copied), "test");
  }
  buffer = 8;
  check(cudaMemcpyAsync(to + 1, &buffer, sizeof(buffer), cudaMemcpyHostToDevice, stream), "test");
  check(cudaStreamSynchronize(stream), "test");
  return place.to_vector<std::int32_t>();
}

}  // namespace

TEST_CASE("emulator: a buffer that is filled again before its copy is done shows in late streams", "[emulator]") {
  const Late late;
  CHECK(through_one_buffer(true) == std::vector<int>{7, 8});
  CHECK(through_one_buffer(false) == std::vector<int>{8, 8});
}

TEST_CASE("emulator: a result that nobody waited for is not there in late streams", "[emulator]") {
  const Late late;
  const Tensor x = to(ones({3}), kCuda);
  std::vector<float> host(3, -1.0f);
  const std::size_t bytes = x.nbytes();
  check(cudaMemcpyAsync(host.data(), x.view().data, bytes, cudaMemcpyDeviceToHost, kernels::cuda::stream()), "test");
  CHECK(host == std::vector<float>(3, -1.0f));
  kernels::cuda::synchronize();
  CHECK(host == std::vector<float>(3, 1.0f));
}

TEST_CASE("emulator: the library waits where it must, however late streams are", "[emulator]") {
  const Late late;
  constexpr Index kMore = (Index{20} << 20) / 4 + 3;  // than all buffers of uploads hold
  const Tensor large = arange(kMore, DType::i32), there = to(large, kCuda);
  const bool arrived = there.to_vector<std::int32_t>() == large.to_vector<std::int32_t>();  // too many to be printed
  CHECK(arrived);
  Tensor total = zeros({5}, DType::f64, kCuda);
  for (int i = 0; i < 50; ++i) {  // blocks are used again while the stream has not come to them
    total = add(total, to(full({5}, static_cast<double>(i), DType::f64), kCuda));
  }
  CHECK(sum(total).item<double>() == 5.0 * 1225.0);
}

TEST_CASE("emulator: what a late kernel does wrong is told by who waits for it", "[emulator]") {
  const Late late;
  float data = 1.0f;
  Tensor x(Storage::adopt(&data, sizeof(data), kCuda, {}), DType::f32, {1}, {1});
  x.fill_(2.0);
  CHECK_THROWS_WITH(kernels::cuda::synchronize(),
                    Catch::StartsWith("[synchronize] CUDA says cudaErrorLaunchFailure, [fill]") && Catch::Contains("no device memory"));
  CHECK(data == 1.0f);
  CHECK(to(ones({3}), kCuda).to_vector<float>() == std::vector<float>(3, 1.0f));
}

TEST_CASE("emulator: what a kernel does wrong is told with the arrays it was given", "[emulator]") {
  if (simt::lazy_streams()) {
    return;  // the caller is gone by then
  }
  float data[6] = {};
  const Tensor x(Storage::adopt(data, sizeof(data), kCuda, {}), DType::f32, {2, 3}, {3, 1});
  CHECK_THROWS_WITH(add(x, ones({3}, DType::f32, kCuda)), Catch::StartsWith("[binary]") && Catch::Contains("no device memory") &&
                                                              Catch::EndsWith("; given f32[2,3] f32[2,3] f32[2,3]"));
}
