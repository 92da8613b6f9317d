#include "kernels/emulator/stream.hpp"

#include <cstdlib>
#include <string_view>
#include <utility>

namespace lora::simt {

bool& lazy_streams() {
  static bool chosen = [] {
    const char* const wanted = std::getenv("LORA_CUDA_LAZY");
    return wanted != nullptr && std::string_view(wanted) == "1";
  }();
  return chosen;
}

void Stream::submit(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (lazy_streams()) {
    waiting_.push_back(std::move(work));
    return;
  }
  ++done_;
  work();
}

void submit(void* stream, std::function<void()> work) {
  stream == nullptr ? work() : static_cast<Stream*>(stream)->submit(std::move(work));
}

std::uint64_t Stream::submitted() {
  const std::lock_guard lock(mutex_);
  return done_ + waiting_.size();
}

void Stream::wait(std::uint64_t count) {
  const std::lock_guard lock(mutex_);
  while (done_ < count && !waiting_.empty()) {
    const std::function<void()> work = std::move(waiting_.front());
    waiting_.pop_front();
    ++done_;
    work();
  }
}

}  // namespace lora::simt
