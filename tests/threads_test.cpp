#include "core/base/threads.hpp"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstddef>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/error.hpp"

using lora::Index;
using lora::parallel_for;

namespace {

/// Sets the number of threads and puts the old one back.
class Threads {
 public:
  explicit Threads(int n) : before_(lora::num_threads()) { lora::set_num_threads(n); }
  ~Threads() { lora::set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

/// The pieces that parallel_for ran, by their begin.
std::vector<std::pair<Index, Index>> pieces_of(Index n, Index grain) {
  std::mutex mutex;
  std::vector<std::pair<Index, Index>> pieces;
  parallel_for(n, grain, [&](Index begin, Index end) {
    const std::lock_guard lock(mutex);
    pieces.emplace_back(begin, end);
  });
  std::sort(pieces.begin(), pieces.end());
  return pieces;
}

std::vector<std::pair<Index, Index>> expected_pieces(Index n, Index grain) {
  std::vector<std::pair<Index, Index>> pieces;
  for (Index begin = 0; begin < n; begin += grain) {
    pieces.emplace_back(begin, std::min(n, begin + grain));
  }
  return pieces;
}

/// A sum whose rounding depends on how it is cut, made from one partial sum a piece.
double cut_sum(Index n, Index grain) {
  std::vector<double> partial(static_cast<std::size_t>((n + grain - 1) / grain));
  parallel_for(n, grain, [&](Index begin, Index end) {
    double sum = 0;
    for (Index i = begin; i < end; ++i) {
      sum += 1.0 / static_cast<double>(i + 1);
    }
    partial[static_cast<std::size_t>(begin / grain)] = sum;
  });
  double sum = 0;
  for (const double part : partial) {
    sum += part;
  }
  return sum;
}

}  // namespace

TEST_CASE("threads: pieces cover the range once, whatever the number of threads", "[threads]") {
  const Threads threads(GENERATE(1, 2, 3, 64));
  const Index n = GENERATE(0, 1, 2, 31, 32, 33, 1023, 1024, 1025);
  const Index grain = GENERATE(1, 2, 7, 32, 1024, 5000);
  CAPTURE(lora::num_threads(), n, grain);
  CHECK(pieces_of(n, grain) == expected_pieces(n, grain));
}

TEST_CASE("threads: a grain below one counts as one", "[threads]") {
  const Threads threads(2);
  CHECK(pieces_of(3, 0) == expected_pieces(3, 1));
  CHECK(pieces_of(3, -5) == expected_pieces(3, 1));
  CHECK(pieces_of(-3, 2).empty());
}

TEST_CASE("threads: many regions in a row lose no piece", "[threads]") {
  const Threads threads(GENERATE(2, 3));
  std::atomic<Index> sum{0};
  for (int i = 0; i < 2000; ++i) {
    parallel_for(8, 1, [&](Index begin, Index) { sum.fetch_add(begin, std::memory_order_relaxed); });
  }
  CHECK(sum.load() == 2000 * 28);
}

TEST_CASE("threads: more than one thread takes part", "[threads]") {
  const Threads threads(2);
  std::atomic<int> inside{0};
  parallel_for(2, 1, [&](Index, Index) {
    ++inside;
    while (inside.load() < 2) {  // ends only if the other piece runs at the same time
      std::this_thread::yield();
    }
  });
  CHECK(inside.load() == 2);
}

TEST_CASE("threads: the exception of the lowest piece comes out, and the pool goes on", "[threads]") {
  const Threads threads(GENERATE(1, 2, 3, 64));
  for (int round = 0; round < 20; ++round) {
    std::string what;
    try {
      parallel_for(100, 1, [](Index begin, Index) {
        if (begin >= 17) {
          throw std::runtime_error(std::to_string(begin));
        }
      });
    } catch (const std::runtime_error& error) {
      what = error.what();
    }
    REQUIRE(what == "17");
  }
  CHECK(pieces_of(10, 3) == expected_pieces(10, 3));
}

TEST_CASE("threads: nested regions run on the calling thread with the same pieces", "[threads]") {
  const Threads threads(3);
  std::atomic<int> wrong{0};
  parallel_for(6, 1, [&](Index, Index) {
    const auto me = std::this_thread::get_id();
    std::vector<std::pair<Index, Index>> pieces;
    parallel_for(10, 4, [&](Index begin, Index end) {
      wrong += std::this_thread::get_id() == me ? 0 : 1;
      pieces.emplace_back(begin, end);
    });
    wrong += pieces == expected_pieces(10, 4) ? 0 : 1;
  });
  CHECK(wrong.load() == 0);
}

TEST_CASE("threads: several threads may call at once", "[threads]") {
  const Threads threads(GENERATE(1, 2, 3));
  std::atomic<Index> sum{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        parallel_for(16, 1, [&](Index begin, Index) { sum.fetch_add(begin, std::memory_order_relaxed); });
      }
    });
  }
  for (std::thread& caller : callers) {
    caller.join();
  }
  CHECK(sum.load() == 4 * 200 * 120);
}

TEST_CASE("threads: results have the same bits for any number of threads", "[threads]") {
  double reference = 0;
  {
    const Threads one(1);
    reference = cut_sum(100000, 777);
  }
  const Threads threads(GENERATE(2, 3, 64));
  CHECK(cut_sum(100000, 777) == reference);
}

TEST_CASE("threads: the number can be set, within bounds and outside of regions", "[threads]") {
  const Threads threads(2);
  lora::set_num_threads(5);
  CHECK(lora::num_threads() == 5);
  CHECK_THROWS_WITH(lora::set_num_threads(0), Catch::Contains("[set_num_threads] got 0 threads"));
  CHECK_THROWS_AS(lora::set_num_threads(1 << 20), lora::Error);
  const auto set_inside = [] { parallel_for(4, 1, [](Index, Index) { lora::set_num_threads(2); }); };
  CHECK_THROWS_WITH(set_inside(), Catch::Contains("inside parallel_for"));
  CHECK(lora::num_threads() == 5);
}
