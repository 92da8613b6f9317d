#include "kernels/cuda/product_choice.hpp"

#include <cstdlib>
#include <string_view>

#include "core/base/error.hpp"

namespace lora::kernels::cuda {

namespace {

// Guesses: neither was measured on a GPU. Below, launching costs more than computing, and a library's search for an algorithm more still.
constexpr Index kLibraryMultiplications = Index{1} << 21;
constexpr Index kLibrarySide = 64;

Products from_environment() {
  const char* const text = std::getenv("LORA_CUDA_PRODUCTS");
  const std::string_view wanted = text != nullptr ? text : "auto";
  require(wanted == "auto" || wanted == "own" || wanted == "library", "cuda", "environment variable LORA_CUDA_PRODUCTS is '", wanted,
          "'; set it to auto, own or library, or unset it");
  return wanted == "auto" ? Products::automatic : wanted == "own" ? Products::own : Products::library;
}

}  // namespace

Products& products() {
  static Products chosen = from_environment();
  return chosen;
}

bool prefers_library(Index multiplications, Index side) {
  switch (products()) {
    case Products::own: return false;
    case Products::library: return true;
    case Products::automatic: return multiplications >= kLibraryMultiplications && side >= kLibrarySide;
  }
  return false;
}

}  // namespace lora::kernels::cuda
