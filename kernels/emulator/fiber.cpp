#include "kernels/emulator/fiber.hpp"

#include <sys/mman.h>

#include <boost/context/detail/fcontext.hpp>

#include "core/base/error.hpp"
#include "kernels/emulator/sanitizers.hpp"

namespace lora::simt {

namespace {

using boost::context::detail::jump_fcontext;
using boost::context::detail::make_fcontext;
using boost::context::detail::transfer_t;

constexpr std::size_t kPage = 4096;
constexpr std::size_t kStackBytes = (kAsan || kTsan ? 256u : 64u) << 10;  // sanitized frames are several times as large
constexpr std::size_t kColour = 192, kColours = kPage / kColour;

}  // namespace

/// Where a prepared fiber begins.
struct Fiber::Entry {
  static void run(transfer_t transfer) {
    Fiber& fiber = *static_cast<Fiber*>(transfer.data);
    fiber.arrive(transfer.fctx);
    fiber.entry_();
  }
};

Fiber::Fiber(std::size_t number) {
  void* const memory = mmap(nullptr, kStackBytes + 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  require(memory != MAP_FAILED, "emulator", "no memory for the stack of fiber ", number, "; run with fewer threads");
  mapped_ = static_cast<std::byte*>(memory);
  mprotect(mapped_, kPage, PROT_NONE);  // an overflow ends the program here and not in a neighbour's stack
  base_ = mapped_ + kPage;
  size_ = kStackBytes + kPage - number % kColours * kColour;
#ifdef LORA_SIMT_TSAN
  tsan_ = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
  if (mapped_ == nullptr) {
    return;
  }
#ifdef LORA_SIMT_TSAN
  void* const here = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(tsan_, 0);
  __tsan_switch_to_fiber(here, 0);  // what it did comes before what follows
  __tsan_destroy_fiber(tsan_);
#endif
  unpoison(mapped_ + kPage, kStackBytes + kPage);
  munmap(mapped_, kStackBytes + 2 * kPage);
}

void Fiber::prepare(void (*entry)()) {
  unpoison(mapped_ + kPage, kStackBytes + kPage);  // frames that were abandoned left their redzones
  entry_ = entry;
  fake_stack_ = nullptr;
  context_ = make_fcontext(mapped_ + kPage + size_, size_, Entry::run);
}

void Fiber::adopt() {
#ifdef LORA_SIMT_TSAN
  tsan_ = __tsan_get_current_fiber();
#endif
}

void Fiber::switch_to(Fiber& next, [[maybe_unused]] bool for_good) {
  next.former_ = this;
#ifdef LORA_SIMT_ASAN
  __sanitizer_start_switch_fiber(for_good ? nullptr : &fake_stack_, next.base_, next.size_);
#endif
#ifdef LORA_SIMT_TSAN
  __tsan_switch_to_fiber(next.tsan_, __tsan_switch_to_fiber_no_sync);
#endif
  arrive(jump_fcontext(next.context_, &next).fctx);
}

void Fiber::arrive(void* context_of_former) {
  former_->context_ = context_of_former;
#ifdef LORA_SIMT_ASAN
  const void* base = nullptr;
  std::size_t size = 0;
  __sanitizer_finish_switch_fiber(fake_stack_, &base, &size);
  if (former_->mapped_ == nullptr) {  // of an OS thread only the sanitizer knows where its stack lies
    former_->base_ = base;
    former_->size_ = size;
  }
#endif
}

}  // namespace lora::simt
