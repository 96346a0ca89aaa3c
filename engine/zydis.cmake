# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# dynopt_zydis: the decoder half of Zydis 4.0 as a static library without libc.
#
# DYNOPT_ZYDIS_SOURCE names its unpacked source package; `./dev` fetches it with
# tests/programs/source.sh, and so does this file when it is not there yet. The Zycore
# headers are libzycore-dev's.
set(DYNOPT_ZYDIS_SOURCE ${CMAKE_SOURCE_DIR}/build/sources/zydis CACHE PATH
  "Unpacked source package of Zydis 4.0")

if(NOT EXISTS ${DYNOPT_ZYDIS_SOURCE}/src/Decoder.c)
  message(STATUS "fetching the source package of Zydis")
  execute_process(COMMAND ${CMAKE_SOURCE_DIR}/tests/programs/source.sh zydis
    RESULT_VARIABLE failed OUTPUT_VARIABLE fetched OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(failed OR NOT EXISTS ${fetched}/src/Decoder.c)
    message(FATAL_ERROR "the source package of Zydis cannot be had: get it with"
      " `apt-get source zydis` and name the folder with -DDYNOPT_ZYDIS_SOURCE=")
  endif()
  set(DYNOPT_ZYDIS_SOURCE ${fetched} CACHE PATH "Unpacked source package of Zydis 4.0" FORCE)
endif()

find_path(ZYCORE_INCLUDE Zycore/Types.h REQUIRED)
add_library(dynopt_zydis_headers INTERFACE)
target_include_directories(dynopt_zydis_headers SYSTEM INTERFACE
  ${DYNOPT_ZYDIS_SOURCE}/include ${ZYCORE_INCLUDE})
target_compile_definitions(dynopt_zydis_headers INTERFACE
  ZYAN_NO_LIBC ZYDIS_STATIC_BUILD ZYCORE_STATIC_BUILD ZYDIS_DISABLE_FORMATTER
  ZYDIS_DISABLE_ENCODER)

set(zydis_sources Decoder DecoderData MetaInfo Mnemonic Register Segment SharedData String
  Utils Zydis)
list(TRANSFORM zydis_sources PREPEND ${DYNOPT_ZYDIS_SOURCE}/src/)
list(TRANSFORM zydis_sources APPEND .c)
add_library(dynopt_zydis STATIC ${zydis_sources})
target_link_libraries(dynopt_zydis PUBLIC dynopt_zydis_headers)
target_include_directories(dynopt_zydis PRIVATE ${DYNOPT_ZYDIS_SOURCE}/src)
target_compile_definitions(dynopt_zydis PRIVATE ZYAN_RELEASE)
target_compile_options(dynopt_zydis PRIVATE -ffunction-sections -fdata-sections -w -O2 -ffreestanding -mgeneral-regs-only
  -fno-stack-protector)
set_target_properties(dynopt_zydis PROPERTIES POSITION_INDEPENDENT_CODE ON)
