#!/bin/sh
# SPDX-License-Identifier: MIT
#
# read.sh BUILD PROGRAM - a module is read when CPU time enough was spent in it, however many samples tell that: the timer takes one each 4 ms. What earlier runs have
# sampled counts as much as their CPU time says. Nothing is timed here: all is in samples of the timer, from a file whose size says how long reading it is thought to take.

set -eu
dynopt=$1/bin/dynopt
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -m 700 status
export DYNOPT_SYSTEM_CONFIG="$folder/none" DYNOPT_CONFIG="$folder/none" XDG_CACHE_HOME="$folder/cache"
unset DYNOPT_REMEMBER
cp "$2" large

fail()
{
	echo "$*"
	grep -E '"(samples|remembered|sampler|cause)"' report || true
	exit 1
}

# A whole number of the report, the first of this name.
number() # KEY
{
	sed -n "s/^ *\"$1\": *\([0-9]*\).*/\1/p" report | head -n 1
}

# Until it is translated; then how many samples that took, which are kept for the next run by then.
run()
{
	rm -f status/*
	out=$("$dynopt" run --all --sampler=timer --budget=1000 --modules=large --status-dir=status \
		--report=report --json -- ./large 60 0)
	[ "$out" = "ok translated" ] || fail "not translated: $out"
	agent=$(number agent_pid)
	while [ "${agent:-0}" != 0 ] && kill -0 "$agent" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$agent/status" 2>/dev/null; do
		:
	done
	samples=$(number samples)
}

# With --all three times what reading it takes, at 11 ns a byte: 0.95 s. A sample is 4 ms, or more where signals are missed.
truncate -s 28800000 large
run
[ "$samples" -ge 80 ] || fail "read after $samples samples, which are $((samples * 4)) ms"
[ "$samples" -lt 700 ] || fail "not read before there were $samples samples, which are $((samples * 4)) ms"

# All of those samples are remembered, as they are few, and are of ten milliseconds each if the run was long. So much and a second are wanted now: 250 samples more, where 2.5 for each
# of the first would be more still if these counted for nothing.
kept=$(ls cache/dynopt/*.samples)
sed -i 's/^ran [0-9]*/ran 0000020000/' "$kept"
first=$samples
truncate -s $(((first * 10 + 1000) * 1000000 / 33)) large
run
[ "$(number remembered)" -ge $((first * 3 / 4)) ] || fail "of $first samples $(number remembered) were remembered"
[ "$samples" -ge 50 ] || fail "read after $samples samples, and what $(number remembered) tell"
[ "$samples" -lt $((250 + first)) ] || fail "not read before there were $samples samples, and what $(number remembered) tell"
