// What the running thread asks its block for, barriers aside.

#include <atomic>
#include <cstdint>

#include "kernels/emulator/report.hpp"
#include "kernels/emulator/sanitizers.hpp"

namespace lora::simt {

void fail(std::string_view what, Loc at) {
  Block& block = *current_block;
  block.abandon(describe_thread(block, block.thread(), what, at));
}

void* shared_array(const void* site, std::size_t bytes, std::size_t align) {
  void* const array = current_block->shared.array(site, bytes, align);
  if (array == nullptr) {
    fail("the shared arrays of the block take more than 48 KiB", {});
  }
  return array;
}

void* dynamic_shared() { return current_block->shared.dynamic(); }

void cp_async(void* destination, const void* source, unsigned bytes, unsigned src_bytes, Loc at) {
  Block& block = *current_block;
  if ((bytes != 4 && bytes != 8 && bytes != 16) || src_bytes > bytes) {
    fail("cp.async copies 4, 8 or 16 bytes", at);
  }
  if (reinterpret_cast<std::uintptr_t>(destination) % bytes != 0 || reinterpret_cast<std::uintptr_t>(source) % bytes != 0) {
    fail("cp.async with an address that is no multiple of its size", at);
  }
  if (!block.shared.holds(destination, bytes)) {
    fail("cp.async to what is no shared memory", at);
  }
  block.copies[block.thread().number].issue({destination, source, bytes, src_bytes});
}

void cp_async_commit() { current_block->copies[current_block->thread().number].commit(); }

void cp_async_wait(unsigned pending) { current_block->copies[current_block->thread().number].wait(pending); }

void thread_fence() { std::atomic_thread_fence(std::memory_order_seq_cst); }

}  // namespace lora::simt
