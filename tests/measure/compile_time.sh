#!/bin/bash
# SPDX-License-Identifier: MIT
#
# compile_time.sh - how much longer a compilation takes with the flag. Called by
# measure.sh; prints rows for its table.
#
#     compile_time.sh BUILD SOURCES WORK
#
# User+sys time of the whole compilation, plain and flagged in turns so that a
# neighbour's load meets both, the order reversed every other round. The figure is
# the ratio (for an empty file: the difference) of medians over $ROUNDS rounds.

set -eu
build=$1
sources=$2
work=$3
here=$(cd "$(dirname "$0")" && pwd)
rounds=${ROUNDS:-9}
plain_cc=${DYNOPT_PLAIN_CC:-clang-19}
TIMEFORMAT='%3U %3S'
: >"$work/empty.c"
DYNOPT_SOURCES=$sources "$here/../programs/source.sh" lua5.4 duktape >/dev/null
lua=$sources/lua5.4/src
mkdir -p "$work/include"
echo '#define DEB_HOST_MULTIARCH "x86_64-linux-gnu"' >"$work/include/lua5.4-deb-multiarch.h"

# Seconds for N compilations of the files with the compiler line after --.
seconds() # N FILE... -- COMPILER...
{
	local n=$1 files=() i file
	shift
	while [ "$1" != -- ]; do
		files+=("$1")
		shift
	done
	shift
	{ time for ((i = 0; i < n; i++)); do
		for file in "${files[@]}"; do
			"$@" -c "$file" -o "$work/time.o" 2>/dev/null || exit 1
		done
	done; } 2>&1 | awk '{ printf "%.3f\n", $1 + $2 }'
}

median()
{
	sort -n "$1" | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# Fills $work/time.plain and $work/time.flag.
compare() # N FLAGS FILE...
{
	local n=$1 flags=$2 round
	shift 2
	: >"$work/time.plain"
	: >"$work/time.flag"
	for ((round = 0; round < rounds; round++)); do
		# shellcheck disable=SC2086 # flags are a list
		if ((round % 2)); then
			seconds "$n" "$@" -- "$build/bin/dynopt-clang" -fdynopt-jumpstations $flags >>"$work/time.flag"
			seconds "$n" "$@" -- "$plain_cc" $flags >>"$work/time.plain"
		else
			seconds "$n" "$@" -- "$plain_cc" $flags >>"$work/time.plain"
			seconds "$n" "$@" -- "$build/bin/dynopt-clang" -fdynopt-jumpstations $flags >>"$work/time.flag"
		fi
	done
}

ratio() # SUBJECT FIGURE LIMIT
{
	printf '%s\t%s\t%s\tx\t%s\n' "$1" "$2" "$(awk -v a="$(median "$work/time.flag")" \
		-v b="$(median "$work/time.plain")" 'BEGIN { printf "%.3f", a / b }')" "$3"
}

for level in 2 0; do
	limit='<= 1.05'
	[ $level = 2 ] || limit='<= 1.10'
	printf '    timing -O%s, %s rounds\n' $level "$rounds" >&2
	compare 1 "-O$level -I$work/include -DLUA_USE_LINUX" "$lua"/l[a-z]*.c
	ratio lua "compile time at -O$level" "$limit"
	compare 1 "-O$level -I$sources/duktape/src" "$sources/duktape/src/duktape.c"
	ratio duktape "compile time at -O$level" "$limit"
done
printf '    timing an empty file, %s rounds of 20\n' "$rounds" >&2
compare 20 "-O2" "$work/empty.c"
printf 'empty file\tadded compile time\t%s\tms\t<= 10\n' \
	"$(awk -v a="$(median "$work/time.flag")" -v b="$(median "$work/time.plain")" \
		'BEGIN { printf "%.1f", (a - b) * 1000 / 20 }')"
