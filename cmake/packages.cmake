# SPDX-License-Identifier: MIT
# Debian packages, one for each component: `make deb`.
#
#   libweft1     runtime      the shared libraries
#   libweft-dev  development  headers, static libraries, pkg-config and CMake files
#   weft-tools   tools        the weft command, the preload library
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME weft)
set(CPACK_PACKAGE_CONTACT "The weft authors <weft@packages.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY ${PROJECT_DESCRIPTION})
set(CPACK_COMPONENTS_ALL runtime development tools)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_STRIP_FILES ON)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS OFF)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME libweft1)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION
  "Shared libraries: cheap tasks, channels, select, timers, network, tasks locked to
their thread; and the kernel's random bytes through the vDSO.")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libweft-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libweft1 (= ${PROJECT_VERSION}), libc6-dev")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION
  "Headers, static libraries, pkg-config and CMake files.")

set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME weft-tools)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_TOOLS_PACKAGE_RECOMMENDS libarchive13)
# Loaded when the first image is opened, so not seen by shlibdeps.
set(CPACK_DEBIAN_TOOLS_PACKAGE_DEPENDS "libarchive13 | libarchive13t64")
set(CPACK_COMPONENT_TOOLS_DESCRIPTION
  "The weft command: examines hosts, finds Go binaries with the thread exit crash of
Go 1.24.0-1.24.2, makes them safe on disk or while they run, recognises the crash
in core files, reproduces it; and looks into programs that use libweft.")

foreach(pair runtime:libweft1 development:libweft-dev tools:weft-tools)
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 component)
  list(GET pair 1 package)
  install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package}
    RENAME copyright COMPONENT ${component})
endforeach()
include(CPack)
