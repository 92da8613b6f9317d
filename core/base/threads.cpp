#include "core/base/threads.hpp"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "core/base/error.hpp"

namespace lora {
namespace {

constexpr int kMaxThreads = 1024;
constexpr int kLongSpin = 20000;  // pauses; about 0.3 ms, longer than the serial code between two regions
constexpr int kShortSpin = 50;    // where threads outnumber cores a spinning thread keeps a working one from running

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// Cores that this process may run on.
int available_cores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    return std::max(1, CPU_COUNT(&set));
  }
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

/// The thread count in environment variable `name`, or 0 where it is unset or empty.
int threads_from(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') {
    return 0;
  }
  const std::string_view all(value);
  const std::string_view text = all.substr(0, all.find(','));  // OpenMP allows one number a nesting level: the first counts
  int n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  const bool parsed = error == std::errc() && end == text.data() + text.size();
  require(parsed && n >= 1 && n <= kMaxThreads, "threads", "environment variable ", name, " is '", value,
          "'; set it to a whole number from 1 to ", kMaxThreads, " or unset it");
  return n;
}

int initial_threads() {
  if (const int n = threads_from("LORA_NUM_THREADS"); n > 0) {
    return n;
  }
  if (const int n = threads_from("OMP_NUM_THREADS"); n > 0) {
    return n;
  }
  return available_cores();
}

thread_local bool in_region = false;

/// Marks this thread as running pieces.
class RegionMark {
 public:
  RegionMark() : before_(in_region) { in_region = true; }
  ~RegionMark() { in_region = before_; }
  RegionMark(const RegionMark&) = delete;
  RegionMark& operator=(const RegionMark&) = delete;

 private:
  bool before_;
};

/// One call of parallel_for: its pieces, and the exception of the lowest piece that threw.
class Job {
 public:
  Job(Index n, Index grain, detail::RangeFn fn, const void* context)
      : n_(n), grain_(grain), pieces_((n - 1) / grain + 1), fn_(fn), context_(context) {}

  /// Runs pieces until none is left. Pieces are handed out in order, so every piece below one that throws is run as well.
  void work() noexcept {
    const RegionMark mark;
    for (Index i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < pieces_;) {
      try {
        fn_(context_, i * grain_, i == pieces_ - 1 ? n_ : (i + 1) * grain_);
      } catch (...) {
        keep(i, std::current_exception());
        next_.store(pieces_, std::memory_order_relaxed);
      }
    }
  }

  void rethrow() const {
    if (error_ != nullptr) {
      std::rethrow_exception(error_);
    }
  }

 private:
  void keep(Index piece, std::exception_ptr error) {
    const std::lock_guard lock(mutex_);
    if (error_ == nullptr || piece < failed_) {
      error_ = std::move(error);
      failed_ = piece;
    }
  }

  const Index n_, grain_, pieces_;
  const detail::RangeFn fn_;
  const void* const context_;
  alignas(64) std::atomic<Index> next_{0};
  std::mutex mutex_;
  std::exception_ptr error_;
  Index failed_ = 0;
};

/// Worker threads beside the caller. One job at a time; a worker that comes late finds the job closed and is not waited for.
class Pool {
 public:
  explicit Pool(int threads) : spin_(threads > available_cores() ? kShortSpin : kLongSpin) {
    try {
      for (int i = 1; i < threads; ++i) {
        workers_.emplace_back([this] { serve(); });
      }
    } catch (const std::system_error&) {
      // The system has no more threads to give: fewer do the same work.
    }
  }

  ~Pool() {
    stop_.store(true, std::memory_order_relaxed);
    wake();
    for (std::thread& worker : workers_) {
      worker.join();
    }
  }

  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Runs all pieces of `job`; the calling thread takes part.
  void run(Job& job) {
    job_ = &job;
    left_.store(0, std::memory_order_relaxed);
    const std::uint64_t turn = turn_.load(std::memory_order_relaxed) + 1u;
    gate_.store((turn & 0xffffffffu) << 32, std::memory_order_release);
    wake();
    job.work();
    const auto entered = static_cast<std::uint32_t>(gate_.fetch_or(kClosed, std::memory_order_acq_rel)) & (kClosed - 1);
    wait_for_left(entered);
  }

 private:
  static constexpr std::uint32_t kClosed = 1u << 31;

  void wake() {
    turn_.fetch_add(1, std::memory_order_release);
    turn_.notify_all();
  }

  void serve() {
    std::uint32_t seen = 0;
    for (;;) {
      seen = next_turn(seen);
      if (stop_.load(std::memory_order_relaxed)) {
        return;
      }
      if (enter(seen)) {
        job_->work();
        left_.fetch_add(1, std::memory_order_release);
        left_.notify_all();
      }
    }
  }

  /// Waits, spinning at first, until the turn is no longer `seen`.
  std::uint32_t next_turn(std::uint32_t seen) const {
    for (int i = 0; i < spin_; ++i) {
      if (const std::uint32_t turn = turn_.load(std::memory_order_acquire); turn != seen) {
        return turn;
      }
      pause();
    }
    turn_.wait(seen, std::memory_order_acquire);
    return turn_.load(std::memory_order_acquire);
  }

  /// Joins the job of `turn` unless it is closed or over.
  bool enter(std::uint32_t turn) {
    std::uint64_t gate = gate_.load(std::memory_order_acquire);
    while ((gate >> 32) == turn && (gate & kClosed) == 0) {
      if (gate_.compare_exchange_weak(gate, gate + 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
        return true;
      }
    }
    return false;
  }

  void wait_for_left(std::uint32_t entered) const {
    for (int i = 0; i < spin_; ++i) {
      if (left_.load(std::memory_order_acquire) == entered) {
        return;
      }
      pause();
    }
    for (std::uint32_t left; (left = left_.load(std::memory_order_acquire)) != entered;) {
      left_.wait(left, std::memory_order_acquire);
    }
  }

  const int spin_;
  std::atomic<bool> stop_{false};
  Job* job_ = nullptr;
  alignas(64) std::atomic<std::uint32_t> turn_{0};  // of the newest job; what idle workers watch
  alignas(64) std::atomic<std::uint64_t> gate_{0};  // turn << 32 | closed << 31 | workers that entered
  alignas(64) std::atomic<std::uint32_t> left_{0};  // workers that are done with the job
  std::vector<std::thread> workers_;
};

/// The process's pool. Never destroyed, as static destructors of others may still compute; its threads end at exit.
struct Runtime {
  std::mutex mutex;  // held by whoever runs a region or changes the pool
  std::unique_ptr<Pool> pool;
  std::atomic<int> threads{0};  // 0: not known yet
  bool ended = false;
};

Runtime& runtime() {
  static Runtime& instance = *new Runtime;
  return instance;
}

/// The number of threads; the environment is asked once, and only if nobody has set one.
int thread_count(Runtime& r) {
  int known = r.threads.load(std::memory_order_relaxed);
  if (known == 0) {
    const int initial = initial_threads();
    known = r.threads.compare_exchange_strong(known, initial, std::memory_order_relaxed) ? initial : known;
  }
  return known;
}

/// Joins the workers at exit; regions after that run on the calling thread.
struct AtExit {
  AtExit() = default;
  AtExit(const AtExit&) = delete;
  AtExit& operator=(const AtExit&) = delete;
  ~AtExit() {
    if (in_region) {
      return;  // exit() was called by a piece: a thread cannot join itself
    }
    const std::lock_guard lock(runtime().mutex);
    runtime().pool.reset();
    runtime().ended = true;
  }
};

/// The pool, started if need be. The caller holds the runtime's mutex.
Pool* started_pool(Runtime& r) {
  const int threads = thread_count(r);
  if (r.pool == nullptr && threads > 1 && !r.ended) {
    r.pool = std::make_unique<Pool>(threads);
    static const AtExit at_exit;
  }
  return r.pool.get();
}

void run_inline(Index n, Index grain, detail::RangeFn fn, const void* context) {
  const RegionMark mark;
  for (Index begin = 0; begin < n; begin += std::min(grain, n - begin)) {
    fn(context, begin, begin + std::min(grain, n - begin));
  }
}

}  // namespace

int num_threads() { return thread_count(runtime()); }

void set_num_threads(int n) {
  require(n >= 1 && n <= kMaxThreads, "set_num_threads", "got ", n, " threads; ask for 1 to ", kMaxThreads);
  require(!in_region, "set_num_threads", "called from inside parallel_for; call it between parallel regions");
  Runtime& r = runtime();
  const std::lock_guard lock(r.mutex);
  if (r.threads.exchange(n, std::memory_order_relaxed) != n) {
    r.pool.reset();
  }
}

namespace detail {

void parallel_ranges(Index n, Index grain, RangeFn fn, const void* context) {
  if (n <= 0) {
    return;
  }
  grain = std::max<Index>(grain, 1);
  if (!in_region && n > grain) {
    Runtime& r = runtime();
    if (const std::unique_lock lock(r.mutex, std::try_to_lock); lock) {
      if (Pool* pool = started_pool(r); pool != nullptr) {
        Job job(n, grain, fn, context);
        pool->run(job);
        job.rethrow();
        return;
      }
    }
  }
  run_inline(n, grain, fn, context);
}

}  // namespace detail
}  // namespace lora
