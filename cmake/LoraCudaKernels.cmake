# lora_cuda_kernels([NONE <file>...] [SOURCES <file>...] [CUDNN <file>...] [NO_CUDNN <file>...] [KERNELS <file.cu>...] [EMULATOR <file>...])
#
# The CUDA backend. LORA_CUDA=OFF has NONE instead; ON compiles KERNELS with nvcc; EMULATED compiles the same files as C++ against the
# emulator, which runs them on the CPU and needs of CUDA its headers alone. SOURCES are host code, the same in both; a build with nvcc
# has CUDNN besides, or NO_CUDNN where cuDNN is not installed.
set(LORA_CUDA "OFF" CACHE STRING "CUDA kernels: OFF, ON (nvcc) or EMULATED (run on the CPU, for tests)")
set_property(CACHE LORA_CUDA PROPERTY STRINGS OFF ON EMULATED)
set(LORA_CUDA_ARCHITECTURES "80-real;90a-real" CACHE STRING "What nvcc compiles for")
if(NOT LORA_CUDA MATCHES "^(OFF|ON|EMULATED)$")
  message(FATAL_ERROR "LORA_CUDA is '${LORA_CUDA}'; set it to OFF, ON or EMULATED")
endif()

if(LORA_CUDA STREQUAL "ON")
  set(CMAKE_CUDA_ARCHITECTURES ${LORA_CUDA_ARCHITECTURES})
  enable_language(CUDA)  # here and not in a function, since the folders of kernels and of tests both need what it sets
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)  # CMake 3.25 does not know that this compiler has it
endif()

# CUDA's headers are not ours to warn about.
function(lora_cuda_includes target)
  target_include_directories(${target} SYSTEM PRIVATE ${LORA_CUDA_INCLUDE_DIRS})
endfunction()

function(lora_cuda_kernels)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "NONE;SOURCES;CUDNN;NO_CUDNN;KERNELS;EMULATOR")
  if(LORA_CUDA STREQUAL "OFF")
    lora_objects(lora_cuda_none SOURCES ${arg_NONE})
  elseif(LORA_CUDA STREQUAL "EMULATED")
    lora_emulated_kernels()
  else()
    lora_nvcc_kernels()
  endif()
endfunction()

macro(lora_emulated_kernels)
  find_path(LORA_CUDA_INCLUDE_DIRS cuda_runtime.h PATHS /usr/local/cuda/include $ENV{CUDA_HOME}/include
    DOC "CUDA's headers; cuda-cudart-dev, cuda-crt and libcublas-dev have them")
  if(NOT LORA_CUDA_INCLUDE_DIRS)
    message(FATAL_ERROR "LORA_CUDA=EMULATED needs the headers of the CUDA Toolkit (cuda_runtime.h); install them or set LORA_CUDA_INCLUDE_DIRS")
  endif()
  find_package(Boost 1.74 REQUIRED COMPONENTS context)
  set_source_files_properties(${arg_KERNELS} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "-xc++;-Wno-unknown-pragmas")
  lora_objects(lora_cuda_kernels SOURCES ${arg_SOURCES} ${arg_KERNELS})
  lora_objects(lora_cuda_emulator SOURCES ${arg_EMULATOR} LIBRARIES Boost::context)
  foreach(target lora_cuda_kernels lora_cuda_emulator)
    target_compile_definitions(${target} PRIVATE LORA_CUDA_EMULATED)
    target_compile_options(${target} PRIVATE -O2)  # unoptimised, threads of a grid one after another are too slow
    lora_cuda_includes(${target})
  endforeach()
  # Frames that outlive their function are not looked for: that takes a second stack for each fiber, and most of the time.
  if("address" IN_LIST LORA_SANITIZE AND CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    target_compile_options(lora_cuda_kernels PRIVATE -fsanitize-address-use-after-return=never)
    target_compile_options(lora_cuda_emulator PRIVATE -fsanitize-address-use-after-return=never)
  endif()
  # The engine tells the thread sanitizer which fiber runs, and what orders them; seen by it, the engine itself would order everything.
  if("thread" IN_LIST LORA_SANITIZE)
    target_compile_options(lora_cuda_emulator PRIVATE -fno-sanitize=thread)
    target_compile_definitions(lora_cuda_emulator PRIVATE LORA_SIMT_TSAN)
  endif()
  target_link_libraries(lora_core_static PRIVATE Boost::context)
  target_link_libraries(lora_core_shared PRIVATE Boost::context)
endmacro()

# What nvcc is told, of the library's kernels and of those in tests.
function(lora_nvcc_target target)
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}")
  set_target_properties(${target} PROPERTIES
    CUDA_STANDARD 20 CUDA_STANDARD_REQUIRED ON CUDA_EXTENSIONS OFF CUDA_ARCHITECTURES "${LORA_CUDA_ARCHITECTURES}")
  target_compile_options(${target} PRIVATE --expt-relaxed-constexpr -Xcompiler=-Wall,-Wextra --Werror=all-warnings -Xptxas=-v)
endfunction()

macro(lora_nvcc_kernels)
  find_package(CUDAToolkit 13 REQUIRED)
  set(LORA_CUDA_INCLUDE_DIRS ${CUDAToolkit_INCLUDE_DIRS})
  find_library(LORA_CUDNN cudnn PATHS ${CUDAToolkit_LIBRARY_DIR} DOC "cuDNN; convolutions do without it where there is none")
  find_path(LORA_CUDNN_INCLUDE_DIR cudnn.h PATHS ${CUDAToolkit_INCLUDE_DIRS})
  if(LORA_CUDNN AND LORA_CUDNN_INCLUDE_DIR)
    list(APPEND arg_SOURCES ${arg_CUDNN})
    list(APPEND LORA_CUDA_INCLUDE_DIRS ${LORA_CUDNN_INCLUDE_DIR})
  else()
    message(STATUS "cuDNN was not found: convolutions on CUDA are computed by our own kernels alone")
    list(APPEND arg_SOURCES ${arg_NO_CUDNN})
  endif()
  lora_objects(lora_cuda_host SOURCES ${arg_SOURCES})
  lora_cuda_includes(lora_cuda_host)
  add_library(lora_cuda_kernels OBJECT ${arg_KERNELS})
  lora_nvcc_target(lora_cuda_kernels)
  set_target_properties(lora_cuda_kernels PROPERTIES CUDA_COMPILER_LAUNCHER "${PROJECT_SOURCE_DIR}/scripts/with_log.sh")
  foreach(library lora_core_static lora_core_shared)
    target_sources(${library} PRIVATE $<TARGET_OBJECTS:lora_cuda_kernels>)
    target_link_libraries(${library} PRIVATE CUDA::cudart_static CUDA::cublasLt $<$<BOOL:${LORA_CUDNN}>:${LORA_CUDNN}>)
  endforeach()
endmacro()
