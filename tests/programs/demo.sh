#!/bin/sh
# SPDX-License-Identifier: MIT
#
# demo.sh BUILD [QUICK] - runs programs alone and under `dynopt run`, in turns, and says what came of it: sqlite (its own benchmark) and
# lua, compiled from Debian's sources with the flag, and perl as Debian has compiled it, without. Called by `./dev demo`.
#
# Every output is compared. Time is CPU time, user and system, the agent's included, the ratio with its interval (demo/ratio.awk),
# whatever it says. With QUICK: lua and perl, two short rounds, for the tests.
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

# Runs a command; its output goes to $demo/out, its CPU time to $cpu_us.
run() # COMMAND...
{
	result=$("$measure" $limit_s /dev/null "$demo/out.raw" "$demo/err" "$@" 3>&1)
	# shellcheck disable=SC2086 # status, user, system, helpers, ...: see bench/run.c
	set -- "$*" $result
	[ "$2" = 0 ] || {
		echo "FAILED (wait status $2): $1"
		tail -n 20 "$demo/err"
		exit 1
	}
	cpu_us=$(($3 + $4 + $5))
	without_times <"$demo/out.raw" >"$demo/out"
}

alone()
{
	run "$@"
	alone_us=$cpu_us
	mv "$demo/out" "$demo/out.alone"
}

under()
{
	run "$dynopt" run --sample $remember --status-dir="$demo/status" --report="$demo/$name.report" -- "$@"
	under_us=$cpu_us
	mv "$demo/out" "$demo/out.dynopt"
}

# In turns, and who is first takes turns, too.
compare() # NAME PROGRAM [ARGUMENT...]
{
	name=$1
	shift
	say "$name: $rounds rounds, alone and under dynopt run"
	: >"$demo/$name.times"
	for round in $(seq "$rounds"); do
		if [ $((round % 2)) = 1 ]; then
			alone "$@"
			under "$@"
		else
			under "$@"
			alone "$@"
		fi
		cmp "$demo/out.alone" "$demo/out.dynopt"
		echo "$alone_us $under_us" >>"$demo/$name.times"
	done
	printf '    output    %d lines, equal in all rounds\n' "$(wc -l <"$demo/out.alone")"
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
run "$dynopt" run --sample --status-dir="$demo/status" -- "$demo/lua/lua" "$here/demo/sort.lua" 300
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
