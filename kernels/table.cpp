#include "kernels/table.hpp"

#include <cpuid.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "kernels/cpu/isa.hpp"
#include "kernels/device_tables.hpp"

namespace lora::kernels {

// The build defines LORA_CPU_HAS_x for each set that it compiles.
#ifdef LORA_CPU_HAS_baseline
namespace baseline {
extern const KernelTable kTable;
}
constexpr const KernelTable* kBaseline = &baseline::kTable;
#else
constexpr const KernelTable* kBaseline = nullptr;
#endif
#ifdef LORA_CPU_HAS_avx2
namespace avx2 {
extern const KernelTable kTable;
}
constexpr const KernelTable* kAvx2 = &avx2::kTable;
#else
constexpr const KernelTable* kAvx2 = nullptr;
#endif
#ifdef LORA_CPU_HAS_avx512
namespace avx512 {
extern const KernelTable kTable;
}
constexpr const KernelTable* kAvx512 = &avx512::kTable;
#else
constexpr const KernelTable* kAvx512 = nullptr;
#endif

namespace {

/// Whether bit `bit` of ECX is set in CPUID leaf `leaf`.
bool cpuid_ecx(unsigned leaf, unsigned bit) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(leaf, &a, &b, &c, &d) != 0 && ((c >> bit) & 1u) != 0;
}

bool has_avx2() {
  const bool f16c = cpuid_ecx(1, 29), movbe = cpuid_ecx(1, 22), lzcnt = cpuid_ecx(0x80000001u, 5);
  return f16c && movbe && lzcnt && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2");
}

bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

std::string_view choose_isa() {
  const char* wanted = std::getenv("LORA_CPU_ISA");
  if (wanted == nullptr || *wanted == '\0') {
    const auto widest = std::find_if(kCpuIsas.rbegin(), kCpuIsas.rend(), [](std::string_view isa) { return cpu_table(isa) != nullptr; });
    require(widest != kCpuIsas.rend(), "cpu", "this build has no kernels that this machine can run; build with baseline in LORA_CPU_ISAS");
    return *widest;
  }
  const auto* known = std::find(kCpuIsas.begin(), kCpuIsas.end(), std::string_view(wanted));
  require(known != kCpuIsas.end(), "cpu", "environment variable LORA_CPU_ISA is '", wanted,
          "'; set it to baseline, avx2 or avx512, or unset it");
  require(cpu_table(*known) != nullptr, "cpu", "environment variable LORA_CPU_ISA is '", wanted,
          "', which this machine or this build does not have; set it to a narrower one or unset it");
  return *known;
}

}  // namespace

const KernelTable* cpu_table(std::string_view isa) {
  __builtin_cpu_init();
  if (isa == "baseline") {
    return kBaseline;
  }
  if (isa == "avx2") {
    return has_avx2() ? kAvx2 : nullptr;
  }
  require(isa == "avx512", "cpu", "no kernels for an instruction set '", isa, "'; there are baseline, avx2 and avx512");
  return has_avx512() ? kAvx512 : nullptr;
}

std::string_view cpu_isa() {
  static const std::string_view chosen = choose_isa();
  return chosen;
}

const KernelTable& table(const Device& device) {
  if (device.type == DeviceType::cuda) {
    return cuda_table();
  }
  static const KernelTable& cpu = *cpu_table(cpu_isa());
  return cpu;
}

Context context(const Device& device) { return {device, device.type == DeviceType::cuda ? cuda_stream() : nullptr}; }

}  // namespace lora::kernels
