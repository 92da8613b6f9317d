#include "apps/mnist_lora/run_plan.hpp"

namespace mnist_lora {

std::uint64_t RunPlan::random_stream() const {
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const char c : name) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  return hash >> 3;  // streams from 2^62 up belong to the loaders
}

}  // namespace mnist_lora
