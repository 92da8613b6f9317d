#include "kernels/emulator/report.hpp"

#include <algorithm>
#include <ostream>
#include <sstream>
#include <utility>

#include "kernels/emulator/sanitizers.hpp"

namespace lora::simt {

namespace {

struct Place {
  Loc at;
};

/// The last parts of the path, whatever folder the compiler was called in.
std::string_view short_path(std::string_view path) {
  std::size_t begin = path.size();
  for (int parts = 0; parts < 3 && begin != std::string_view::npos && begin > 0; ++parts) {
    begin = path.rfind('/', begin - 1);
  }
  return begin == std::string_view::npos || begin == path.size() ? path : path.substr(begin + 1);
}

std::ostream& operator<<(std::ostream& out, const Place& place) { return out << short_path(place.at.file) << ':' << place.at.line; }

std::ostream& operator<<(std::ostream& out, const uint3& i) { return out << '(' << i.x << ',' << i.y << ',' << i.z << ')'; }

const char* name(State state) {
  switch (state) {
    case State::at_barrier: return "at __syncthreads";
    case State::at_collective: return "at an operation of their warp";
    case State::exited: return "exited";
    default: return "ready";
  }
}

/// Threads that are in one state at one place.
struct Crowd {
  State state;
  Loc at;
  unsigned count, first;
};

bool belongs(const Thread& thread, const Crowd& crowd) {
  return thread.state == crowd.state && (thread.state == State::exited || same_place(thread.at, crowd.at));
}

std::vector<Crowd> crowds(const Block& block) {
  std::vector<Crowd> all;
  for (const Thread& thread : block.threads) {
    const auto crowd = std::find_if(all.begin(), all.end(), [&](const Crowd& known) { return belongs(thread, known); });
    if (crowd == all.end()) {
      all.push_back({thread.state, thread.at, 1, thread.number});
    } else {
      ++crowd->count;
    }
  }
  return all;
}

std::ostream& operator<<(std::ostream& out, const Crowd& crowd) {
  out << crowd.count << (crowd.count == 1 ? " thread " : " threads ") << name(crowd.state);
  if (crowd.state != State::exited) {
    out << ' ' << Place{crowd.at};
  }
  return out << " (the first is thread " << crowd.first << ')';
}

}  // namespace

bool same_place(const Loc& a, const Loc& b) { return a.line == b.line && (a.file == b.file || std::string_view(a.file) == b.file); }

std::string describe_thread(const Block& block, const Thread& thread, std::string_view what, Loc at) {
  const Quiet quiet;
  std::ostringstream text;
  text << "block " << block.index << ", thread " << thread.index << ": " << what;
  if (at.line > 0) {
    text << " at " << Place{at};
  }
  return std::move(text).str();
}

std::string describe_deadlock(const Block& block) {
  const Quiet quiet;
  std::ostringstream text;
  text << "block " << block.index << ": the threads wait for each other: ";
  const char* separator = "";
  for (const Crowd& crowd : crowds(block)) {
    text << separator << crowd;
    separator = "; ";
  }
  text << "; let all threads of a block reach a barrier, and all lanes of a mask the operation of their warp";
  return std::move(text).str();
}

std::string describe_other_barrier(Block& block, Loc at) {
  const Quiet quiet;
  std::ostringstream what;
  what << "__syncthreads while other threads of the block wait at that of " << Place{block.barrier.at};
  return describe_thread(block, block.thread(), std::move(what).str(), at);
}

std::string describe_damage(const Block& block) {
  std::ostringstream text;
  text << "block " << block.index << ": a shared array was written past its end; the address sanitizer says where";
  return std::move(text).str();
}

}  // namespace lora::simt
