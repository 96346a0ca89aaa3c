#!/bin/sh
# SPDX-License-Identifier: MIT
#
# demo.sh BUILD [QUICK] - runs programs alone and under `dynopt run`, both at once, and says what came of it: sqlite (its own benchmark) and
# lua, compiled from Debian's sources with the flag, and perl as Debian has compiled it, without. Called by `./dev demo`.
#
# Every output is compared. Time is CPU time, user and system, the agent's included, the ratio with its interval (demo/ratio.awk),
# whatever it says. Both share one processor, so that whatever else happens on the machine hits both alike. With QUICK: lua and perl, two short rounds, for the tests.
#
# Exit code 0 if all outputs are equal; 77 with the reason when the sources cannot be had.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
quick=${2:+1}
dynopt=$build/bin/dynopt
measure=$build/bench/tool/bench-run
demo=$build/demo${quick:+-quick}
rounds=${quick:+2}
rounds=${rounds:-4}
remember=--no-remember # each run begins cold
limit_s=600
processor=$(taskset -pc $$ | sed 's/.*[^0-9]//') # the last one that is allowed
mkdir -p "$demo"
export DYNOPT_PROGRAM_LDFLAGS=-fuse-ld=lld

say()
{
	printf '\n==> %s\n' "$*"
}

# Of speedtest1's output all but the times.
without_times()
{
	sed 's/ *[0-9][0-9.]*s$//'
}

# Runs a command; its output goes to $demo/KIND.out, its CPU time in microseconds to $demo/KIND.time.
run() # KIND COMMAND...
{
	kind=$demo/$1
	shift
	result=$(taskset -c "$processor" "$measure" $limit_s /dev/null "$kind.raw" "$kind.err" "$@" 3>&1)
	# shellcheck disable=SC2086 # status, user, system, helpers, ...: see bench/run.c
	set -- "$*" $result
	[ "$2" = 0 ] || {
		echo "FAILED (wait status $2): $1"
		tail -n 20 "$kind.err"
		exit 1
	}
	echo $(($3 + $4 + $5)) >"$kind.time"
	without_times <"$kind.raw" >"$kind.out"
}

under() # KIND COMMAND...
{
	kind=$1
	shift
	run "$kind" "$dynopt" run --sample $remember --status-dir="$demo/status" --report="$demo/$kind.report" -- "$@"
}

compare() # NAME PROGRAM [ARGUMENT...]
{
	name=$1
	shift
	say "$name: $rounds rounds, alone and under dynopt run at once"
	: >"$demo/$name.times"
	for round in $(seq "$rounds"); do
		run alone "$@" &
		other=$!
		under "$name" "$@"
		wait $other
		cmp "$demo/alone.out" "$demo/$name.out"
		echo "$(cat "$demo/alone.time") $(cat "$demo/$name.time")" >>"$demo/$name.times"
	done
	printf '    output    %d lines, equal in all rounds\n' "$(wc -l <"$demo/alone.out")"
	printf '    CPU time  %s\n' "$(awk -f "$here/demo/ratio.awk" "$demo/$name.times")"
}

built() # ROW PROGRAM
{
	"$here/run.sh" "$build" build "$1" flag "$demo/$1"
	"$dynopt" notes --check "$demo/$1/$2" >"$demo/check" || {
		cat "$demo/check"
		exit 1
	}
}

rm -rf "$demo/status" "$demo/cache"
export XDG_CACHE_HOME="$demo/cache"
mkdir -m 700 "$demo/status"
if [ "$quick" ]; then
	say "lua, compiled with dynopt-clang -O2 -fdynopt-jumpstations"
	built lua lua
	compare lua "$demo/lua/lua" "$here/demo/sort.lua" 50
	compare perl /usr/bin/perl "$here/demo/words.pl" 150
	exit
fi

say "sqlite and lua from Debian's source packages, compiled with dynopt-clang -O2 -fdynopt-jumpstations"
built speedtest1 speedtest1
built lua lua
echo "    their notes agree with their code (dynopt notes --check)"
compare sqlite "$demo/speedtest1/speedtest1" --size 250 :memory:
compare lua "$demo/lua/lua" "$here/demo/sort.lua" 600
say "the same, half as long, as it runs the second time and later: earlier runs are remembered"
remember=
under lua-first "$demo/lua/lua" "$here/demo/sort.lua" 300
compare lua-again "$demo/lua/lua" "$here/demo/sort.lua" 300
remember=--no-remember
compare perl /usr/bin/perl "$here/demo/words.pl" 3000

say "the report on lua (dynopt report): what is hot, what was translated, what was refused and why"
cat "$demo/lua.report"

cat <<'TEXT'

No program was stopped, restarted or recompiled, and the outputs are those of the programs alone. perl is Debian's
own, without the flag. What translations save and cost elsewhere is in the README's figures. With your own program:

    build/bin/dynopt-clang -O2 -fdynopt-jumpstations prog.c -o prog
    build/bin/dynopt run --report -- ./prog
TEXT
