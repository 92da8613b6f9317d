#pragma once
// What inspect prints for people.

#include <ostream>

#include "apps/mnist_lora/file_contents.hpp"

namespace mnist_lora {

/// In at most 100 columns, but for longer names of tensors.
void print_contents(std::ostream& out, const FileContents& contents);

}  // namespace mnist_lora
