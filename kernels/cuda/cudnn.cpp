#include "kernels/cuda/cudnn.hpp"

#include <cudnn.h>

#include <array>
#include <mutex>
#include <string_view>

#include "core/base/memory.hpp"

namespace lora::kernels::cuda {

namespace {

constexpr std::size_t kMostWorkspace = std::size_t{256} << 20;

void check_dnn(cudnnStatus_t status, std::string_view what) {
  if (status != CUDNN_STATUS_SUCCESS) [[unlikely]] {
    fail("conv2d", what, ": cuDNN says ", cudnnGetErrorString(status), "; LORA_CUDA_PRODUCTS=own does without it");
  }
}

/// Never destroyed: when statics are, the driver may be gone.
cudnnHandle_t handle() {
  static const cudnnHandle_t made = [] {
    cudnnHandle_t created = nullptr;
    check_dnn(cudnnCreate(&created), "create");
    return created;
  }();
  return made;
}

int to_int(Index n) { return static_cast<int>(n); }

/// One of cuDNN's descriptions, destroyed with this.
template <class Handle, cudnnStatus_t (*kCreate)(Handle*), cudnnStatus_t (*kDestroy)(Handle)>
class Described {
 public:
  Described() { check_dnn(kCreate(&handle_), "describe"); }
  Described(const Described&) = delete;
  Described& operator=(const Described&) = delete;
  ~Described() { kDestroy(handle_); }
  Handle get() const { return handle_; }

 private:
  Handle handle_ = nullptr;
};

/// A convolution as cuDNN describes it.
struct Description {
  Described<cudnnTensorDescriptor_t, &cudnnCreateTensorDescriptor, &cudnnDestroyTensorDescriptor> x, y;
  Described<cudnnFilterDescriptor_t, &cudnnCreateFilterDescriptor, &cudnnDestroyFilterDescriptor> weight;
  Described<cudnnConvolutionDescriptor_t, &cudnnCreateConvolutionDescriptor, &cudnnDestroyConvolutionDescriptor> map;

  explicit Description(const DenseConv& conv) {
    const Conv2dShape& s = conv.shape;
    const bool half = conv.dtype == DType::bf16;
    const cudnnDataType_t type = half ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
    const auto image = [&](cudnnTensorDescriptor_t to, Index channels, Index h, Index w) {
      check_dnn(cudnnSetTensor4dDescriptor(to, CUDNN_TENSOR_NHWC, type, to_int(s.batch), to_int(channels), to_int(h), to_int(w)),
                "describe");
    };
    image(x.get(), s.in_channels, s.h.in, s.w.in);
    image(y.get(), s.out_channels, s.h.out, s.w.out);
    check_dnn(cudnnSetFilter4dDescriptor(weight.get(), type, CUDNN_TENSOR_NHWC, to_int(s.out_channels), to_int(s.in_channels / s.groups),
                                         to_int(s.h.kernel), to_int(s.w.kernel)),
              "describe");
    check_dnn(cudnnSetConvolution2dDescriptor(map.get(), to_int(s.h.padding), to_int(s.w.padding), to_int(s.h.stride), to_int(s.w.stride),
                                              to_int(s.h.dilation), to_int(s.w.dilation), CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
              "describe");
    check_dnn(cudnnSetConvolutionGroupCount(map.get(), to_int(s.groups)), "describe");
    // Any other type lets f32 be rounded to TF32.
    check_dnn(cudnnSetConvolutionMathType(map.get(), half ? CUDNN_TENSOR_OP_MATH : CUDNN_FMA_MATH), "describe");
  }
};

/// The first deterministic algorithm, from the fastest on, whose workspace can be had, and is run by `run(algorithm, workspace, bytes)`.
/// @param rank  of cuDNN: (wanted, found, results). @param size  (algorithm, bytes)
template <class Ranked, class Rank, class Size, class Run>
bool run_first(const Context& context, const Rank& rank, const Size& size, const Run& run) {
  std::array<Ranked, 8> ranked{};
  int found = 0;
  if (rank(static_cast<int>(ranked.size()), &found, ranked.data()) != CUDNN_STATUS_SUCCESS) {
    return false;
  }
  for (int i = 0; i < found; ++i) {
    const Ranked& choice = ranked[static_cast<std::size_t>(i)];
    std::size_t bytes = 0;
    if (choice.status == CUDNN_STATUS_SUCCESS && choice.determinism == CUDNN_DETERMINISTIC &&
        size(choice.algo, &bytes) == CUDNN_STATUS_SUCCESS && bytes <= kMostWorkspace) {
      const Scratch workspace(bytes == 0 ? 1 : bytes, context.device);
      check_dnn(run(choice.algo, workspace.ptr<void>(), bytes), "compute");
      return true;
    }
  }
  return false;
}

}  // namespace

bool run_cudnn(const Context& context, ConvPass pass, const DenseConv& conv, const void* first, const void* second, void* result) {
  static std::mutex mutex;  // a handle is for one thread at a time
  const std::lock_guard lock(mutex);
  const cudnnHandle_t dnn = handle();
  check_dnn(cudnnSetStream(dnn, static_cast<cudaStream_t>(context.stream)), "set the stream");
  const Description d(conv);
  const auto x = d.x.get(), y = d.y.get();
  const auto w = d.weight.get();
  const auto map = d.map.get();
  const float scale = static_cast<float>(conv.scale), keep = static_cast<float>(conv.keep);
  switch (pass) {
    case ConvPass::forward:
      return run_first<cudnnConvolutionFwdAlgoPerf_t>(
          context,
          [&](int wanted, int* found, auto* to) { return cudnnGetConvolutionForwardAlgorithm_v7(dnn, x, w, map, y, wanted, found, to); },
          [&](auto algo, std::size_t* bytes) { return cudnnGetConvolutionForwardWorkspaceSize(dnn, x, w, map, y, algo, bytes); },
          [&](auto algo, void* space, std::size_t bytes) {
            return cudnnConvolutionForward(dnn, &scale, x, first, w, second, map, algo, space, bytes, &keep, y, result);
          });
    case ConvPass::grad_input:
      return run_first<cudnnConvolutionBwdDataAlgoPerf_t>(
          context,
          [&](int wanted, int* found, auto* to) {
            return cudnnGetConvolutionBackwardDataAlgorithm_v7(dnn, w, y, map, x, wanted, found, to);
          },
          [&](auto algo, std::size_t* bytes) { return cudnnGetConvolutionBackwardDataWorkspaceSize(dnn, w, y, map, x, algo, bytes); },
          [&](auto algo, void* space, std::size_t bytes) {
            return cudnnConvolutionBackwardData(dnn, &scale, w, first, y, second, map, algo, space, bytes, &keep, x, result);
          });
    case ConvPass::grad_weight:
      return run_first<cudnnConvolutionBwdFilterAlgoPerf_t>(
          context,
          [&](int wanted, int* found, auto* to) {
            return cudnnGetConvolutionBackwardFilterAlgorithm_v7(dnn, x, y, map, w, wanted, found, to);
          },
          [&](auto algo, std::size_t* bytes) { return cudnnGetConvolutionBackwardFilterWorkspaceSize(dnn, x, y, map, w, algo, bytes); },
          [&](auto algo, void* space, std::size_t bytes) {
            return cudnnConvolutionBackwardFilter(dnn, &scale, x, first, y, second, map, algo, space, bytes, &keep, w, result);
          });
  }
  return false;
}

}  // namespace lora::kernels::cuda
