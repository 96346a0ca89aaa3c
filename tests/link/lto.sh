#!/bin/sh
# SPDX-License-Identifier: MIT
#
# lto.sh - ThinLTO and full LTO: code is made at link time, so are the notes.
#
# Usage: lto.sh BIN
set -eu
BIN=$1
. "$(dirname "$0")/lib.sh"
command -v ld.lld-19 >/dev/null || skip_all "lld 19 is not installed"

expected_make
for mode in thin full; do
	for level in 0 2 s; do
		compile "$mode$level" -flto=$mode -O$level
		objects="$mode$level-main.o $mode$level-work.o $mode$level-catch.o"
		case $mode in
		thin) n=3 ;;
		full) n=1 ;;
		esac
		quiet "$CXX" $FLAG -flto=$mode -O$level $objects -o "x-$mode$level" &&
			holds "x-$mode$level" $n && placed "x-$mode$level"
	done
done

objects='thin2-main.o thin2-work.o thin2-catch.o'
# Bitcode may come to a link that does not say -flto, also in an archive.
quiet "$CXX" $FLAG $objects -o x-unsaid && holds x-unsaid 3
"$(tool ar)" rcs libbitcode.a thin2-work.o thin2-catch.o
quiet "$CXX" $FLAG -flto=thin thin2-main.o libbitcode.a -o x-archive && holds x-archive 3
quiet "$CXX" $FLAG -flto=thin -shared -fPIC thin2-work.o thin2-catch.o -o libthin.so && notes_hold libthin.so 2
quiet "$CXX" $FLAG -flto=thin -Wl,--gc-sections $objects -o x-gc && holds x-gc 3

# A function to be left alone stays so through inlining and merging.
for x in x-thin2 x-full2; do
	"$BIN/dynopt" notes --json $x | grep -q 'disabled in the source\|"USER"\|"user"' ||
		bad "$x: twin_disabled is not marked"
done

# Other linkers: one line, and an ordinary program.
gold=$("$CXX" $FLAG -flto=thin -fuse-ld=gold $objects -o x-gold 2>&1) || :
case $gold in
"dynopt-clang: warning: LTO through gold: "*) pass ;;
*) bad "LTO through gold says: $gold" ;;
esac
[ ! -x x-gold ] || runs x-gold

summary
