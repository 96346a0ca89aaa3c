# SPDX-License-Identifier: MIT
#
# find_package(dynopt) gives
#   dynopt::headers          INTERFACE target: <dynopt/dynopt.h> and the note structs
#   dynopt_enable(TARGET [OPTIONS])
#     builds and links TARGET with jumpstations, where the project's compilers are
#     dynopt-clang and dynopt-clang++; with any other compiler it stops with a
#     message, since silence would leave an ordinary binary. OPTIONS is what
#     follows -fdynopt-jumpstations=, such as budget:2.
#   DYNOPT_COMPILER          TRUE where dynopt_enable() works
#   DYNOPT_TOOLCHAIN_FILE    the toolchain file that switches it on for all targets
get_filename_component(_dynopt_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(DYNOPT_TOOLCHAIN_FILE "${CMAKE_CURRENT_LIST_DIR}/dynopt-toolchain.cmake")

if(NOT TARGET dynopt::headers)
  add_library(dynopt::headers INTERFACE IMPORTED)
  set_target_properties(dynopt::headers PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${_dynopt_prefix}/include")
endif()
unset(_dynopt_prefix)

set(DYNOPT_COMPILER FALSE)
foreach(_dynopt_compiler "${CMAKE_C_COMPILER}" "${CMAKE_CXX_COMPILER}")
  if(_dynopt_compiler MATCHES "(^|/)dynopt-clang(\\+\\+)?$")
    set(DYNOPT_COMPILER TRUE)
  endif()
endforeach()
unset(_dynopt_compiler)

function(dynopt_enable target)
  if(NOT DYNOPT_COMPILER)
    message(FATAL_ERROR "dynopt_enable(${target}): the compiler is not dynopt-clang; "
      "configure with --toolchain ${DYNOPT_TOOLCHAIN_FILE}")
  endif()
  set(flag -fplugin-arg-dynopt-jumpstations)
  if(ARGC GREATER 1)
    string(APPEND flag "=${ARGV1}")
  endif()
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:C,CXX>:${flag}>)
  target_link_options(${target} PRIVATE ${flag})
endfunction()
