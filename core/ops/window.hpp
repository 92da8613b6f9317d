#pragma once
// Sizes of windows that slide over images, as convolution and pooling take them.

#include <ostream>

#include "core/base/shape.hpp"

namespace lora {

/// A number for the height and one for the width; one number stands for both.
struct Size2d {
  Index h, w;
  Size2d(Index both) : h(both), w(both) {}
  Size2d(Index height, Index width) : h(height), w(width) {}
};

inline bool operator==(const Size2d& a, const Size2d& b) { return a.h == b.h && a.w == b.w; }

/// Prints `(2, 2)`.
inline std::ostream& operator<<(std::ostream& out, const Size2d& size) { return out << '(' << size.h << ", " << size.w << ')'; }

}  // namespace lora
