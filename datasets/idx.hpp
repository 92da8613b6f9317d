#pragma once
// IDX: the file format of MNIST and its kin.

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

#include "core/base/shape.hpp"

namespace lora::datasets {

/// An array of bytes in row-major order.
struct IdxArray {
  Shape shape;
  std::vector<std::uint8_t> values;
};

/// Reads an IDX file of unsigned bytes, plain or gzip (told by its first bytes, not by its name). The format:
///   0, 0, element type (8: u8), number of axes; the size of each axis as 32 bits, big end first; the elements in row-major order
/// Memory grows with the content that is really there, never by the word of the header alone.
/// @throws Error naming the file if it is missing, is no IDX, holds another type, has more than 8 axes, is shorter or longer than its
/// header says, or if its gzip data are corrupt or end early
/// @source Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits"
IdxArray read_idx(const std::filesystem::path& path);

/// The first of STEM, STEM.gz and the same two with ".idx" for "-idx" that is a file in `dir`; both spellings are in use, as in
/// `train-images-idx3-ubyte` and `train-images.idx3-ubyte`. @throws Error listing what was looked for
std::filesystem::path find_idx(const std::filesystem::path& dir, std::string_view stem);

}  // namespace lora::datasets
