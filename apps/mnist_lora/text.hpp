#pragma once
// Numbers as people read them: in tables, figures and messages.

#include <cstdint>
#include <string>
#include <string_view>

namespace mnist_lora {

/// `98.12` for (98.123, 2). Not finite: `-`.
std::string fixed(double value, int decimals);

/// As a plotting program and JSON read it: shortest exact form, `NaN` where not finite.
std::string exact(double value);

/// Three digits that matter: `0.00123`, `1.23e-06`. Not finite: `-`.
std::string short_number(double value);

/// `55,050`
std::string grouped(std::int64_t value);

/// `850 ms`, `12.3 s`, `4 min 07 s`, `1 h 02 min`
std::string duration(double seconds);

/// `512 B`, `12.3 KiB`, `4.0 MiB`
std::string bytes(std::uint64_t count);

/// Characters on screen: UTF-8 code points.
std::size_t display_width(std::string_view utf8);

}  // namespace mnist_lora
