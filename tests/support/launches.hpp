#pragma once
// Whether the tests that ran in this process have launched every kernel of CUDA.

namespace lora::test {

/// Prints the rows of the table that were never launched, never with a last block that is not full, or never with one item alone.
/// @return 0 if there is none, or no CUDA to launch on
int check_launches();

}  // namespace lora::test
