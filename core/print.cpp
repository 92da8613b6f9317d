#include "core/print.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <vector>

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/join.hpp"
#include "core/ops/view.hpp"

namespace lora {

namespace {

using Texts = std::vector<std::string>;

std::string formatted(const char* format, int precision, double value) {
  std::array<char, 512> text{};  // 309 digits before the point at most
  std::snprintf(text.data(), text.size(), format, precision, value);
  return text.data();
}

/// How all real numbers of a tensor are written.
struct Notation {
  bool whole = true;        // no fractions: `3.`
  bool scientific = false;  // 3.0000e+08
};

Notation notation_of(const std::vector<double>& values) {
  Notation notation;
  double smallest = HUGE_VAL, largest = 0.0;
  for (const double value : values) {
    if (std::isfinite(value) && value != 0.0) {
      notation.whole = notation.whole && value == std::nearbyint(value);
      smallest = std::min(smallest, std::abs(value));
      largest = std::max(largest, std::abs(value));
    }
  }
  if (largest > 0.0) {
    notation.scientific = largest / smallest > 1000.0 || largest > 1e8 || (!notation.whole && smallest < 1e-4);
  }
  return notation;
}

std::string real_text(double value, const Notation& notation, int precision) {
  if (std::isnan(value)) {
    return "nan";
  }
  if (std::isinf(value)) {
    return value > 0 ? "inf" : "-inf";
  }
  if (notation.scientific) {
    return formatted("%.*e", precision, value);
  }
  return notation.whole ? formatted("%.*f", 0, value) + "." : formatted("%.*f", precision, value);
}

/// The elements in row-major order, all of one width.
Texts element_texts(const Tensor& x, int precision) {
  Texts texts;
  if (is_floating(x.dtype())) {
    const auto values = x.to_vector<double>();
    const Notation notation = notation_of(values);
    for (const double value : values) {
      texts.push_back(real_text(value, notation, precision));
    }
  } else {
    for (const std::int64_t value : x.to_vector<std::int64_t>()) {
      texts.push_back(x.dtype() != DType::boolean ? std::to_string(value) : value != 0 ? "True" : "False");
    }
  }
  std::size_t width = 0;
  for (const std::string& text : texts) {
    width = std::max(width, text.size());
  }
  for (std::string& text : texts) {
    text.insert(0, width - text.size(), ' ');
  }
  return texts;
}

/// The elements that are printed of a large tensor: the ends of every axis that is abbreviated.
Tensor ends_of(const Tensor& x, Index edge) {
  Tensor ends = x;
  for (int axis = 0; axis < x.ndim(); ++axis) {
    const Index size = x.shape()[axis];
    if (size / 2 >= edge && size > 2 * edge) {
      ends = cat({narrow(ends, axis, 0, edge), narrow(ends, axis, size - edge, edge)}, axis);
    }
  }
  return ends;
}

/// Puts the texts of the printed elements in rows.
class Rows {
 public:
  /// @param shape  of the tensor. @param texts  of what ends_of() leaves of it, all of it if `edge` is 0
  Rows(const Shape& shape, const Texts& texts, Index edge, Index line_width)
      : shape_(shape), texts_(texts), edge_(edge), line_width_(line_width) {}

  /// Everything below axis `axis`, the next elements in turn; `indent` characters stand before it on its line.
  std::string block(int axis, Index indent) {
    if (axis == shape_.ndim()) {
      return texts_[next_++];
    }
    return axis + 1 == shape_.ndim() ? row(indent) : blocks(axis, indent);
  }

 private:
  bool abbreviated(Index size) const { return edge_ > 0 && size / 2 >= edge_ && size > 2 * edge_; }
  Index printed(Index size) const { return abbreviated(size) ? 2 * edge_ : size; }

  std::string row(Index indent) {
    const Index size = shape_.back(), width = static_cast<Index>(texts_[next_].size()) + 2;
    const Index per_line = std::max<Index>(1, (line_width_ - indent) / width);
    Texts items;
    for (Index i = 0; i < printed(size); ++i) {
      if (abbreviated(size) && i == edge_) {
        items.emplace_back(" ...");
      }
      items.push_back(texts_[next_++]);
    }
    std::string text = "[";
    for (std::size_t i = 0; i < items.size(); ++i) {
      const bool breaks = i > 0 && static_cast<Index>(i) % per_line == 0;
      text += i == 0 ? "" : breaks ? ",\n" + spaces(indent + 1) : ", ";
      text += items[i];
    }
    return text + "]";
  }

  std::string blocks(int axis, Index indent) {
    const std::string between = "," + std::string(static_cast<std::size_t>(shape_.ndim() - axis - 1), '\n') + spaces(indent + 1);
    std::string text = "[";
    for (Index i = 0; i < printed(shape_[axis]); ++i) {
      text += i == 0 ? "" : between;
      text += abbreviated(shape_[axis]) && i == edge_ ? "..." + between : "";
      text += block(axis + 1, indent + 1);
    }
    return text + "]";
  }

  static std::string spaces(Index n) { return std::string(static_cast<std::size_t>(n), ' '); }

  const Shape& shape_;
  const Texts& texts_;
  Index edge_, line_width_;
  std::size_t next_ = 0;
};

/// As operator<< writes it.
template <class T>
std::string text_of(const T& value) {
  std::ostringstream text;
  text << value;
  return std::move(text).str();
}

}  // namespace

std::string to_string(const Tensor& tensor, const PrintOptions& options) {
  require(options.precision >= 0 && options.precision <= 17, "to_string", "the precision must be 0 to 17, got ", options.precision);
  require(options.edge_items >= 1 && options.line_width >= 1, "to_string", "edge_items and line_width must be at least 1, got ",
          options.edge_items, " and ", options.line_width);
  if (!tensor.defined()) {
    return "undefined tensor";
  }
  constexpr std::string_view kPrefix = "tensor(";
  const bool usual = tensor.dtype() == DType::f32 || tensor.dtype() == DType::i64 || tensor.dtype() == DType::boolean;
  const std::string place = tensor.device() == kCpu ? "" : ", device='" + text_of(tensor.device()) + "'";
  const std::string end = (usual ? "" : ", dtype=" + std::string(name(tensor.dtype()))) + ")";
  if (tensor.numel() == 0) {
    return std::string(kPrefix) + "[]" + place + (tensor.ndim() == 1 ? "" : ", size=" + text_of(tensor.shape())) + end;
  }
  const NoGrad no_grad;
  const Index edge = tensor.numel() > options.threshold ? options.edge_items : 0;
  const Texts texts = element_texts(edge > 0 ? ends_of(tensor, edge) : tensor, options.precision);
  return std::string(kPrefix) + Rows(tensor.shape(), texts, edge, options.line_width).block(0, static_cast<Index>(kPrefix.size())) + place +
         end;
}

}  // namespace lora
