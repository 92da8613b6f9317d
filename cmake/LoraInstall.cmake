# What `cmake --install` puts into place: both libraries, headers, CMake package and pkg-config file. apps/ adds its programs.
include(CMakePackageConfigHelpers)

set(LORA_PACKAGE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/lora_core")

# Each library has a file of its own, in which it is lora_core::lora_core; the package loads one of them.
install(TARGETS lora_core_static EXPORT lora_core_static
  FILE_SET HEADERS DESTINATION "${LORA_INCLUDE_DIR}"
  INCLUDES DESTINATION "${LORA_INCLUDE_DIR}")
install(TARGETS lora_core_shared EXPORT lora_core_shared INCLUDES DESTINATION "${LORA_INCLUDE_DIR}")
foreach(kind static shared)
  install(EXPORT lora_core_${kind} NAMESPACE lora_core:: FILE lora_core-${kind}.cmake DESTINATION "${LORA_PACKAGE_DIR}")
endforeach()
# A list, not a header: it does not compile alone.
install(FILES kernels/kernels.def DESTINATION "${LORA_INCLUDE_DIR}/kernels")

configure_package_config_file(cmake/lora_coreConfig.cmake.in lora_coreConfig.cmake INSTALL_DESTINATION "${LORA_PACKAGE_DIR}")
write_basic_package_version_file(lora_coreConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/lora_coreConfig.cmake" "${CMAKE_CURRENT_BINARY_DIR}/lora_coreConfigVersion.cmake"
  DESTINATION "${LORA_PACKAGE_DIR}")

file(RELATIVE_PATH LORA_PC_TO_PREFIX "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
configure_file(cmake/lora_core.pc.in lora_core.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/lora_core.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}")
