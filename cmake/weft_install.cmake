# SPDX-License-Identifier: MIT
# weft_install: the public headers, and what `cmake --install` puts where.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# The list of public headers is the one that the layer check holds: lines `public weft/x.hpp LAYER`.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/layers.txt)
file(STRINGS ${PROJECT_SOURCE_DIR}/cmake/layers.txt lines REGEX "^public ")
get_property(parts GLOBAL PROPERTY WEFT_PARTS)
set(public_headers "")
foreach(line IN LISTS lines)
  string(REGEX MATCH "^public +([^ ]+) +([^ ]+)" matched "${line}")
  set(header ${PROJECT_SOURCE_DIR}/include/${CMAKE_MATCH_1})
  set(layer ${CMAKE_MATCH_2})
  if(layer MATCHES "^(ares|patch|tls)$")
    list(APPEND ${layer}_headers ${header})
  else()
    list(APPEND public_headers ${header})
  endif()
endforeach()

# weft_install_library(TARGET HEADERS DESCRIPTION REQUIRES): a library with its headers and its pkg-config file.
function(weft_install_library target headers description requires)
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include FILES ${headers})
  set_target_properties(${target} PROPERTIES SOVERSION ${PROJECT_VERSION_MAJOR} VERSION ${PROJECT_VERSION}
    VERIFY_INTERFACE_HEADER_SETS ${WEFT_SOURCE_CHECKS})
  install(TARGETS ${target} EXPORT weft LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} FILE_SET HEADERS)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/weft.pc.in ${PROJECT_BINARY_DIR}/${target}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${target}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()

if(TARGET weft)
  file(RELATIVE_PATH prefix_from_pc /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  weft_install_library(weft "${public_headers}" "${PROJECT_DESCRIPTION}" "")
  foreach(part IN LISTS parts)
    weft_install_library(weft-${part} "${${part}_headers}" "${PROJECT_DESCRIPTION}: ${part}" weft)
    set_target_properties(weft-${part} PROPERTIES INSTALL_RPATH "$ORIGIN")
  endforeach()
  install(EXPORT weft NAMESPACE weft:: FILE weft-targets.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/weft)
  configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/weft-config.cmake.in ${PROJECT_BINARY_DIR}/weft-config.cmake
    INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/weft)
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/weft-config-version.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/weft-config.cmake ${PROJECT_BINARY_DIR}/weft-config-version.cmake
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/weft)
endif()

# The command finds the shim in its own folder, or in ../lib and its multiarch folder; the shim finds libweft.so beside itself.
if(TARGET weft-shim)
  set_target_properties(weft-shim PROPERTIES INSTALL_RPATH "$ORIGIN")
  install(TARGETS weft-shim LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
if(TARGET weft-cli)
  set_target_properties(weft-cli PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  install(TARGETS weft-cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
