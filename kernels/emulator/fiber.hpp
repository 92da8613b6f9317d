#pragma once
// Switching between stacks.

#include <cstddef>

namespace lora::simt {

/// A stack with a computation that can be left and resumed. A suspended one must be resumed by the OS thread that it ran on.
class Fiber {
 public:
  /// The stack that the OS thread came with.
  Fiber() = default;
  /// A stack of its own. Tops of stacks `number` 0, 1, .. lie at different places of their pages, or they would share lines of the L1
  /// cache.
  explicit Fiber(std::size_t number);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// The next switch to this fiber calls `entry`, which never returns. What it ran before is forgotten, not unwound.
  void prepare(void (*entry)());
  /// Suspends this fiber, which is the running one. @param for_good  it will only be used again after prepare()
  void switch_to(Fiber& next, bool for_good);
  /// Takes the OS thread that calls as the one this fiber, made without a stack, belongs to.
  void adopt();

 private:
  struct Entry;
  /// On this fiber, after a switch to it.
  void arrive(void* context_of_former);

  void* context_ = nullptr;
  Fiber* former_ = nullptr;  // that switched to this one
  void (*entry_)() = nullptr;
  std::byte* mapped_ = nullptr;
  const void* base_ = nullptr;  // lowest address of the stack
  std::size_t size_ = 0;
  void* fake_stack_ = nullptr;  // of the address sanitizer
  void* tsan_ = nullptr;        // the thread sanitizer's name for this fiber
};

}  // namespace lora::simt
