#pragma once
// The one error type of the library and the one way to raise it.

#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace lora {

/// Every error that a caller can cause. The text reads `[where] fact; remedy`, where tensors print as `dtype[shape]@device`.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws Error("[where] " + parts, each written with operator<<).
template <class... Parts>
[[noreturn]] void fail(std::string_view where, const Parts&... parts) {
  std::ostringstream text;
  ((text << '[' << where << "] ") << ... << parts);
  throw Error(std::move(text).str());
}

/// Calls fail() unless `ok`. The parts are only formatted on failure.
template <class... Parts>
void require(bool ok, std::string_view where, const Parts&... parts) {
  if (!ok) [[unlikely]] {
    fail(where, parts...);
  }
}

}  // namespace lora
