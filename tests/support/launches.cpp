#include "tests/support/launches.hpp"

#include <iostream>

#include "core/base/device_backend.hpp"
#include "kernels/cuda/launch.hpp"

namespace lora::test {

int check_launches() {
  using kernels::cuda::Row;
  if (!cuda_available()) {
    std::cout << "no CUDA to launch on\n";
    return 0;
  }
  int missing = 0, rows = 0;
  const auto check = [&](Row row) {
    const kernels::cuda::LaunchCount count = kernels::cuda::launch_count(row);
    const bool whole = count.launches > 0 && count.tails > 0 && count.ones > 0;
    ++rows;
    missing += whole ? 0 : 1;
    if (!whole) {
      std::cout << name(row) << ": " << count.launches << " launches, " << count.tails << " with a tail, " << count.ones
                << " of one item\n";
    }
  };
#define KERNEL(name, parameters) check(Row::name);
#include "kernels/kernels.def"
#undef KERNEL
  std::cout << rows - missing << " of " << rows << " rows were launched, with a tail and with one item\n";
  return missing == 0 ? 0 : 1;
}

}  // namespace lora::test
