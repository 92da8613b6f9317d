#include "kernels/emulator/async_copy.hpp"

#include <cstring>

#include "kernels/emulator/sanitizers.hpp"

namespace lora::simt {

namespace {

void complete(const AsyncCopy& copy) {
  note_read(copy.source, copy.src_bytes);
  note_write(copy.destination, copy.bytes);
  const Quiet quiet;
  std::memcpy(copy.destination, copy.source, copy.src_bytes);
  std::memset(static_cast<std::byte*>(copy.destination) + copy.src_bytes, 0, copy.bytes - copy.src_bytes);
}

}  // namespace

void AsyncCopies::issue(const AsyncCopy& copy) {
  note_write(copy.destination, copy.bytes);
  const Quiet quiet;
  std::memset(copy.destination, 0xff, copy.bytes);
  copies_.push_back(copy);
}

void AsyncCopies::commit() {
  const Quiet quiet;
  groups_.push_back(copies_.size());
}

void AsyncCopies::wait(std::size_t pending) {
  if (groups_.size() <= pending) {
    return;
  }
  const std::size_t groups = groups_.size() - pending, copies = groups_[groups - 1];
  for (std::size_t i = 0; i < copies; ++i) {
    complete(copies_[i]);
  }
  const Quiet quiet;
  copies_.erase(copies_.begin(), copies_.begin() + static_cast<std::ptrdiff_t>(copies));
  groups_.erase(groups_.begin(), groups_.begin() + static_cast<std::ptrdiff_t>(groups));
  for (std::size_t& end : groups_) {
    end -= copies;
  }
}

void AsyncCopies::finish() {
  for (const AsyncCopy& copy : copies_) {
    complete(copy);
  }
  clear();
}

void AsyncCopies::clear() {
  copies_.clear();
  groups_.clear();
}

}  // namespace lora::simt
