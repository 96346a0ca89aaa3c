#!/bin/sh
# SPDX-License-Identifier: MIT
#
# build.sh - does the shell lines of a table's "build" or "data" in the current folder.
#
#     build.sh LINES <environment: src CC CXX CFLAGS LDFLAGS here build>
#
# The lines see the words of tests/programs/words.sh and suites.sh (objects,
# configure, copy_sources, amalgamation, quiet, ...) and `generate`. It stops at
# the first command that fails. Exit code 77: SKIP with the reason.

set -eu
: "${src:=}" "${CC:=clang-19}" "${CXX:=clang++-19}" "${CFLAGS:=-O2}" "${LDFLAGS:=}"
# shellcheck disable=SC2034 # these are for the words and the lines
linking=static full=0 jobs=${DYNOPT_TEST_JOBS:-1} toolchain=''
lines=$1
: "${DYNOPT_PLAIN_CC:=clang-19}"
words=$here/../tests/programs
. "$words/words.sh"
. "$words/suites.sh"

# Text made of a seeded generator: generate KIND BYTES (inputs/generate.py).
generate()
{
	/usr/bin/python3 "$here/inputs/generate.py" "$@"
}

eval "$lines"
