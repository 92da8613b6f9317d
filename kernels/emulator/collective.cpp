// What lanes of a warp do together.

#include <algorithm>
#include <cstring>

#include "kernels/emulator/block.hpp"
#include "kernels/emulator/sanitizers.hpp"

namespace lora::simt {

namespace {

constexpr unsigned kBarrierClocks = 2, kWarpClocks = 4;

/// The mask less the lanes that a last warp does not have.
unsigned existing_lanes(Block& block, unsigned mask, Loc at) {
  const std::size_t before = block.threads.size() - block.thread().warp() * kWarpSize;
  const unsigned exist = before >= kWarpSize ? ~0u : (1u << before) - 1;
  if ((mask >> block.thread().lane() & 1u) == 0) {
    fail("the calling lane is not in the mask", at);
  }
  if ((mask & ~exist) != 0 && mask != ~0u) {
    fail("the mask has lanes that do not exist", at);
  }
  return mask & exist;
}

/// Those of `mask` that are gathering already, or else begin to.
Gathering& find_gathering(Warp& warp, unsigned mask, const void* kind, Loc at) {
  Gathering* unused = nullptr;
  for (Gathering& one : warp.gatherings) {
    if (one.mask == mask) {
      return one;
    }
    if ((one.mask & mask) != 0) {
      fail("lanes of one warp wait with different masks that overlap", at);
    }
    unused = one.mask == 0 ? &one : unused;
  }
  if (unused == nullptr) {
    const Quiet quiet;
    unused = &warp.gatherings.emplace_back();
  }
  unused->mask = mask;
  unused->arrived = 0;
  unused->kind = kind;
  unused->clock = warp.clocks++ % kWarpClocks;
  return *unused;
}

/// The payloads lie on the stacks of other threads. So that the thread sanitizer sees no access to them, `exec` works on copies.
void exec_on_copies(Gathering& gathering, const Collective& what) {
  alignas(16) std::byte copies[kWarpSize][kMaxPayload];
  void* payload[kWarpSize];
  const auto copy_all = [&](bool back) {
    const Quiet quiet;
    for (unsigned lane = 0; lane < kWarpSize; ++lane) {
      if ((gathering.mask >> lane & 1u) != 0) {
        std::memcpy(back ? gathering.payload[lane] : copies[lane], back ? copies[lane] : gathering.payload[lane], what.payload_bytes);
      }
      payload[lane] = copies[lane];
    }
  };
  copy_all(false);
  what.exec(payload, gathering.mask, what.aux);
  copy_all(true);
}

void complete(Block& block, Gathering& gathering, const Collective& what) {
  if (what.exec != nullptr && kTsan) {
    exec_on_copies(gathering, what);
  } else if (what.exec != nullptr) {
    what.exec(gathering.payload.data(), gathering.mask, what.aux);
  }
  const unsigned first = block.thread().warp() * kWarpSize, me = block.thread().lane();
  for (unsigned i = 0; i < kWarpSize; ++i) {
    const unsigned lane = block.schedule.descending() ? kWarpSize - 1 - i : i;
    if ((gathering.mask >> lane & 1u) != 0 && lane != me) {
      block.make_ready(block.threads[first + lane]);
    }
  }
  gathering.mask = 0;
}

}  // namespace

void warp_collective(unsigned mask, void* payload, const Collective& what, Loc at) {
  Block& block = *current_block;
  const unsigned lane = block.thread().lane();
  mask = existing_lanes(block, mask, at);
  Gathering& gathering = find_gathering(block.warp(), mask, what.kind, at);
  if (gathering.kind != what.kind) {
    fail("lanes of one warp wait at different operations", at);
  }
  gathering.payload[lane] = payload;
  gathering.arrived |= 1u << lane;
  char* const clock = block.shared.clock(kBarrierClocks + block.thread().warp() * kWarpClocks + gathering.clock);
  if (what.memory_order) {
    release(clock);
  }
  if (gathering.arrived == mask) {
    complete(block, gathering, what);
    block.give_way();
  } else {
    block.wait(State::at_collective, at);
  }
  if (what.memory_order) {
    acquire(clock);
  }
}

}  // namespace lora::simt
