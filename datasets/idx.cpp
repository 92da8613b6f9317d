#include "datasets/idx.hpp"

#include <algorithm>
#include <array>
#include <iomanip>
#include <span>
#include <sstream>
#include <string>

#include "core/base/error.hpp"
#include "datasets/byte_reader.hpp"

namespace lora::datasets {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kChunk = 1 << 20;
constexpr std::uint8_t kU8 = 0x08;

struct ElementType {
  std::uint8_t code;
  std::string_view name;
};
constexpr std::array<ElementType, 6> kElementTypes{{{kU8, "u8"}, {0x09, "i8"}, {0x0b, "i16"}, {0x0c, "i32"}, {0x0d, "f32"}, {0x0e, "f64"}}};

template <class... Parts>
void expect(bool ok, const fs::path& path, const Parts&... parts) {
  if (!ok) {
    fail("idx", "'", path.string(), "' ", parts...);
  }
}

std::string hex(std::span<const std::uint8_t> bytes) {
  std::ostringstream text;
  text << std::hex << std::setfill('0');
  for (const std::uint8_t byte : bytes) {
    text << std::setw(2) << int{byte} << ' ';
  }
  std::string out = text.str();
  out.pop_back();
  return out;
}

/// Reads the four bytes before the sizes. @return the number of axes
std::size_t read_magic(ByteReader& reader, const fs::path& path) {
  std::array<std::uint8_t, 4> magic{};
  const std::size_t got = reader.read(magic);
  expect(got > 0, path, "is empty; get the file again");
  expect(got == magic.size(), path, "ends within its header, after ", got, " bytes; get the file again");
  const auto* type = std::find_if(kElementTypes.begin(), kElementTypes.end(), [&](const ElementType& t) { return t.code == magic[2]; });
  expect(magic[0] == 0 && magic[1] == 0 && type != kElementTypes.end(), path, "is no IDX file: it starts with the bytes ", hex(magic),
         ", where IDX of unsigned bytes has 00 00 08 and the number of axes");
  expect(type->code == kU8, path, "holds elements of type ", type->name, " (", hex({&type->code, 1}),
         "), and only u8 (08) is read; convert it to unsigned bytes");
  expect(magic[3] >= 1 && magic[3] <= kMaxDims, path, "has ", int{magic[3]}, " axes; 1 to ", kMaxDims, " can be read");
  return magic[3];
}

Shape read_sizes(ByteReader& reader, std::size_t axes, const fs::path& path) {
  std::array<std::uint8_t, 4 * kMaxDims> raw{};
  const std::size_t got = reader.read(std::span(raw).first(4 * axes));
  expect(got == 4 * axes, path, "ends within its header, after ", 4 + got, " of ", 4 + 4 * axes, " bytes; get the file again");
  Shape shape;
  for (std::size_t i = 0; i < 4 * axes; i += 4) {
    shape.push_back((Index{raw[i]} << 24) | (Index{raw[i + 1]} << 16) | (Index{raw[i + 2]} << 8) | Index{raw[i + 3]});
  }
  return shape;
}

std::size_t byte_count(const Shape& shape, const fs::path& path) {
  Index count = 1;
  for (const Index size : shape) {
    expect(!__builtin_mul_overflow(count, size, &count), path, "claims the absurd size ", shape, " in its header; get the file again");
  }
  return static_cast<std::size_t>(count);
}

std::vector<std::uint8_t> read_values(ByteReader& reader, const Shape& shape, const fs::path& path) {
  const std::size_t expected = byte_count(shape, path);
  std::vector<std::uint8_t> values;
  while (values.size() < expected) {
    const std::size_t start = values.size();
    const std::size_t step = std::min(expected - start, kChunk);
    values.resize(start + step);
    const std::size_t got = reader.read(std::span(values).subspan(start));
    expect(got == step, path, "is cut short: expected ", expected, " bytes of data for the size ", shape, ", got ", start + got,
           "; get the file again");
  }
  std::array<std::uint8_t, 1> extra{};
  expect(reader.read(extra) == 0, path, "goes on after the ", expected, " bytes of data that its size ", shape,
         " asks for; get the file again");
  return values;
}

}  // namespace

IdxArray read_idx(const fs::path& path) {
  ByteReader reader(path);
  const std::size_t axes = read_magic(reader, path);
  const Shape shape = read_sizes(reader, axes, path);
  return {shape, read_values(reader, shape, path)};
}

fs::path find_idx(const fs::path& dir, std::string_view stem) {
  std::error_code ignored;
  require(fs::is_directory(dir, ignored), "idx", "there is no folder '", dir.string(), "'; name the folder that has the IDX files");
  const std::string dashed(stem);
  std::string dotted = dashed;
  if (const std::size_t at = dotted.rfind("-idx"); at != std::string::npos) {
    dotted[at] = '.';
  }
  const std::array<std::string, 4> names{dashed, dashed + ".gz", dotted, dotted + ".gz"};
  for (const std::string& name : names) {
    if (fs::is_regular_file(dir / name, ignored)) {
      return dir / name;
    }
  }
  fail("idx", "no data in '", dir.string(), "': looked for ", names[0], ", ", names[1], ", ", names[2], " and ", names[3],
       "; name the folder that has the IDX files");
}

}  // namespace lora::datasets
