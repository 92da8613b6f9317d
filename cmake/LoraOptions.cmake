# Flags that everything in this build is compiled with. Nothing here reaches users of the installed library.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)  # the same objects go into the static and the shared library
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
add_compile_options(-ffunction-sections -fdata-sections)  # so that linkers can drop what a program does not use
if(LORA_WERROR)
  set(CMAKE_COMPILE_WARNING_AS_ERROR ON)
endif()
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Debug, RelWithDebInfo or MinSizeRel" FORCE)
endif()

set(LORA_WARNINGS
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual
  $<$<CXX_COMPILER_ID:GNU>:-Wnull-dereference>)
# g++ 12 sees overlapping copies in "text" + string where there are none (GCC bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  list(APPEND LORA_WARNINGS -Wno-restrict)
endif()

# Sanitized code hides from g++ what was initialised: its warnings about <regex>, std::string and AVX-512 intrinsics are false then.
if(LORA_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND LORA_WARNINGS -Wno-maybe-uninitialized -Wno-uninitialized)
endif()

# The sanitizers must see every object of a program, so they are set for the whole tree.
if(LORA_SANITIZE)
  list(JOIN LORA_SANITIZE "," lora_sanitizers)
  add_compile_options(-fsanitize=${lora_sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${lora_sanitizers})
endif()
