#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh [--rebase] [CASE...] - what dynopt-ir prints, against what cases/CASE.txt says it prints.
#
# A case is one file: why it is there (#), then sections. `== args` is the command line, `== code` hex bytes
# for --bytes (comments allowed), `== asm` source of a shared object that @elf stands for,
# `== in` the standard input, `== out` the output, with the exit code behind it if it is not 0.
# --rebase writes `== out` anew; look at the difference before believing it.
# Environment: DYNOPT_IR (default: the one of the build directory `build`), CC, WORK.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
: "${DYNOPT_IR:=$here/../../build/bin/dynopt-ir}" "${CC:=clang-19}"
rebase=
if [ "${1:-}" = --rebase ]; then
	rebase=1
	shift
fi
if [ -z "${WORK:-}" ]; then
	WORK=$(mktemp -d)
	trap 'rm -rf "$WORK"' EXIT
fi
mkdir -p "$WORK"

section() # FILE NAME
{
	awk -v name="$2" '/^== / { on = $2 == name; next } on { print }' "$1"
}

# Hex digits of the code section without comments and blanks.
code() # FILE
{
	section "$1" code | sed 's/#.*//' | tr -d ' \t\n'
}

build() # FILE: the shared object of a case with an asm section
{
	command -v ld.lld-19 >/dev/null || command -v ld.lld >/dev/null || {
		echo "SKIP: lld is not installed"
		exit 77
	}
	section "$1" asm >"$WORK/case.s"
	"$CC" -fuse-ld=lld -nostdlib -shared -Wl,--section-start=.text=0x10000 \
		-o "$WORK/case.so" "$WORK/case.s"
}

# Prints the output and the exit code of a case.
output() # FILE
{
	bytes=$(code "$1")
	args=$(section "$1" args)
	if [ -n "$(section "$1" asm)" ]; then
		build "$1"
		args=$(printf '%s\n' "$args" | sed "s|@elf|$WORK/case.so|")
	fi
	section "$1" in >"$WORK/in"
	result=0
	# shellcheck disable=SC2086 # words of a command line
	"$DYNOPT_IR" ${bytes:+--bytes "$bytes"} $args <"$WORK/in" 2>&1 || result=$?
	[ "$result" = 0 ] || echo "exit code $result"
}

check() # FILE: 0 if the case passes
{
	output "$1" >"$WORK/out"
	if [ -n "$rebase" ]; then
		awk '/^== out/ { exit } { print }' "$1" >"$WORK/new"
		{
			echo "== out"
			cat "$WORK/out"
		} >>"$WORK/new"
		cmp -s "$WORK/new" "$1" || {
			echo "rebased: $1"
			cp "$WORK/new" "$1"
		}
		return 0
	fi
	section "$1" out >"$WORK/wanted"
	diff -u "$WORK/wanted" "$WORK/out" && return 0
	echo "FAILED: $1; repeat: $0 $(basename "$1" .txt)"
	return 1
}

failed=0
n=0
if [ $# = 0 ]; then
	for file in "$here"/cases/*.txt; do
		set -- "$@" "$(basename "$file" .txt)"
	done
fi
for name; do
	n=$((n + 1))
	check "$here/cases/$name.txt" || failed=$((failed + 1))
done
echo "$n cases, $failed failed"
[ "$failed" = 0 ]
