// The entry points of cuBLASLt that the library calls, by the declarations of its own header: plain loops over device memory, for products
// of f32 and bf16 that are summed in f32. What is described in another way is not supported here.
#include <cublasLt.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/base/half.hpp"
#include "core/base/shape.hpp"
#include "kernels/emulator/device_ranges.hpp"
#include "kernels/emulator/options.hpp"
#include "kernels/emulator/stream.hpp"

namespace {

using lora::Index;

/// Descriptions, behind the opaque types of the header.
struct Operation : cublasLtMatmulDescOpaque_t {
  std::int32_t left = CUBLAS_OP_N, right = CUBLAS_OP_N;
};

struct Layout : cublasLtMatrixLayoutOpaque_t {
  cudaDataType type = CUDA_R_32F;
  Index rows = 0, columns = 0, leading = 0;
  std::int32_t count = 1;
  std::int64_t step = 0;

  Index last() const { return (count - 1) * step + (columns - 1) * leading + rows; }
  std::size_t bytes() const { return static_cast<std::size_t>(last()) * (type == CUDA_R_32F ? 4 : 2); }
};

Operation& operation_of(cublasLtMatmulDesc_t d) { return static_cast<Operation&>(*d); }
Layout& layout_of(cublasLtMatrixLayout_t d) { return static_cast<Layout&>(*d); }

/// Sets `to` from an attribute's bytes.
template <class T>
cublasStatus_t set(T& to, const void* value, std::size_t bytes) {
  if (bytes != sizeof(T)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  std::memcpy(&to, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

float get(const Layout& layout, const void* data, Index at) {
  return layout.type == CUDA_R_32F ? static_cast<const float*>(data)[at] : static_cast<float>(static_cast<const lora::bf16*>(data)[at]);
}

void put(const Layout& layout, void* data, Index at, float value) {
  if (layout.type == CUDA_R_32F) {
    static_cast<float*>(data)[at] = value;
  } else {
    static_cast<lora::bf16*>(data)[at] = lora::bf16(value);
  }
}

/// Matrix s as floats, column by column, rows x columns as they are meant.
std::vector<float> read(const Layout& layout, const void* data, Index s, bool transposed) {
  std::vector<float> values;
  const Index rows = transposed ? layout.columns : layout.rows, columns = transposed ? layout.rows : layout.columns;
  for (Index j = 0; j < columns; ++j) {
    for (Index i = 0; i < rows; ++i) {
      values.push_back(get(layout, data, s * layout.step + (transposed ? i * layout.leading + j : j * layout.leading + i)));
    }
  }
  return values;
}

struct Matmul {
  Operation operation;
  Layout a, b, d;
  float alpha, beta;
  const void *left, *right;
  void* result;

  void run() const {
    const Index depth = operation.left == CUBLAS_OP_N ? a.columns : a.rows;
    std::vector<float> sums(static_cast<std::size_t>(d.rows));
    for (Index s = 0; s < d.count; ++s) {
      const std::vector<float> x = read(a, left, s, operation.left != CUBLAS_OP_N), y = read(b, right, s, operation.right != CUBLAS_OP_N);
      for (Index j = 0; j < d.columns; ++j) {
        std::fill(sums.begin(), sums.end(), 0.0f);
        for (Index p = 0; p < depth; ++p) {
          const float by = y[static_cast<std::size_t>(j * depth + p)];
          const float* column = x.data() + p * d.rows;
          for (Index i = 0; i < d.rows; ++i) {
            sums[static_cast<std::size_t>(i)] += column[i] * by;
          }
        }
        for (Index i = 0; i < d.rows; ++i) {
          const Index at = s * d.step + j * d.leading + i;
          put(d, result, at, alpha * sums[static_cast<std::size_t>(i)] + (beta == 0 ? 0 : beta * get(d, result, at)));
        }
      }
    }
  }
};

bool on_device(const void* p, const Layout& layout) {
  return !lora::simt::options().check_pointers || lora::simt::is_device(p, layout.bytes());
}

}  // namespace

extern "C" {

const char* CUBLASWINAPI cublasLtGetStatusName(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS: return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_INVALID_VALUE: return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_NOT_SUPPORTED: return "CUBLAS_STATUS_NOT_SUPPORTED";
    default: return "unrecognized status";
  }
}

const char* CUBLASWINAPI cublasLtGetStatusString(cublasStatus_t status) { return cublasLtGetStatusName(status); }

cublasStatus_t CUBLASWINAPI cublasLtCreate(cublasLtHandle_t* handle) {
  static int only = 0;
  *handle = reinterpret_cast<cublasLtHandle_t>(&only);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t CUBLASWINAPI cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* made, cublasComputeType_t compute, cudaDataType_t scale) {
  if (compute != CUBLAS_COMPUTE_32F || scale != CUDA_R_32F) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  *made = new Operation;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t CUBLASWINAPI cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t description) {
  delete &operation_of(description);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t CUBLASWINAPI cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t description, cublasLtMatmulDescAttributes_t attribute,
                                                           const void* value, std::size_t bytes) {
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA: return set(operation_of(description).left, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB: return set(operation_of(description).right, value, bytes);
    default: return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

cublasStatus_t CUBLASWINAPI cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* made, cudaDataType type, std::uint64_t rows,
                                                       std::uint64_t columns, std::int64_t leading) {
  if (rows == 0 || columns == 0 || leading < static_cast<std::int64_t>(rows)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  auto* const layout = new Layout;
  layout->type = type;
  layout->rows = static_cast<Index>(rows);
  layout->columns = static_cast<Index>(columns);
  layout->leading = leading;
  *made = layout;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t CUBLASWINAPI cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t description) {
  delete &layout_of(description);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t CUBLASWINAPI cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t description, cublasLtMatrixLayoutAttribute_t attribute,
                                                             const void* value, std::size_t bytes) {
  switch (attribute) {
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT: return set(layout_of(description).count, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET: return set(layout_of(description).step, value, bytes);
    default: return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

cublasStatus_t CUBLASWINAPI cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* made) {
  *made = new cublasLtMatmulPreferenceOpaque_t{};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t CUBLASWINAPI cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}

/// Preferences make no difference here; their sizes are looked at.
cublasStatus_t CUBLASWINAPI cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t, cublasLtMatmulPreferenceAttributes_t attribute,
                                                                 const void*, std::size_t bytes) {
  const bool workspace = attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
  return bytes == (workspace ? sizeof(std::uint64_t) : sizeof(std::uint32_t)) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t CUBLASWINAPI cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t description, cublasLtMatrixLayout_t a,
                                                           cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                                           cublasLtMatmulPreference_t, int wanted, cublasLtMatmulHeuristicResult_t found[],
                                                           int* count) {
  const Operation& operation = operation_of(description);
  const Layout &x = layout_of(a), &y = layout_of(b), &to = layout_of(d);
  const bool left = operation.left != CUBLAS_OP_N, right = operation.right != CUBLAS_OP_N;
  const bool fits = (left ? x.columns : x.rows) == to.rows && (right ? y.rows : y.columns) == to.columns &&
                    (left ? x.rows : x.columns) == (right ? y.columns : y.rows) && x.count == to.count && y.count == to.count;
  if (!fits || c != d || wanted < 1) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  found[0] = {};
  *count = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t CUBLASWINAPI cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t description, const void* alpha, const void* a,
                                           cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                                           const void* beta, const void* c, cublasLtMatrixLayout_t, void* d,
                                           cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t*, void*, std::size_t,
                                           cudaStream_t stream) {
  const Matmul matmul{operation_of(description),
                      layout_of(a_layout),
                      layout_of(b_layout),
                      layout_of(d_layout),
                      *static_cast<const float*>(alpha),
                      *static_cast<const float*>(beta),
                      a,
                      b,
                      d};
  if (c != d || !on_device(a, matmul.a) || !on_device(b, matmul.b) || !on_device(d, matmul.d)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (stream == nullptr) {
    matmul.run();
  } else {
    reinterpret_cast<lora::simt::Stream*>(stream)->submit([matmul] { matmul.run(); });
  }
  return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
