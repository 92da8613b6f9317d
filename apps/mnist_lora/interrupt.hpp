#pragma once
// Ctrl-C: the step under way is finished and a checkpoint written; a second Ctrl-C ends the program at once.

#include <atomic>
#include <stdexcept>

namespace mnist_lora {

/// What the program throws when it stops because it was asked to. The text says where; run_cli adds how to go on.
class Interrupted : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// While it lives, SIGINT and SIGTERM set stop_requested() once and then act as usual again.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
};

const std::atomic<bool>& stop_requested();

}  // namespace mnist_lora
