#pragma once
// The cases of bench_ops, a family a file. f32; sizes are those of the experiments and of memory-bound work beyond the caches.

namespace lora::bench {

void add_image_ops();   ///< convolution, pooling, batch norm
void add_matrix_ops();  ///< products, attention
void add_memory_ops();  ///< pointwise functions, reductions, softmax, losses, gathering, optimizer steps: bound by memory

}  // namespace lora::bench
