# SPDX-License-Identifier: MIT
#
# Names the two plugins after their contents and tells the driver.
#   cmake -DFE=... -DPASS=... -DLIB_DIR=... -DHEADER=... -P hash_plugins.cmake
#
# Invariant: equal names mean equal plugins. Build caches go by names (ThinLTO's,
# ccache's view of -fplugin=) or by the compiler's file (ccache): the name changes
# with the contents, and so does the driver, which is compiled with it. Plugins of
# earlier builds are removed, the header is left alone when nothing changed.
file(SHA256 ${FE} fe)
file(SHA256 ${PASS} pass)
string(SHA256 hash "${fe}${pass}")
string(SUBSTRING ${hash} 0 12 hash)

file(MAKE_DIRECTORY ${LIB_DIR})
file(GLOB stale ${LIB_DIR}/libdynopt-fe-*.so ${LIB_DIR}/libdynopt-pass-*.so)
list(FILTER stale EXCLUDE REGEX "-${hash}\\.so$")
configure_file(${FE} ${LIB_DIR}/libdynopt-fe-${hash}.so COPYONLY)
configure_file(${PASS} ${LIB_DIR}/libdynopt-pass-${hash}.so COPYONLY)
if(stale)
  file(REMOVE ${stale})
endif()

file(CONFIGURE OUTPUT ${HEADER} @ONLY CONTENT "/* Made by hash_plugins.cmake. */
#define DYNOPT_PLUGIN_HASH \"@hash@\"
")
