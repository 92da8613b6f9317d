#pragma once
// Sets of the ten digits, as experiments on parts of a data set need them.

#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <string>
#include <string_view>

namespace lora::datasets {

/// A set of digits 0..9. A value.
class DigitSet {
 public:
  /// The empty set.
  DigitSet() = default;
  /// @throws Error if one is not in 0..9
  DigitSet(std::initializer_list<int> digits);

  /// All ten.
  static DigitSet all();
  /// Reads digits and ranges separated by commas: `0-4`, `3,6,8`, `0-4,7`. Order and repetition do not matter.
  /// @throws Error quoting the text and the part of it that is wrong
  static DigitSet parse(std::string_view text);

  void add(int digit);
  bool contains(int digit) const { return digit >= 0 && digit <= 9 && ((mask_ >> digit) & 1u) != 0; }
  DigitSet complement() const;
  int size() const;
  bool empty() const { return mask_ == 0; }

  /// Sorted, runs of three or more as a range: `0-4`, `3,6,8`, `0,1`, `0-2,7,8`; the empty set is `none`.
  std::string str() const;

  friend bool operator==(const DigitSet&, const DigitSet&) = default;
  friend std::ostream& operator<<(std::ostream& out, const DigitSet& set) { return out << set.str(); }

 private:
  std::uint32_t mask_ = 0;  // bit d stands for digit d
};

}  // namespace lora::datasets
