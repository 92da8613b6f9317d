# What `cmake --install` puts into place: library, headers, CMake package and pkg-config file. apps/ adds its programs.
include(CMakePackageConfigHelpers)

set(LORA_PACKAGE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/lora_core")

install(TARGETS lora_core EXPORT lora_coreTargets
  FILE_SET HEADERS DESTINATION "${LORA_INCLUDE_DIR}"
  INCLUDES DESTINATION "${LORA_INCLUDE_DIR}")
install(EXPORT lora_coreTargets NAMESPACE lora_core:: DESTINATION "${LORA_PACKAGE_DIR}")

configure_package_config_file(cmake/lora_coreConfig.cmake.in lora_coreConfig.cmake INSTALL_DESTINATION "${LORA_PACKAGE_DIR}")
write_basic_package_version_file(lora_coreConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/lora_coreConfig.cmake" "${CMAKE_CURRENT_BINARY_DIR}/lora_coreConfigVersion.cmake"
  DESTINATION "${LORA_PACKAGE_DIR}")

# A static library leaves linking zlib to the program.
if(BUILD_SHARED_LIBS)
  set(LORA_PC_REQUIRES "Requires.private: zlib")
else()
  set(LORA_PC_REQUIRES "Requires: zlib")
endif()
file(RELATIVE_PATH LORA_PC_TO_PREFIX "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
configure_file(cmake/lora_core.pc.in lora_core.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/lora_core.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}")
