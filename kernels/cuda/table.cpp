#include <sstream>
#include <type_traits>
#include <utility>

#include "kernels/cuda/device.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/device_tables.hpp"

namespace lora::kernels {

namespace {

template <class T>
inline constexpr bool kIsArray = std::is_convertible_v<T, ConstView>;

template <class T>
void name_array(std::ostream& text, const T& argument) {
  if constexpr (kIsArray<const T&>) {
    text << ' ' << argument.dtype << argument.shape;
  }
}

/// The row that `kernel` defines, whose errors also name the arrays that it was given.
template <class Kernel, Kernel* kernel>
struct Described;

template <class... P, void (*kernel)(P...)>
struct Described<void(P...), kernel> {
  static_assert((kIsArray<P> || ...));

  static void run(P... arguments) {
    try {
      kernel(arguments...);
    } catch (const Error& error) {
      std::ostringstream text;
      text << error.what() << "; given";
      (name_array(text, arguments), ...);
      throw Error(std::move(text).str());
    }
  }
};

const KernelTable kCudaTable{
#define KERNEL(name, parameters) &Described<decltype(cuda::name), &cuda::name>::run,
#include "kernels/kernels.def"
#undef KERNEL
};

}  // namespace

const KernelTable& cuda_table() {
  cuda::stream();  // or the error that says why there is none
  return kCudaTable;
}

}  // namespace lora::kernels
