# SPDX-License-Identifier: MIT
#
# Builds a CMake project with jumpstations:
#   cmake --toolchain <prefix>/lib/cmake/dynopt/dynopt-toolchain.cmake ...
#
# DYNOPT_JUMPSTATIONS: ON (default), OFF, or what follows -fdynopt-jumpstations=,
# such as budget:2. Works from an installation and from dynopt's build tree.
#
# The flag is spelled -fplugin-arg-dynopt-jumpstations, not -fdynopt-jumpstations:
# both mean the same to dynopt-clang, but clangd and clang-tidy, which read
# compile_commands.json with a clang of their own, know only the first form. And
# it is a flag, not DYNOPT_CC_DEFAULT, so that build caches see it.
set(DYNOPT_JUMPSTATIONS ON CACHE STRING "ON, OFF, or options such as budget:2")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES DYNOPT_JUMPSTATIONS)

get_filename_component(_dynopt_bin "${CMAKE_CURRENT_LIST_DIR}/../../../bin" ABSOLUTE)
set(CMAKE_C_COMPILER "${_dynopt_bin}/dynopt-clang")
set(CMAKE_CXX_COMPILER "${_dynopt_bin}/dynopt-clang++")

# IPO needs archivers that read clang 19's bitcode; CMake looks for them only
# beside the compiler, where dynopt-clang is, but clang is not.
foreach(_dynopt_lang C CXX)
  find_program(CMAKE_${_dynopt_lang}_COMPILER_AR NAMES llvm-ar-19 llvm-ar HINTS /usr/lib/llvm-19/bin)
  find_program(CMAKE_${_dynopt_lang}_COMPILER_RANLIB NAMES llvm-ranlib-19 llvm-ranlib
    HINTS /usr/lib/llvm-19/bin)
  mark_as_advanced(CMAKE_${_dynopt_lang}_COMPILER_AR CMAKE_${_dynopt_lang}_COMPILER_RANLIB)
endforeach()

if(DYNOPT_JUMPSTATIONS STREQUAL "ON" OR DYNOPT_JUMPSTATIONS STREQUAL "1")
  set(_dynopt_flag -fplugin-arg-dynopt-jumpstations)
elseif(DYNOPT_JUMPSTATIONS)
  set(_dynopt_flag "-fplugin-arg-dynopt-jumpstations=${DYNOPT_JUMPSTATIONS}")
else()
  set(_dynopt_flag "")
endif()
string(APPEND CMAKE_C_FLAGS_INIT " ${_dynopt_flag}")
string(APPEND CMAKE_CXX_FLAGS_INIT " ${_dynopt_flag}")
string(STRIP "${CMAKE_C_FLAGS_INIT}" CMAKE_C_FLAGS_INIT)
string(STRIP "${CMAKE_CXX_FLAGS_INIT}" CMAKE_CXX_FLAGS_INIT)
unset(_dynopt_bin)
unset(_dynopt_lang)
unset(_dynopt_flag)
