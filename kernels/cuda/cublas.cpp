// cuBLASLt has column-major matrices: a row-major c = a b is its c^T = b^T a^T.

#include "kernels/cuda/cublas.hpp"

#include <cublasLt.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>

#include "core/base/memory.hpp"
#include "kernels/cuda/error.hpp"
#include "kernels/cuda/kernels.hpp"

namespace lora::kernels::cuda {

namespace {

constexpr std::size_t kWorkspace = std::size_t{32} << 20;  // what NVIDIA recommends for Hopper

void check_blas(cublasStatus_t status, std::string_view what) {
  if (status != CUBLAS_STATUS_SUCCESS) [[unlikely]] {
    fail("gemm", what, ": cuBLASLt says ", cublasLtGetStatusName(status), ", ", cublasLtGetStatusString(status));
  }
}

/// Never destroyed: when statics are, the driver may be gone.
cublasLtHandle_t handle() {
  static const cublasLtHandle_t made = [] {
    cublasLtHandle_t created = nullptr;
    check_blas(cublasLtCreate(&created), "create");
    return created;
  }();
  return made;
}

/// One of cuBLASLt's descriptions, destroyed with this.
template <class Handle, cublasStatus_t (*kDestroy)(Handle)>
class Described {
 public:
  explicit Described(Handle handle) : handle_(handle) {}
  Described(const Described&) = delete;
  Described& operator=(const Described&) = delete;
  ~Described() { kDestroy(handle_); }
  Handle get() const { return handle_; }

 private:
  Handle handle_;
};
using Operation = Described<cublasLtMatmulDesc_t, &cublasLtMatmulDescDestroy>;
using MatrixLayout = Described<cublasLtMatrixLayout_t, &cublasLtMatrixLayoutDestroy>;
using Preference = Described<cublasLtMatmulPreference_t, &cublasLtMatmulPreferenceDestroy>;

/// A batch of matrices as they lie, column by column, and whether what is meant is their transpose.
struct ColumnMajor {
  const void* data;
  Index rows, columns, leading, batch;
  bool transposed;
};

/// Null where neither axis is contiguous, or elements share memory.
template <class T>
std::optional<ColumnMajor> column_major(const Matrices<T>& m, Index rows, Index columns) {
  const auto lies = [](Index inner_stride, Index inner, Index outer_stride, Index outer) {
    return (inner_stride == 1 || inner == 1) && (outer_stride >= inner || outer == 1);
  };
  if (lies(m.row, rows, m.column, columns)) {
    return ColumnMajor{m.data, rows, columns, std::max(m.column, rows), m.batch, false};
  }
  if (lies(m.column, columns, m.row, rows)) {
    return ColumnMajor{m.data, columns, rows, std::max(m.row, columns), m.batch, true};
  }
  return std::nullopt;
}

cublasLtMatmulDesc_t new_operation(bool left_transposed, bool right_transposed) {
  cublasLtMatmulDesc_t made = nullptr;
  check_blas(cublasLtMatmulDescCreate(&made, CUBLAS_COMPUTE_32F, CUDA_R_32F), "describe");
  const cublasOperation_t left = left_transposed ? CUBLAS_OP_T : CUBLAS_OP_N, right = right_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
  check_blas(cublasLtMatmulDescSetAttribute(made, CUBLASLT_MATMUL_DESC_TRANSA, &left, sizeof left), "describe");
  check_blas(cublasLtMatmulDescSetAttribute(made, CUBLASLT_MATMUL_DESC_TRANSB, &right, sizeof right), "describe");
  return made;
}

cublasLtMatrixLayout_t new_layout(const ColumnMajor& m, cudaDataType type, Index batch) {
  cublasLtMatrixLayout_t made = nullptr;
  const auto size = [](Index n) { return static_cast<std::uint64_t>(n); };
  check_blas(cublasLtMatrixLayoutCreate(&made, type, size(m.rows), size(m.columns), m.leading), "describe");
  const auto count = static_cast<std::int32_t>(batch);
  const std::int64_t step = m.batch;
  check_blas(cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count), "describe");
  check_blas(cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &step, sizeof step), "describe");
  return made;
}

/// Bytes, up to 256, that all of these addresses are multiples of.
std::uint32_t alignment_of(const void* address) {
  const auto bits = reinterpret_cast<std::uintptr_t>(address) | 256;
  return static_cast<std::uint32_t>(bits & -bits);
}

cublasLtMatmulPreference_t new_preference(const void* left, const void* right, const void* result) {
  cublasLtMatmulPreference_t made = nullptr;
  check_blas(cublasLtMatmulPreferenceCreate(&made), "prefer");
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
    check_blas(cublasLtMatmulPreferenceSetAttribute(made, attribute, &value, sizeof value), "prefer");
  };
  set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspace);
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment_of(left));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment_of(right));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment_of(result));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment_of(result));
  return made;
}

template <class T>
constexpr cudaDataType kType = std::is_same_v<T, bf16> ? CUDA_R_16BF : CUDA_R_32F;

template <class C, class M>
ConstView view_of(const M& m, const Shape& shape) {
  return {m.data, dtype_of<C>(), shape, {m.batch, m.row, m.column}};
}

}  // namespace

template <class T, class C>
bool multiply_by_cublas(const Context& context, const Product<T, C>& g) {
  const auto left = column_major(g.b.transposed(), g.n, g.k), right = column_major(g.a.transposed(), g.k, g.m);
  if (!left || !right || g.batch > std::numeric_limits<std::int32_t>::max()) {
    return false;
  }
  const ColumnMajor result{g.c.data, g.n, g.m, g.n, g.c.batch, false};
  const Operation operation(new_operation(left->transposed, right->transposed));
  const MatrixLayout a(new_layout(*left, kType<T>, g.batch)), b(new_layout(*right, kType<T>, g.batch));
  const MatrixLayout c(new_layout(result, kType<C>, g.batch));
  const Preference preference(new_preference(left->data, right->data, result.data));
  cublasLtMatmulHeuristicResult_t found{};
  int count = 0;
  const cublasStatus_t status =
      cublasLtMatmulAlgoGetHeuristic(handle(), operation.get(), a.get(), b.get(), c.get(), c.get(), preference.get(), 1, &found, &count);
  if (status == CUBLAS_STATUS_NOT_SUPPORTED || (status == CUBLAS_STATUS_SUCCESS && count == 0)) {
    return false;
  }
  check_blas(status, "choose an algorithm");
  const float alpha = g.alpha, beta = g.addend.data != nullptr ? 1.0f : 0.0f;
  if (g.addend.data != nullptr) {  // of any strides, which the library does not take
    const Shape shape{g.batch, g.m, g.n};
    copy(context, view_of<C>(g.addend, shape), {g.c.data, dtype_of<C>(), shape, {g.c.batch, g.c.row, g.c.column}});
  }
  const Scratch workspace(std::max<std::size_t>(found.workspaceSize, 1), context.device);
  check_blas(
      cublasLtMatmul(handle(), operation.get(), &alpha, left->data, a.get(), right->data, b.get(), &beta, g.c.data, c.get(), g.c.data,
                     c.get(), &found.algo, workspace.ptr<void>(), found.workspaceSize, static_cast<cudaStream_t>(context.stream)),
      "multiply");
  return true;
}

template bool multiply_by_cublas(const Context&, const Product<float, float>&);
template bool multiply_by_cublas(const Context&, const Product<bf16, bf16>&);
template bool multiply_by_cublas(const Context&, const Product<bf16, float>&);

}  // namespace lora::kernels::cuda
