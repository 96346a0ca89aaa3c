#!/bin/sh
# SPDX-License-Identifier: MIT
#
# matrix.sh - one linker, every kind of link.
#
# Usage: matrix.sh BIN LINKER, where LINKER is lld, bfd, gold or mold.
set -eu
BIN=$1
LINKER=$2
. "$(dirname "$0")/lib.sh"

case $LINKER in
lld) command -v ld.lld-19 >/dev/null || [ -x "$(dirname "$(readlink -f "$(command -v clang-19)")")/ld.lld" ] ||
	skip_all "lld 19 is not installed" ;;
mold) command -v ld.mold >/dev/null || skip_all "mold is not installed" ;;
*) command -v "ld.$LINKER" >/dev/null || skip_all "ld.$LINKER is not installed" ;;
esac

use=-fuse-ld=$LINKER
script=no
rwx=
case $LINKER in
bfd) script=yes rwx=-Wl,--no-warn-rwx-segments ;;
lld) script=yes ;;
esac

expected_make
compile exe -fno-pie -ffunction-sections
compile pie -fPIE -ffunction-sections
compile pic -fPIC -ffunction-sections

link() # OUTPUT OBJECTS-PREFIX FLAGS...
{
	output=$1 prefix=$2
	shift 2
	quiet "$CXX" $FLAG $use "$@" $prefix-main.o $prefix-work.o $prefix-catch.o -o "$output"
}

kind() # NAME PREFIX FLAGS...: links, checks
{
	link "$@" || return 0
	holds "$1" 3
	[ $script = no ] || placed "$1"
}

kind x-pie pie -pie
kind x-exe exe -no-pie
kind x-static exe -static
if [ $LINKER = gold ]; then
	skip "static-pie: gold has no --no-dynamic-linker"
else
	kind x-static-pie pie -static-pie
fi

# Shared: the library alone has notes of two objects, the program of one.
if quiet "$CXX" $FLAG $use -shared pic-work.o pic-catch.o -o libwork.so &&
	quiet "$CXX" $FLAG $use pie-main.o -L. -lwork -o x-shared; then
	notes_hold libwork.so 2
	holds x-shared 1
	[ $script = no ] || placed libwork.so
fi

# --gc-sections: a record goes with its text.
if link x-gc pie -Wl,--gc-sections; then
	holds x-gc 3
	! nm x-gc | grep -q never_called || bad "x-gc: never_called is still there"
	nm x-pie | grep -q never_called || bad "x-pie: never_called is not there"
	[ "$(ranges x-gc)" -lt "$(ranges x-pie)" ] || bad "x-gc: as many ranges as x-pie"
fi

# ICF: twins fold, but a function to be left alone folds with none of them.
if [ $LINKER = bfd ]; then
	skip "ICF: ld.bfd has none"
elif link x-icf pie -Wl,--icf=all; then
	holds x-icf 3
	address() { nm x-icf | awk -v name="$1" '$3 == name { print $1 }'; }
	if [ $LINKER = gold ]; then
		skip "ICF of twins: gold folds .text sections only, so it never sees two records as equal"
	else
		[ "$(address twin_a)" = "$(address twin_b)" ] || bad "x-icf: twins did not fold"
	fi
	[ "$(address twin_a)" != "$(address twin_disabled)" ] || bad "x-icf: a disabled function was folded"
fi

# What is done to files afterwards.
objcopy=$(tool objcopy)
if link x-id pie -Wl,--build-id -g; then
	"$(tool readelf)" -n x-id | grep -q 'Build ID' || bad "x-id: no build-id"
	holds x-id 3
	cp x-id x-stripped && "$(tool strip)" x-stripped && holds x-stripped 3
	"$objcopy" --only-keep-debug x-id x-id.debug
	"$objcopy" --strip-debug --add-gnu-debuglink=x-id.debug x-id x-split && holds x-split 3
fi
if command -v strip >/dev/null && link x-gnu pie; then
	strip x-gnu && holds x-gnu 3
fi
if command -v llvm-objcopy-19 >/dev/null && link x-headless pie; then
	llvm-objcopy-19 --strip-sections x-headless && runs x-headless
	[ "$(objects_with_notes x-headless)" = 3 ] || bad "x-headless: notes not found without section headers"
fi

# -r: the notes of both objects go on into the final link.
if [ $LINKER = mold ] && "$CXX" $use -r plain-work.o plain-catch.o -o plain-joined.o &&
	! "$CXX" $use plain-main.o plain-joined.o -o plain-x >out 2>&1; then
	skip "-r: this mold cannot link its own -r output with exceptions, flag or not"
elif quiet "$CC" $FLAG $use -r pie-work.o pie-catch.o -o joined.o &&
	quiet "$CXX" $FLAG $use pie-main.o joined.o -o x-joined; then
	holds x-joined 3
fi

# Objects without notes are ordinary text.
if quiet "$CXX" $FLAG $use pie-main.o plain-work.o pie-catch.o -o x-mixed; then
	holds x-mixed 2
fi

# Nothing of ours at the link: the sections are orphans.
if quiet "$CXX" $use pie-main.o pie-work.o pie-catch.o -o x-orphans; then
	holds x-orphans 3
fi

# A script of the user's own, with his own entry.
quiet "$CC" $FLAG -O1 -ffreestanding -fno-pie -c "$src/start.c" -o start.o
if [ $LINKER = mold ]; then
	skip "own script: mold takes none"
elif quiet "$CC" $FLAG $use -nostdlib -static $rwx -T "$src/own.ld" start.o exe-work.o -o x-own; then
	./x-own && pass || bad "x-own does not run"
	notes_hold x-own 2
fi

summary
