#!/bin/sh
# SPDX-License-Identifier: MIT
#
# demo.sh BUILD - compiles lua from Debian's sources without and with the flag,
# runs both on the same script, and shows what the second one carries. Called by
# `./dev demo`. Exit code 0 if the outputs are equal and the notes check out;
# 77 with the reason when the sources cannot be had.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
demo=$build/demo
mkdir -p "$demo"
export DYNOPT_PROGRAM_LDFLAGS=-fuse-ld=lld

say()
{
	printf '\n==> %s\n' "$*"
}

text()
{
	readelf -SW "$1" | sed 's/^ *\[ *[0-9]*\]//' | awk '$1 == ".text" { print $5 }'
}

coverage_of() # VARIANT
{
	"$build/bin/dynopt" notes --coverage "$demo/$1/lua" >"$demo/coverage.out"
	sed "s,^$demo,build/demo," "$demo/coverage.out"
}

say "lua, from Debian's source package: clang-19 -O2, then dynopt-clang -O2 -fdynopt-jumpstations"
"$here/run.sh" "$build" build lua plain "$demo/plain"
"$here/run.sh" "$build" build lua flag "$demo/flag"

say "both run the same scripts"
for script in "$here"/scripts/*.lua; do
	"$demo/plain/lua" "$script" >"$demo/plain.out"
	"$demo/flag/lua" "$script" >"$demo/flag.out"
	cmp "$demo/plain.out" "$demo/flag.out"
	echo "$(basename "$script"): $(wc -l <"$demo/flag.out") lines of output, equal"
done

say "what it cost"
plain_text=$((0x$(text "$demo/plain/lua")))
flag_text=$((0x$(text "$demo/flag/lua")))
awk -v a="$plain_text" -v b="$flag_text" 'BEGIN {
	printf "text %d -> %d bytes: %+.2f %%\n", a, b, 100 * (b - a) / a }'

say "what it got: dynopt notes --coverage build/demo/flag/lua"
coverage_of flag

say "the same question about the plain build: dynopt notes --coverage build/demo/plain/lua"
coverage_of plain

say "are the notes true? dynopt notes --check build/demo/flag/lua"
"$build/bin/dynopt" notes --check "$demo/flag/lua" >"$demo/check.out" || {
	cat "$demo/check.out"
	exit 1
}
tail -n 1 "$demo/check.out"

cat <<'TEXT'

A block that is patchable can be redirected by one atomic write while the program
runs. The optimizer that does so (dynopt run) is not in this tree yet; with your own
program today:

    build/bin/dynopt-clang -O2 -fdynopt-jumpstations prog.c -o prog
    build/bin/dynopt notes --coverage prog
TEXT
