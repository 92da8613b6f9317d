// Barriers of a block.

#include "kernels/emulator/report.hpp"
#include "kernels/emulator/sanitizers.hpp"

namespace lora::simt {

namespace {

void arrive(Block& block, bool vote, Loc at) {
  Barrier& barrier = block.barrier;
  if (barrier.arrived == 0) {
    barrier.at = at;
    barrier.votes = {};
  } else if (!same_place(barrier.at, at)) {
    block.abandon(describe_other_barrier(block, at));
  }
  ++barrier.arrived;
  barrier.votes.count += vote ? 1 : 0;
  barrier.votes.all = barrier.votes.all && vote;
  barrier.votes.any = barrier.votes.any || vote;
}

void release_others(Block& block) {
  const unsigned count = static_cast<unsigned>(block.threads.size());
  for (unsigned i = 0; i < count; ++i) {
    Thread& thread = block.threads[block.schedule.descending() ? count - 1 - i : i];
    if (&thread != &block.thread()) {
      block.make_ready(thread);
    }
  }
}

}  // namespace

Votes sync_block(bool vote, Loc at) {
  Block& block = *current_block;
  Barrier& barrier = block.barrier;
  // Two clocks in turn: one would also order who arrives at the next barrier before who still leaves this one.
  char* const clock = block.shared.clock(barrier.parity);
  release(clock);
  arrive(block, vote, at);
  if (barrier.arrived < block.threads.size()) {
    block.wait(State::at_barrier, at);
  } else {
    barrier.arrived = 0;
    barrier.parity ^= 1u;
    barrier.result = barrier.votes;
    release_others(block);
    block.give_way();
  }
  acquire(clock);
  return barrier.result;
}

}  // namespace lora::simt
