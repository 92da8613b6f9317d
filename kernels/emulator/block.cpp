#include "kernels/emulator/block.hpp"

#include <exception>
#include <utility>

#include "kernels/emulator/language.hpp"
#include "kernels/emulator/options.hpp"
#include "kernels/emulator/report.hpp"
#include "kernels/emulator/sanitizers.hpp"

namespace lora::simt {

constinit thread_local Block* current_block = nullptr;
char launch_clock = 0, exit_clock = 0;

std::string Block::run(const Launch& of, uint3 at) {
  launch = &of;
  index = at;
  prepare();
  current_block = this;
  blockIdx = at;
  blockDim = of.block;
  gridDim = of.grid;
  host_.adopt();
  running_ = &host_;
  leave_for(fibers_.take(thread_main), false);
  current_block = nullptr;
  std::string error = std::move(error_);
  if (!error.empty()) {
    forget_threads();
  } else if (shared.damaged()) {
    error = describe_damage(*this);
  }
  return error;
}

void Block::prepare() {
  begin_threads(launch->block);
  barrier = {};
  exited = 0;
  const auto count = static_cast<unsigned>(threads.size());
  schedule.begin(count, options().order, index.x + 131 * index.y + 7919 * index.z + 104729 * static_cast<unsigned>(options().order));
  shared.reset(launch->dynamic_shared);
  fibers_.begin(count);
}

/// After a failure, when some have not come to their end.
void Block::forget_threads() {
  error_.clear();
  fibers_.clear();
  warps.clear();
  copies.clear();
}

void Block::begin_threads(dim3 shape) {
  const unsigned count = shape.x * shape.y * shape.z;
  threads.resize(count);
  warps.resize((count + kWarpSize - 1) / kWarpSize);
  copies.resize(count);
  unsigned number = 0;
  for (unsigned z = 0; z < shape.z; ++z) {
    for (unsigned y = 0; y < shape.y; ++y) {
      for (unsigned x = 0; x < shape.x; ++x, ++number) {
        threads[number] = {{x, y, z}, number, State::fresh, nullptr, {}};
      }
    }
  }
}

/// What a fiber runs: threads that have not begun, one after another as long as none of them waits.
void Block::thread_main() {
  for (;;) {
    Block& block = *current_block;
    Thread& thread = block.threads[block.schedule.take_fresh()];
    thread.fiber = block.running_;
    block.enter(thread);
    block.run_thread(thread);
    block.dispatch(true);
  }
}

void Block::run_thread(Thread& thread) {
  acquire(&launch_clock);
  std::string thrown;
  try {
    launch->call(launch->arguments);
  } catch (const std::exception& error) {
    thrown = describe_thread(*this, thread, error.what(), {});
  }
  if (!thrown.empty()) {
    abandon(std::move(thrown));
  }
  copies[thread.number].finish();
  release(&exit_clock);
  thread.state = State::exited;
  ++exited;
}

void Block::enter(Thread& thread) {
  thread_ = &thread;
  threadIdx = thread.index;
}

void Block::wait(State state, Loc at) {
  Thread& me = *thread_;
  me.state = state;
  me.at = at;
  dispatch(false);
  enter(me);
}

void Block::make_ready(Thread& thread) {
  thread.state = State::ready;
  schedule.add_ready(thread.number);
}

void Block::give_way() {
  if (schedule.gives_way()) {
    Thread& me = *thread_;
    make_ready(me);
    dispatch(false);
    enter(me);
  }
}

/// Leaves the running fiber for what runs next. Returns when it is resumed, or at once if it has finished and may run a fresh thread.
void Block::dispatch(bool finished) {
  if (schedule.empty()) {
    if (exited < threads.size()) {
      error_ = describe_deadlock(*this);
    }
    leave_for(host_, finished);
  } else if (!schedule.next_is_fresh()) {
    leave_for(*threads[schedule.take_ready()].fiber, finished);
  } else if (!finished || kTsan) {
    leave_for(fibers_.take(thread_main), finished);
  }
}

void Block::leave_for(Fiber& next, bool finished) {
  Fiber& me = *std::exchange(running_, &next);
  if (finished) {
    fibers_.give_back(me);
  }
  if (&me != &next) {
    me.switch_to(next, finished);
  }
}

void Block::abandon(std::string&& error) {
  error_ = std::move(error);
  std::exchange(running_, &host_)->switch_to(host_, true);
  std::terminate();  // nobody resumes it
}

}  // namespace lora::simt
