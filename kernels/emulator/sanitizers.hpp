#pragma once
// What the engine tells the sanitizers about fibers and shared memory; without them all of it is empty. For the engine's sources alone.

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define LORA_SIMT_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LORA_SIMT_ASAN
#endif
#endif

#ifdef LORA_SIMT_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#ifdef LORA_SIMT_TSAN
#include <sanitizer/tsan_interface.h>

extern "C" {
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
void __tsan_read_range(void* address, unsigned long bytes);
void __tsan_write_range(void* address, unsigned long bytes);
}
#endif

namespace lora::simt {

#ifdef LORA_SIMT_ASAN
inline constexpr bool kAsan = true;
inline void poison(void* p, std::size_t bytes) { __asan_poison_memory_region(p, bytes); }
inline void unpoison(void* p, std::size_t bytes) { __asan_unpoison_memory_region(p, bytes); }
#else
inline constexpr bool kAsan = false;
inline void poison(void*, std::size_t) {}
inline void unpoison(void*, std::size_t) {}
#endif

#ifdef LORA_SIMT_TSAN
inline constexpr bool kTsan = true;
/// What happened before release(clock) happened before what follows a later acquire(clock).
inline void release(char* clock) { __tsan_release(clock); }
inline void acquire(char* clock) { __tsan_acquire(clock); }
inline void note_read(const void* p, std::size_t bytes) { __tsan_read_range(const_cast<void*>(p), bytes); }
inline void note_write(void* p, std::size_t bytes) { __tsan_write_range(p, bytes); }

/// While one lives, what the engine allocates and writes is no access of the CUDA thread it runs for.
class Quiet {
 public:
  Quiet() {
    AnnotateIgnoreReadsBegin("", 0);
    AnnotateIgnoreWritesBegin("", 0);
  }
  ~Quiet() {
    AnnotateIgnoreWritesEnd("", 0);
    AnnotateIgnoreReadsEnd("", 0);
  }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;
};
#else
inline constexpr bool kTsan = false;
inline void release(char*) {}
inline void acquire(char*) {}
inline void note_read(const void*, std::size_t) {}
inline void note_write(void*, std::size_t) {}

class Quiet {
 public:
  Quiet() {}
};
#endif

}  // namespace lora::simt
