#pragma once
// The asynchronous copies of one thread that are on their way.

#include <cstddef>
#include <vector>

namespace lora::simt {

struct AsyncCopy {
  void* destination;
  const void* source;
  unsigned bytes, src_bytes;
};

class AsyncCopies {
 public:
  void issue(const AsyncCopy& copy);
  void commit();
  /// Completes all but the newest `pending` groups.
  void wait(std::size_t pending);
  /// Completes everything, as hardware does before a thread ends.
  void finish();
  void clear();

 private:
  std::vector<AsyncCopy> copies_;
  std::vector<std::size_t> groups_;  // the end of each in copies_
};

}  // namespace lora::simt
