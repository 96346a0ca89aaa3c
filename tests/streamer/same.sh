#!/bin/sh
# SPDX-License-Identifier: MIT
#
# same.sh BIN CLANG OBJCOPY - what -fdynopt-jumpstations may and may not change.
#
# Compiles each source plain and flagged, and asks same_code whether only slots,
# prefixes and long branches were added; compiles again, and with -g, and wants
# the same code and records byte by byte; runs C++ exceptions through it. Every
# failure names the source and the options.

BIN=$1 CLANG=$2 OBJCOPY=$3
src=$(cd "$(dirname "$0")/src" && pwd)
lab=$(mktemp -d)
trap 'rm -rf "$lab"' EXIT
cd "$lab" || exit 1
failed=0

bad()
{
	failed=$((failed + 1))
	echo "FAIL $*"
}

# Everything loaded that -g could change: code and records.
loaded() # OBJECT OUT
{
	"$OBJCOPY" -O binary -j '.text*' -w "$1" "$2" &&
		"$OBJCOPY" -O binary -j .dynopt.rec "$1" "$2.rec"
}

compare() # SOURCE OPTIONS...
{
	source=$1
	shift
	if ! "$CLANG" -w "$@" -c "$src/$source" -o plain.o 2>out; then
		bad "$source $*: plain clang"
		cat out
		return
	fi
	if ! "$BIN/dynopt-clang" -fdynopt-jumpstations -w "$@" -c "$src/$source" -o flagged.o \
		>out 2>&1; then
		bad "$source $*: compile"
		cat out
		return
	fi
	"$BIN/same_code" plain.o flagged.o || bad "$source $*: not the same code"
	"$BIN/dynopt" notes --check flagged.o >out 2>&1 || {
		bad "$source $*: check"
		cat out
	}
	"$BIN/dynopt-clang" -fdynopt-jumpstations -w "$@" -c "$src/$source" -o again.o
	cmp -s flagged.o again.o || bad "$source $*: another object the second time"
	"$BIN/dynopt-clang" -fdynopt-jumpstations -w "$@" -g -c "$src/$source" -o debug.o
	loaded flagged.o flagged.bin
	loaded debug.o debug.bin
	cmp flagged.bin debug.bin || bad "$source $*: -g changes code"
	cmp flagged.bin.rec debug.bin.rec || bad "$source $*: -g changes records"
}

compare tables.c -O0 -fPIC
for options in -O0 -O2 "-Os -fcf-protection -ffunction-sections"; do
	for source in tables.c asm.c throw.cpp catch.cpp moves.c; do
		# shellcheck disable=SC2086 # a list of options
		compare $source $options
	done
done
compare reach.c -O1
compare tables.c -O2 -fPIC -mcmodel=large
compare asm.c -O2 -mharden-sls=all

# same_code is no yes-man
"$CLANG" -O1 -c "$src/tables.c" -o plain.o
"$CLANG" -O1 -Dtwo=other -c "$src/tables.c" -o renamed.o
"$CLANG" -O1 "-D__builtin_abs(x)=x" -c "$src/asm.c" -o other.o
"$BIN/same_code" plain.o other.o >out && bad "same_code takes other programs for the same"
"$BIN/same_code" plain.o renamed.o >out && bad "same_code does not look at symbols"

# a tail call that looks like a table jump is not one: the function's table has one jump
"$BIN/dynopt-clang" -fdynopt-jumpstations -O2 -fPIC -c "$src/tables.c" -o t.o
"$BIN/dynopt" notes t.o | grep -q 'jump tables *3 with 18 entries' ||
	bad "tables.c: tables are not three of six entries, each with one jump"

# handlers of traps know ud2 and rdtsc by their first byte
"$BIN/dynopt-clang" -fdynopt-jumpstations -O2 -c "$src/asm.c" -o t.o
"$OBJCOPY" -O binary -j .text t.o t.bin
od -An -v -tx1 t.bin | tr -d ' \n' | grep -qE '2e(0f0b|0f31)' && bad "a prefix before ud2 or rdtsc"

for options in -O0 -O2 "-O2 -g" -Os; do
	for source in throw.cpp catch.cpp; do
		# shellcheck disable=SC2086 # a list of options
		"$BIN/dynopt-clang++" -fdynopt-jumpstations=budget:6 $options "$src/$source" -o flagged
		"$CLANG" --driver-mode=g++ -O1 "$src/$source" -o plain
		[ -n "$(./plain)" ] || bad "$source: plain"
		[ "$(./flagged)" = "$(./plain)" ] || bad "$source $options: output"
	done
done
echo "$failed failed"
[ "$failed" = 0 ]
