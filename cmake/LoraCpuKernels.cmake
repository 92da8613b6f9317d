# lora_cpu_kernels([SOURCES <file>...] [FAST <file>...])
#
# Compiles the CPU kernels once for every instruction set; which set runs is chosen at run time. Each set is in a namespace of
# its own, LORA_CPU_ISA. The sets must have no symbol in common: the linker keeps one copy of a weak symbol, and if that came
# from a wider set, older machines would run it. The test kernel_symbols checks that.
set(LORA_CPU_ISAS "baseline;avx2;avx512" CACHE STRING "Instruction sets that the CPU kernels are built for")
set(LORA_CPU_FLAGS_baseline -march=x86-64 -mtune=generic)
set(LORA_CPU_FLAGS_avx2 -march=x86-64-v3 -mtune=generic)
set(LORA_CPU_FLAGS_avx512 -march=x86-64-v4 -mtune=generic)

# Optimised in debug builds too: unoptimised, the kernels are far too slow for the tests, and inline functions stay weak symbols.
# Without traps for floating-point exceptions, g++ computes both sides of a choice and vectorises it, as clang does anyway.
set(LORA_CPU_COMMON_FLAGS -O2 -fno-math-errno -fno-trapping-math -ffp-contract=fast)
# Many functions for many types three times over: -O3 would double the size of programs, and gains where a file is named in FAST alone.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND LORA_CPU_FLAGS_baseline -fno-tree-vectorize)  # for old machines: small
  list(APPEND LORA_CPU_COMMON_FLAGS -fno-align-loops -fno-align-jumps)
  list(APPEND LORA_CPU_FLAGS_avx2 -ftree-vectorize -fvect-cost-model=dynamic)
  list(APPEND LORA_CPU_FLAGS_avx512 -ftree-vectorize -fvect-cost-model=dynamic)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  list(APPEND LORA_CPU_COMMON_FLAGS -fno-unroll-loops -Wno-pass-failed)
  list(APPEND LORA_CPU_FLAGS_baseline -fno-vectorize -fno-slp-vectorize)
endif()

function(lora_cpu_kernels)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "SOURCES;FAST")
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    message(FATAL_ERROR "The CPU kernels are for x86-64, this is ${CMAKE_SYSTEM_PROCESSOR}")
  endif()
  if(NOT arg_SOURCES)
    return()
  endif()
  if(NOT LORA_SANITIZE)
    set_source_files_properties(${arg_FAST} PROPERTIES COMPILE_OPTIONS "$<$<NOT:$<STREQUAL:$<TARGET_PROPERTY:NAME>,lora_kernels_baseline>>:-O3>")
  endif()
  foreach(isa IN LISTS LORA_CPU_ISAS)
    if(NOT DEFINED LORA_CPU_FLAGS_${isa})
      message(FATAL_ERROR "LORA_CPU_ISAS has '${isa}'; it is a list of some of baseline, avx2 and avx512")
    endif()
    lora_objects(lora_kernels_${isa} SOURCES ${arg_SOURCES} LIBRARIES Eigen3::Eigen)
    target_compile_options(lora_kernels_${isa} PRIVATE ${LORA_CPU_COMMON_FLAGS} ${LORA_CPU_FLAGS_${isa}})
    target_compile_definitions(lora_kernels_${isa} PRIVATE LORA_CPU_ISA=${isa})
    target_compile_definitions(lora_layer_kernels PRIVATE LORA_CPU_HAS_${isa})
    set_target_properties(lora_kernels_${isa} PROPERTIES CXX_VISIBILITY_PRESET hidden)  # reached through kernels::table() alone
  endforeach()
endfunction()
