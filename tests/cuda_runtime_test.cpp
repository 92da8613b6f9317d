// Memory, copies and errors of the CUDA device. On a machine without one there is nothing to test beside what it says of that.

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "core/autograd.hpp"
#include "core/base/memory.hpp"
#include "core/base/sanitizers.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/reduce.hpp"
#include "core/ops/view.hpp"
#include "core/print.hpp"
#include "core/serialize.hpp"
#include "kernels/cuda/device.hpp"
#include "kernels/cuda/error.hpp"
#include "tests/support/devices.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using Catch::Matchers::Contains;
using lora::test::kCuda;

namespace {

constexpr bool kCaching = !kAddressSanitizer;
constexpr DType kAll[] = {DType::f32, DType::f64, DType::bf16, DType::f16, DType::u8, DType::i32, DType::i64, DType::boolean};

/// 0, 1, .., in every dtype that has them.
Tensor counting(const Shape& shape, DType dtype) { return reshape(to(arange(shape.numel()), dtype), shape); }

/// One of each way to lie in memory.
std::vector<Tensor> layouts(DType dtype) {
  const Tensor x = counting({2, 3, 4, 5}, dtype);
  return {x,
          channels_last(x),
          permute(x, {3, 1, 0, 2}),
          narrow(x, 2, 1, 2),
          permute(narrow(x, 1, 1, 2), {1, 3, 2, 0}),
          expand(counting({3, 1}, dtype), {2, 3, 4}),
          counting({1}, dtype),
          counting({}, dtype),
          counting({0}, dtype),
          counting({2, 0, 3}, dtype)};
}

/// As many bytes as there are, the same ones.
bool same_bytes(const Tensor& a, const Tensor& b) {
  const Tensor one = contiguous(a), two = contiguous(b);
  return one.dtype() == two.dtype() && one.shape() == two.shape() && std::memcmp(one.view().data, two.view().data, one.nbytes()) == 0;
}

}  // namespace

TEST_CASE("cuda: what is missing is said with what to do", "[cuda]") {
  using kernels::cuda::absence;
  CHECK(absence(cudaSuccess, 1, 13000).empty());
  CHECK(absence(cudaErrorInsufficientDriver, 0, 0) == "this machine has no NVIDIA driver; install one, or use the CPU (--device cpu)");
  CHECK(absence(cudaErrorInsufficientDriver, 0, 12040) ==
        "the NVIDIA driver is for CUDA 12.4, this build needs " + std::to_string(CUDART_VERSION / 1000) + "." +
            std::to_string(CUDART_VERSION % 1000 / 10) + "; update it, or use the CPU (--device cpu)");
  const char* const no_gpu =
      "no GPU can be used: CUDA says cudaErrorNoDevice, no CUDA-capable device is detected; see what nvidia-smi and CUDA_VISIBLE_DEVICES "
      "say, or use the CPU (--device cpu)";
  CHECK(absence(cudaErrorNoDevice, 0, 13000) == no_gpu);
  CHECK(absence(cudaSuccess, 0, 13000) == no_gpu);
  CHECK(absence(cudaErrorNoKernelImageForDevice, 1, 13000) ==
        "this build has no code for the GPU of this machine; build with its architecture in LORA_CUDA_ARCHITECTURES, or use the CPU "
        "(--device cpu)");
  CHECK_THROWS_WITH(zeros({1}, DType::f32, {DeviceType::cuda, 1}), Contains("cuda:1: tensors live on cuda:0 alone"));
  if (!cuda_available()) {
    CHECK_THROWS_WITH(zeros({1}, DType::f32, kCuda), Catch::StartsWith("[cuda] "));
    CHECK_THROWS_WITH(to(zeros({1}), kCuda), Catch::StartsWith("[cuda] "));
  }
}

TEST_CASE("cuda: every dtype and layout goes there and back", "[cuda]") {
  if (!cuda_available()) {
    return;
  }
  for (const DType dtype : kAll) {
    for (const Tensor& x : layouts(dtype)) {
      INFO(x << " with strides " << x.strides());
      const Tensor there = to(x, kCuda), back = to(there, kCpu);
      CHECK(there.device() == kCuda);
      CHECK(there.strides() == dense_strides(x.shape(), x.strides()));
      CHECK(back.device() == kCpu);
      CHECK(back.strides() == there.strides());
      CHECK(same_bytes(x, back));
      CHECK(to(there, kCuda).storage() == there.storage());
    }
  }
}

TEST_CASE("cuda: views of a device's tensor come back as what they show", "[cuda]") {
  if (!cuda_available()) {
    return;
  }
  const Tensor x = counting({4, 5, 6}, DType::f32), there = to(x, kCuda);
  CHECK(same_bytes(to(narrow(there, 1, 2, 3), kCpu), narrow(x, 1, 2, 3)));
  CHECK(same_bytes(to(transpose(there, 0, 2), kCpu), transpose(x, 0, 2)));
  CHECK(same_bytes(to(select(there, 0, 3), kCpu), select(x, 0, 3)));
  CHECK(same_bytes(to(expand(select(there, 0, 1), {2, 5, 6}), kCpu), expand(select(x, 0, 1), {2, 5, 6})));
  CHECK(narrow(there, 0, 1, 2).to_vector<double>() == narrow(x, 0, 1, 2).to_vector<double>());
  CHECK(select(select(select(there, 0, 1), 0, 2), 0, 3).item<float>() == 45.0f);
}

TEST_CASE("cuda: bits stay, and so do tensors larger than all buffers on the way", "[cuda]") {
  if (!cuda_available()) {
    return;
  }
  const auto nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor odd = from_values(std::vector<float>{nan, -nan, -0.0f, INFINITY, std::numeric_limits<float>::denorm_min()}, {5});
  CHECK(same_bytes(to(to(odd, kCuda), kCpu), odd));
  const Index n = (Index{20} << 20) + 13;
  Tensor bytes = empty({n}, DType::u8);
  auto* const first = bytes.mutable_data<std::uint8_t>();
  for (Index i = 0; i < n; ++i) {
    first[i] = static_cast<std::uint8_t>(i * 2654435761 >> 20);
  }
  const Tensor there = to(bytes, kCuda);
  const Tensor before = clone(bytes);
  bytes.zero_();  // what is uploaded is what there was at the call
  CHECK(same_bytes(to(there, kCpu), before));
}

TEST_CASE("cuda: values reach the host through item, to_vector, text and files", "[cuda]") {
  if (!cuda_available()) {
    return;
  }
  const Tensor x = to(from_values(std::vector<float>{1.0f, 2.5f, -3.0f, 0.25f}, {2, 2}), kCuda);
  CHECK(narrow(select(x, 0, 1), 0, 1, 1).item<double>() == 0.25);
  CHECK(transpose(x, 0, 1).to_vector<float>() == std::vector<float>{1.0f, -3.0f, 2.5f, 0.25f});
  CHECK(to_string(x) == "tensor([[ 1.0000,  2.5000],\n        [-3.0000,  0.2500]], device='cuda:0')");
  CHECK(to_string(empty({2, 0}, DType::f64, kCuda)) == "tensor([], device='cuda:0', size=[2,0], dtype=f64)");
  CHECK_THROWS_WITH(x.data<float>(), "[data] f32[2,2]@cuda:0 is not on the CPU; copy it there with to(x, kCpu)");
  const test::TempFolder folder;
  const auto file = folder.path() / "x.safetensors";
  save_safetensors(file, NamedTensors{{"x", x}, {"t", transpose(x, 0, 1)}});
  CHECK(same_bytes(load_safetensors(file).at("x"), to(x, kCpu)));
  CHECK(same_bytes(load_safetensors(file).at("t"), transpose(to(x, kCpu), 0, 1)));
}

TEST_CASE("cuda: copy_ converts and broadcasts from the other device", "[cuda]") {
  if (!cuda_available()) {
    return;
  }
  const std::vector<double> twice{0, 1, 2, 0, 1, 2};
  Tensor there = zeros({2, 3}, DType::f64, kCuda), here = zeros({2, 3}, DType::f64);
  const std::uint64_t version = there.storage()->version();
  there.copy_(counting({3}, DType::f32));
  CHECK(there.to_vector<double>() == twice);
  CHECK(there.storage()->version() == version + 1);
  here.copy_(to(counting({1, 3}, DType::i64), kCuda));
  CHECK(here.to_vector<double>() == twice);
  Tensor column = narrow(there, 1, 1, 1);
  column.copy_(full({2, 1}, 7.0));
  CHECK(there.to_vector<double>() == std::vector<double>{0, 7, 2, 0, 7, 2});
}

TEST_CASE("cuda: gradients go back to where the tensor came from", "[cuda]") {
  if (!cuda_available()) {
    return;
  }
  Tensor x = from_values(std::vector<double>{1, -2, 3}, {3}).requires_grad_();
  const Tensor there = to(x, kCuda);
  CHECK(there.requires_grad());
  const Tensor loss = sum(mul(there, there));
  CHECK(loss.device() == kCuda);
  loss.backward();
  CHECK(x.grad().device() == kCpu);
  CHECK(x.grad().to_vector<double>() == std::vector<double>{2, -4, 6});

  Tensor y = to(x.detach(), kCuda).requires_grad_();
  sum(mul(to(y, kCpu), x.detach())).backward();
  CHECK(y.grad().device() == kCuda);
  CHECK(y.grad().to_vector<double>() == std::vector<double>{1, -2, 3});
}

TEST_CASE("cuda: operands on different devices are an error that names them", "[cuda]") {
  if (!cuda_available()) {
    return;
  }
  Tensor here = ones({2}), there = ones({2}, DType::f32, kCuda);
  CHECK_THROWS_WITH(add(here, there),
                    "[add] operands are on different devices: f32[2]@cpu and f32[2]@cuda:0; copy one to the other's device");
  there.requires_grad_();
  CHECK_THROWS_WITH(there.set_grad(here), "[set_grad] the gradient f32[2]@cpu does not fit f32[2]@cuda:0");
}

TEST_CASE("cuda: statistics count the device's memory apart", "[cuda]") {
  if (!cuda_available()) {
    return;
  }
  const MemoryStats cpu = memory_stats();
  release_cached_memory(kCuda);
  reset_peak_memory(kCuda);
  const MemoryStats before = memory_stats(kCuda);
  CHECK(before.reserved_bytes == before.current_bytes);
  {
    const Tensor a = empty({1000}, DType::u8, kCuda), b = empty({5000}, DType::u8, kCuda);
    const Scratch scratch(2048, kCuda);
    CHECK(memory_stats(kCuda).current_bytes == before.current_bytes + 1024 + 5120 + 2048);
    CHECK(memory_stats(kCuda).allocations == before.allocations + 3);
  }
  const MemoryStats after = memory_stats(kCuda);
  CHECK(after.current_bytes == before.current_bytes);
  CHECK(after.peak_bytes == before.current_bytes + 1024 + 5120 + 2048);
  CHECK(after.reserved_bytes == before.reserved_bytes + (kCaching ? 1024 + 5120 + 2048 : 0));
  CHECK(empty({1000}, DType::u8, kCuda).numel() == 1000);
  CHECK(memory_stats(kCuda).cache_hits == before.cache_hits + (kCaching ? 1 : 0));
  release_cached_memory(kCuda);
  reset_peak_memory(kCuda);
  CHECK(memory_stats(kCuda).reserved_bytes == before.current_bytes);
  CHECK(memory_stats(kCuda).peak_bytes == before.current_bytes);
  CHECK(memory_stats().current_bytes == cpu.current_bytes);
}

TEST_CASE("cuda: too much memory is an error, and nothing is lost by it", "[cuda]") {
  if (!cuda_available()) {
    return;
  }
  const std::size_t before = memory_stats(kCuda).current_bytes;
  CHECK_THROWS_WITH(empty({Index{1} << 45}, DType::f32, kCuda),
                    "[memory] cuda:0: not enough memory for 140737488355328 bytes, " + std::to_string(before) +
                        " bytes are in use by tensors; use smaller batches or drop tensors that are not needed");
  CHECK(memory_stats(kCuda).current_bytes == before);
  CHECK(sum(ones({100}, DType::f32, kCuda)).item<float>() == 100.0f);
}

TEST_CASE("cuda: a call that fails is an error with CUDA's text, once", "[cuda]") {
  if (!cuda_available()) {
    return;
  }
  float here = 1.0f, other = 2.0f;
  CHECK_THROWS_WITH(kernels::cuda::upload(&here, &other, sizeof(here)), "[upload] CUDA says cudaErrorInvalidValue, invalid argument");
  CHECK_THROWS_WITH(kernels::cuda::download(&here, &other, sizeof(here)), "[download] CUDA says cudaErrorInvalidValue, invalid argument");
  CHECK_THROWS_WITH(kernels::cuda::check(cudaErrorMemoryAllocation, "where", "what"),
                    "[where] what: CUDA says cudaErrorMemoryAllocation, out of memory");
  CHECK(here == 1.0f);
  CHECK(cudaGetLastError() == cudaSuccess);
  CHECK(to(ones({3}), kCuda).to_vector<float>() == std::vector<float>(3, 1.0f));
}

TEST_CASE("cuda: several threads copy and compute at once", "[cuda]") {
  if (!cuda_available()) {
    return;
  }
  std::vector<std::thread> threads;
  std::vector<double> sums(4);
  for (std::size_t t = 0; t < sums.size(); ++t) {
    threads.emplace_back([t, &sums] {
      for (int i = 0; i < 20; ++i) {
        sums[t] += sum(to(full({300}, static_cast<double>(t), DType::f64), kCuda)).item<double>();
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(sums == std::vector<double>{0, 6000, 12000, 18000});
}

#ifdef LORA_CUDA_EMULATED
TEST_CASE("cuda: memory of the host is refused by kernels and copies", "[cuda]") {
  float data = 1.0f;
  Tensor x(Storage::adopt(&data, sizeof(data), kCuda, {}), DType::f32, {1}, {1});
  const auto fill = [&x] {
    x.fill_(2.0);
    kernels::cuda::synchronize();  // late streams tell it here
  };
  CHECK_THROWS_WITH(fill(), Contains("[fill] argument") && Contains("is no device memory"));
  CHECK_THROWS_WITH(to(x, kCpu), "[download] CUDA says cudaErrorInvalidValue, invalid argument");
  CHECK(data == 1.0f);
}
#endif
