#pragma once
// Barriers, shuffles and votes.

#include <cstdint>

#include "kernels/emulator/engine.hpp"

namespace lora::simt {

enum class Shuffle { index, up, down, exclusive_or };

template <class T>
struct ShuffleLane {
  T value;
  int source, width;
  T result;
};

/// The lane that `lane` reads from; itself where that lies outside of its part of `width` lanes.
inline int shuffle_source(Shuffle how, int lane, int source, int width) {
  const int begin = lane & ~(width - 1), end = begin + width;
  switch (how) {
    case Shuffle::index: return begin + (source & (width - 1));
    case Shuffle::up: return lane - source < begin ? lane : lane - source;
    case Shuffle::down: return lane + source >= end ? lane : lane + source;
    case Shuffle::exclusive_or: return (lane ^ source) >= end ? lane : lane ^ source;
  }
  return lane;
}

template <class T, Shuffle how>
void run_shuffle(void* const payload[32], unsigned mask, const void* at) {
  for (int lane = 0; lane < 32; ++lane) {
    if ((mask >> lane & 1u) != 0) {
      auto& to = *static_cast<ShuffleLane<T>*>(payload[lane]);
      const int source = shuffle_source(how, lane, to.source, to.width);
      if ((mask >> source & 1u) == 0) {
        fail("shuffle reads a lane that is not in its mask", *static_cast<const Loc*>(at));
      }
      to.result = static_cast<const ShuffleLane<T>*>(payload[source])->value;
    }
  }
}

template <Shuffle how, class T>
T shuffle(unsigned mask, T value, int source, int width, Loc at) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "shuffles move 4 or 8 bytes");
  static constinit char kind = 0;
  ShuffleLane<T> lane{value, source, width, value};
  warp_collective(mask, &lane, {&kind, sizeof lane, run_shuffle<T, how>, &at}, at);
  return lane.result;
}

struct VoteLane {
  bool vote;
  unsigned result;
};

inline void run_vote(void* const payload[32], unsigned mask, const void*) {
  unsigned votes = 0;
  for (unsigned lane = 0; lane < 32; ++lane) {
    if ((mask >> lane & 1u) != 0 && static_cast<const VoteLane*>(payload[lane])->vote) {
      votes |= 1u << lane;
    }
  }
  for (unsigned lane = 0; lane < 32; ++lane) {
    if ((mask >> lane & 1u) != 0) {
      static_cast<VoteLane*>(payload[lane])->result = votes;
    }
  }
}

inline unsigned ballot(unsigned mask, bool vote, Loc at) {
  static constinit char kind = 0;
  VoteLane lane{vote, 0};
  warp_collective(mask, &lane, {&kind, sizeof lane, run_vote}, at);
  return lane.result;
}

}  // namespace lora::simt

inline void __syncthreads(lora::simt::Loc at = lora::simt::Loc::current()) { lora::simt::sync_block(false, at); }
inline int __syncthreads_count(int vote, lora::simt::Loc at = lora::simt::Loc::current()) {
  return lora::simt::sync_block(vote != 0, at).count;
}
inline int __syncthreads_and(int vote, lora::simt::Loc at = lora::simt::Loc::current()) {
  return lora::simt::sync_block(vote != 0, at).all ? 1 : 0;
}
inline int __syncthreads_or(int vote, lora::simt::Loc at = lora::simt::Loc::current()) {
  return lora::simt::sync_block(vote != 0, at).any ? 1 : 0;
}
inline void __syncwarp(unsigned mask = 0xffffffffu, lora::simt::Loc at = lora::simt::Loc::current()) {
  static constinit char kind = 0;
  char nothing = 0;
  lora::simt::warp_collective(mask, &nothing, {&kind, 1, nullptr, nullptr, true}, at);
}

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, lora::simt::Loc at = lora::simt::Loc::current()) {
  return lora::simt::shuffle<lora::simt::Shuffle::index>(mask, value, source, width, at);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, lora::simt::Loc at = lora::simt::Loc::current()) {
  return lora::simt::shuffle<lora::simt::Shuffle::up>(mask, value, static_cast<int>(delta), width, at);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, lora::simt::Loc at = lora::simt::Loc::current()) {
  return lora::simt::shuffle<lora::simt::Shuffle::down>(mask, value, static_cast<int>(delta), width, at);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, lora::simt::Loc at = lora::simt::Loc::current()) {
  return lora::simt::shuffle<lora::simt::Shuffle::exclusive_or>(mask, value, lanes, width, at);
}

inline unsigned __ballot_sync(unsigned mask, int vote, lora::simt::Loc at = lora::simt::Loc::current()) {
  return lora::simt::ballot(mask, vote != 0, at);
}
inline int __any_sync(unsigned mask, int vote, lora::simt::Loc at = lora::simt::Loc::current()) {
  return lora::simt::ballot(mask, vote != 0, at) != 0 ? 1 : 0;
}
inline int __all_sync(unsigned mask, int vote, lora::simt::Loc at = lora::simt::Loc::current()) {
  return (~lora::simt::ballot(mask, vote != 0, at) & mask) == 0 ? 1 : 0;
}
