#pragma once
// The fibers that a block's threads run on.

#include <cstddef>
#include <memory>
#include <random>
#include <vector>

#include "kernels/emulator/fiber.hpp"

namespace lora::simt {

class FiberPool {
 public:
  /// All fibers are free from now on, and there are enough for this many threads if they must exist beforehand.
  void begin(std::size_t threads);
  /// A fiber on which the next switch calls `entry`.
  Fiber& take(void (*entry)());
  void give_back(Fiber& fiber);
  /// Gives up all stacks with what was abandoned on them.
  void clear();

 private:
  void grow();

  std::vector<std::unique_ptr<Fiber>> all_;
  std::vector<Fiber*> free_;
  std::minstd_rand random_;
};

}  // namespace lora::simt
