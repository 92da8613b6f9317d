#pragma once
// Running a kernel over a grid.

#include <cuda_runtime.h>

#include <cstddef>
#include <tuple>
#include <type_traits>

namespace lora::simt {

struct Launch {
  const char* name;
  dim3 grid, block;
  std::size_t dynamic_shared;
  void (*call)(const void* arguments);
  const void* arguments;
};

/// @throws Error with what is wrong with the launch, or with what the kernel did wrong
void run(const Launch& launch);

/// @throws Error unless p, argument `number` of the kernel, is null or device memory
void check_pointer(const char* kernel, int number, const void* p);

/// Runs the kernel to its end. Pointers among the arguments must be device memory; those inside structs are not looked at.
template <class... P>
void launch(const char* name, dim3 grid, dim3 block, std::size_t dynamic_shared, void (*kernel)(P...), std::type_identity_t<P>... args) {
  struct Call {
    void (*kernel)(P...);
    std::tuple<P...> args;
  };
  int number = 0;
  const auto check = [&](const auto& arg) {
    ++number;
    if constexpr (std::is_pointer_v<std::decay_t<decltype(arg)>>) {
      check_pointer(name, number, arg);
    }
  };
  (check(args), ...);
  const Call call{kernel, {args...}};
  run({name, grid, block, dynamic_shared,
       [](const void* arguments) {
         const Call& bound = *static_cast<const Call*>(arguments);
         std::apply(bound.kernel, bound.args);
       },
       &call});
}

}  // namespace lora::simt
