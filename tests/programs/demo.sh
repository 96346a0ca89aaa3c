#!/bin/sh
# SPDX-License-Identifier: MIT
#
# demo.sh BUILD - compiles sqlite (its own benchmark) and lua from Debian's sources with the flag, runs each
# alone and under `dynopt run`, compares the outputs, and shows the reports: everything translated before main(), then
# what is hot, found while it runs. Then programs that Debian has compiled, without the flag. Called by `./dev demo`.
#
# Exit code 0 if all outputs are equal; 77 with the reason when the sources cannot be had.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
dynopt=$build/bin/dynopt
demo=$build/demo
mkdir -p "$demo"
export DYNOPT_PROGRAM_LDFLAGS=-fuse-ld=lld

say()
{
	printf '\n==> %s\n' "$*"
}

# Times are no result: speedtest1 prints some.
without_times()
{
	sed 's/ *[0-9][0-9.]*s$//'
}

# Alone and under dynopt; the report of the second run goes to $demo/report.
both() # NAME MODE PROGRAM [ARGUMENT...]
{
	name=$1 mode=$2
	shift 2
	"$@" 2>&1 | without_times >"$demo/$name.alone"
	"$dynopt" run "--$mode" --report="$demo/report" -- "$@" 2>&1 | without_times >"$demo/$name.dynopt"
	cmp "$demo/$name.alone" "$demo/$name.dynopt"
	printf '    %-28s %6d lines of output, equal\n' "$name" "$(wc -l <"$demo/$name.dynopt")"
}

show_report()
{
	sed "s,$demo,build/demo,g" "$demo/report"
}

say "sqlite and lua from Debian's source packages, compiled with dynopt-clang -O2 -fdynopt-jumpstations"
"$here/run.sh" "$build" build speedtest1 flag "$demo/sqlite"
"$here/run.sh" "$build" build lua flag "$demo/lua"
for program in sqlite/speedtest1 lua/lua; do
	"$dynopt" notes --check "$demo/$program" >"$demo/check" || {
		cat "$demo/check"
		exit 1
	}
done
echo "    their notes agree with their code (dynopt notes --check)"

say "everything that is worth it translated before main(): dynopt run --eager -- PROGRAM"
both sqlite eager "$demo/sqlite/speedtest1" --size 10 :memory:
for script in "$here"/scripts/*.lua; do
	both "lua $(basename "$script")" eager "$demo/lua/lua" "$script"
done

say "what is hot, found and translated while it runs: dynopt run -- PROGRAM"
both sqlite sample "$demo/sqlite/speedtest1" --size 150 :memory:
show_report >"$demo/sqlite.report"
both "lua objects.lua" sample "$demo/lua/lua" "$here/../../bench/inputs/objects.lua" 150
echo
echo "    the report on sqlite (dynopt report):"
cat "$demo/sqlite.report"

say "the same with programs that Debian has compiled, without the flag"
seq 1 20000 | awk '{ print ($1 * 7919) % 20011 }' >"$demo/numbers"
both "sort" eager /usr/bin/sort -n "$demo/numbers"
both "gzip" eager /usr/bin/gzip -9 -c "$demo/numbers"

cat <<'TEXT'

The outputs are those of the programs alone, and no program was stopped, restarted or recompiled. What
translations save and cost is in the README's figures. With your own program:

    build/bin/dynopt-clang -O2 -fdynopt-jumpstations prog.c -o prog
    build/bin/dynopt run --report -- ./prog
TEXT
