#pragma once
// One block of a launch while it runs.

#include <cuda_runtime.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/emulator/arena.hpp"
#include "kernels/emulator/async_copy.hpp"
#include "kernels/emulator/engine.hpp"
#include "kernels/emulator/fiber_pool.hpp"
#include "kernels/emulator/launch.hpp"
#include "kernels/emulator/schedule.hpp"

namespace lora::simt {

inline constexpr unsigned kWarpSize = 32;

enum class State : std::uint8_t { fresh, ready, at_barrier, at_collective, exited };

struct Thread {
  uint3 index;
  unsigned number;
  State state;
  Fiber* fiber;
  Loc at;  // of what it waits for

  unsigned lane() const { return number % kWarpSize; }
  unsigned warp() const { return number / kWarpSize; }
};

/// Lanes on their way to a collective.
struct Gathering {
  unsigned mask = 0, arrived = 0;  // no mask: free to be used
  const void* kind = nullptr;
  unsigned clock = 0;
  std::array<void*, kWarpSize> payload;
};

struct Warp {
  std::vector<Gathering> gatherings;  // of disjoint masks
  unsigned clocks = 0;
};

struct Barrier {
  unsigned arrived = 0, parity = 0;
  Loc at;
  Votes votes, result;
};

/// Used again and again for blocks of any launches, by one OS thread at a time.
class Block {
 public:
  /// Runs all threads of the block. @return what went wrong, empty if nothing
  std::string run(const Launch& launch, uint3 index);

  // For the running thread.
  Thread& thread() { return *thread_; }
  Warp& warp() { return warps[thread_->warp()]; }
  /// Runs others until this thread is made ready.
  void wait(State state, Loc at);
  void make_ready(Thread& thread);
  /// Makes way for others that are ready, if the schedule wants that.
  void give_way();
  /// Ends the block; what its threads still would do is forgotten.
  [[noreturn]] void abandon(std::string&& error);

  const Launch* launch = nullptr;
  uint3 index{};
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  std::vector<AsyncCopies> copies;  // of each thread
  Arena shared;
  Schedule schedule;
  Barrier barrier;
  unsigned exited = 0;

 private:
  static void thread_main();
  void prepare();
  void forget_threads();
  void begin_threads(dim3 shape);
  void run_thread(Thread& thread);
  void enter(Thread& thread);
  void dispatch(bool finished);
  void leave_for(Fiber& next, bool finished);

  Thread* thread_ = nullptr;
  Fiber host_;
  Fiber* running_ = nullptr;
  FiberPool fibers_;
  std::string error_;
};

/// The block that this OS thread runs; null outside of kernels.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local Block* current_block;

// Clocks of the thread sanitizer: before a launch, after it.
extern char launch_clock, exit_clock;

}  // namespace lora::simt
