# lora_layer(<name> [SOURCES <file>...] [HEADERS <file>...] [PRIVATE_HEADERS <file>...] [LIBRARIES <target>...])
#
# One layer of the library: its sources become objects of the library, its HEADERS are installed and each must compile alone.
# PRIVATE_HEADERS stay in the source tree. LIBRARIES are third-party ones that only the sources use.
function(lora_layer name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;HEADERS;PRIVATE_HEADERS;LIBRARIES")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "lora_layer(${name}): unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  lora_public_headers(${arg_HEADERS})
  if(arg_SOURCES)
    lora_objects(lora_layer_${name} SOURCES ${arg_SOURCES} ${arg_PRIVATE_HEADERS} LIBRARIES ${arg_LIBRARIES})
  endif()
endfunction()

# Adds headers of the current folder to the interface of the library.
function(lora_public_headers)
  list(TRANSFORM ARGN PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/" OUTPUT_VARIABLE headers)
  target_sources(lora_core_static PUBLIC FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}" FILES ${headers})
endfunction()

# lora_objects(<target> SOURCES <file>... [LIBRARIES <target>...]): an object library that is part of both libraries.
function(lora_objects target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBRARIES")
  add_library(${target} OBJECT ${arg_SOURCES})
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_compile_options(${target} PRIVATE ${LORA_WARNINGS})
  target_link_libraries(${target} PRIVATE Threads::Threads ${arg_LIBRARIES})
  target_sources(lora_core_static PRIVATE $<TARGET_OBJECTS:${target}>)
  target_sources(lora_core_shared PRIVATE $<TARGET_OBJECTS:${target}>)
endfunction()
