#pragma once
// What the emulated language is made of: barriers, warp collectives, shared memory and asynchronous copies of the running CUDA thread.

#include <cstddef>
#include <string_view>

namespace lora::simt {

/// A place in a source file. clang 14 has no std::source_location.
struct Loc {
  const char* file = "";
  unsigned line = 0;
  static constexpr Loc current(const char* file = __builtin_FILE(), unsigned line = __builtin_LINE()) { return {file, line}; }
};

/// Ends the launch with an Error that names the kernel, the block, the thread and the place.
[[noreturn]] void fail(std::string_view what, Loc at);

/// What __syncthreads_count, _and and _or return.
struct Votes {
  int count = 0;
  bool all = true, any = false;
};

/// Waits for all threads of the block.
Votes sync_block(bool vote, Loc at);

/// What the last arriving lane does for all: payload[lane] is what the lane passed, for the lanes of `mask`. It may call fail().
using WarpExec = void (*)(void* const payload[32], unsigned mask, const void* aux);

/// Something that the lanes of a warp do together. Its kinds differ by address.
struct Collective {
  const void* kind;        ///< lanes that wait for each other must agree on it
  unsigned payload_bytes;  ///< at most kMaxPayload
  WarpExec exec;           ///< null: they only wait
  const void* aux = nullptr;
  bool memory_order = false;  ///< what lanes wrote before is seen by the others after, as with __syncwarp; shuffles do not do that
};
inline constexpr unsigned kMaxPayload = 128;

/// Every lane of `mask` calls it with its payload; the last one runs exec for all of them, whose results lie in the payloads on return.
void warp_collective(unsigned mask, void* payload, const Collective& what, Loc at);

/// Zeroed by nobody: a block finds NaN (bytes 0xff) there. @param site  which array of the block it is
void* shared_array(const void* site, std::size_t bytes, std::size_t align);
/// Aligned to 128 bytes and never to more, so that who needs more is found out.
void* dynamic_shared();

/// Begins to copy `src_bytes` from global to shared memory and to zero the rest of `bytes` (4, 8 or 16, and both addresses are multiples
/// of it). Until a wait, the destination holds NaN: its bytes arrive as late as the program allows.
void cp_async(void* destination, const void* source, unsigned bytes, unsigned src_bytes, Loc at = Loc::current());
/// The copies of this thread since the last commit become one group.
void cp_async_commit();
/// Waits for all but the newest `pending` groups of this thread. Other threads see the bytes after a barrier.
void cp_async_wait(unsigned pending);

/// Orders this thread's accesses as seen by others.
void thread_fence();

}  // namespace lora::simt
