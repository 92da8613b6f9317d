#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>

#include "kernels/cuda/device.hpp"
#include "kernels/cuda/error.hpp"

namespace lora::kernels::cuda {

namespace {

/// Host memory that the device copies from while the host goes on: buffers in turn, each filled again only when its copy is done.
class Staging {
 public:
  void upload(std::byte* to, const std::byte* from, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    while (bytes > 0) {
      const std::size_t part = std::min(bytes, kBytes);
      Buffer& buffer = next();
      std::memcpy(buffer.host, from, part);
      check(cudaMemcpyAsync(to, buffer.host, part, cudaMemcpyHostToDevice, stream()), "upload");
      check(cudaEventRecord(buffer.copied, stream()), "upload");
      to += part;
      from += part;
      bytes -= part;
    }
  }

 private:
  static constexpr std::size_t kBytes = std::size_t{2} << 20;  // 40 us of a PCIe 5 link: starting a copy takes a tenth of that

  struct Buffer {
    void* host = nullptr;
    cudaEvent_t copied = nullptr;
  };

  /// A buffer that nothing reads any more.
  Buffer& next() {
    Buffer& buffer = buffers_[turn_];
    turn_ = (turn_ + 1) % buffers_.size();
    if (buffer.copied == nullptr) {
      check(cudaEventCreateWithFlags(&buffer.copied, cudaEventDisableTiming), "upload", "creating an event");
    }
    if (buffer.host == nullptr) {
      check(cudaHostAlloc(&buffer.host, kBytes, cudaHostAllocDefault), "upload", "pinning host memory");
    }
    check(cudaEventSynchronize(buffer.copied), "upload", "waiting for an earlier copy");
    return buffer;
  }

  std::mutex mutex_;
  std::array<Buffer, 8> buffers_;
  std::size_t turn_ = 0;
};

}  // namespace

void* allocate(std::size_t bytes) {
  void* block = nullptr;
  const cudaError_t status = cudaMalloc(&block, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;
  }
  check(status, "memory", "allocating on the device");
  return block;
}

void free(void* block) noexcept {
  cudaStreamSynchronize(stream());
  cudaFree(block);  // an error at the end of the process, when CUDA is gone already, harms nobody
}

void upload(void* to, const void* from, std::size_t bytes) {
  static Staging& staging = *new Staging;  // never destroyed: CUDA may be gone by then
  staging.upload(static_cast<std::byte*>(to), static_cast<const std::byte*>(from), bytes);
}

void download(void* to, const void* from, std::size_t bytes) {
  if (bytes > 0) {
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream()), "download");
    check(cudaStreamSynchronize(stream()), "download");
  }
}

void synchronize() { check(cudaStreamSynchronize(stream()), "synchronize"); }

}  // namespace lora::kernels::cuda
