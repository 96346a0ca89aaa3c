#!/bin/sh
# SPDX-License-Identifier: MIT
#
# cmake.sh - the toolchain file and the package, installed and from the build
# tree: flags reach compiles and links, IPO works, clang-tidy reads the
# compilation database.
#
# Usage: cmake.sh BIN BUILD_TREE
set -eu
BIN=$1
BUILD=$2
. "$(dirname "$0")/lib.sh"
command -v ninja >/dev/null || skip_all "ninja is not installed"

expected_make
package=$BUILD/lib/cmake/dynopt

configure() # DIRECTORY ARGUMENTS...
{
	dir=$1
	shift
	if ! cmake -G Ninja -S "$src/project" -B "$dir" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON \
		-Ddynopt_DIR="$package" "$@" >log 2>&1; then
		bad "configure $*"
		tail -20 log
		return 1
	fi
	if grep -i 'warning' log; then
		bad "configure $* warns"
	fi
}

build() # DIRECTORY
{
	if ! ninja -C "$1" >log 2>&1; then
		bad "build $1"
		tail -20 log
		return 1
	fi
	if grep -i 'warning' log; then
		bad "build $1 warns"
	fi
}

sample_holds() # DIRECTORY PROGRAM-OBJECTS LIBRARY-OBJECTS
{
	runs "$1/sample"
	notes_hold "$1/sample" "$2"
	notes_hold "$1/libcatch.so" "$3"
}

sample() # DIRECTORY PROGRAM-OBJECTS LIBRARY-OBJECTS ARGUMENTS...
{
	dir=$1 program=$2 library=$3
	shift 3
	if configure "$dir" "$@" && build "$dir"; then
		sample_holds "$dir" "$program" "$library"
	fi
}

toolchain=$package/dynopt-toolchain.cmake
sample all 2 1 --toolchain "$toolchain"
sample ipo 2 1 --toolchain "$toolchain" -DIPO=ON
sample budget 2 1 --toolchain "$toolchain" -DDYNOPT_JUMPSTATIONS=budget:1.5
grep -q 'dynopt-jumpstations=budget:1.5' budget/compile_commands.json || bad "the budget is not passed on"
sample off 0 0 --toolchain "$toolchain" -DDYNOPT_JUMPSTATIONS=OFF
sample one 2 0 --toolchain "$toolchain" -DDYNOPT_JUMPSTATIONS=OFF -DENABLE=budget:2

# dynopt_enable() with another compiler says what is missing.
if cmake -G Ninja -S "$src/project" -B other -Ddynopt_DIR="$package" -DENABLE=budget:2 \
	-DCMAKE_C_COMPILER="$(command -v clang-19)" -DCMAKE_CXX_COMPILER="$(command -v clang++-19)" >log 2>&1; then
	bad "dynopt_enable() is silent with clang"
else
	grep -q 'the compiler is not dynopt-clang' log && pass || bad "dynopt_enable() with clang: $(cat log)"
fi

# Tools with a clang of their own read the database.
for tidy in clang-tidy-19 clang-tidy; do
	if ! command -v $tidy >/dev/null; then
		skip "$tidy is not installed"
		continue
	fi
	for file in main.c work.c catch.cc; do
		if $tidy -p all --quiet --checks='-*,bugprone-infinite-loop' "$src/$file" >out 2>&1 &&
			! grep -q 'error' out; then
			pass
		else
			bad "$tidy -p: $(cat out)"
		fi
	done
done

# Installed: the same, from another place.
if cmake --install "$BUILD" --prefix "$lab/prefix" >log 2>&1; then
	package=$lab/prefix/lib/cmake/dynopt
	sample installed 2 1 --toolchain "$package/dynopt-toolchain.cmake"
	grep -q "$lab/prefix/bin/dynopt-clang" installed/compile_commands.json || bad "not the installed compiler"
	for file in bin/dynopt-clang bin/dynopt-clang++ lib/dynopt/dynopt.ld lib/dynopt/dynopt-lld.ld \
		lib/dynopt/dynopt_far.o include/dynopt/dynopt.h include/dynopt/dynopt_notes.h; do
		[ -e "$lab/prefix/$file" ] || bad "not installed: $file"
	done
	[ "$(find "$lab/prefix/lib/dynopt" -name "libdynopt-*.so" | wc -l)" = 2 ] || bad "not two plugins installed"
else
	bad "cmake --install: $(tail -3 log)"
fi

summary
