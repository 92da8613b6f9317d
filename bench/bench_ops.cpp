// bench_ops: time, FLOP/s and bytes/s of single ops, forward and backward.
//   bench_ops [--threads N] [Google Benchmark's options, as --benchmark_filter=conv2d]

#include "bench/ops.hpp"
#include "bench/support.hpp"

int main(int argc, char** argv) {
  return lora::bench::run_main(argc, argv, [](int&, char**) {
    lora::bench::add_matrix_ops();
    lora::bench::add_image_ops();
    lora::bench::add_memory_ops();
  });
}
