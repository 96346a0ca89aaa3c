#!/bin/sh
# SPDX-License-Identifier: MIT
#
# walk.sh BUILD PROGRAM - by itself the sampler `walk` is used where perf_event_open is allowed: walks go on from samples, straight runs of instructions in each, while
# `ip` makes none; the program's results are its own with both. Where nothing can be done with samples there are no walks, and fewer samples.

set -eu
dynopt=$1/bin/dynopt
program=$2
folder=$(mktemp -d)
export DYNOPT_REMEMBER=no # no run begins with what another has left
trap 'rm -rf "$folder"' EXIT

seconds=60
all=--all
run() # [OPTION]
{
	rm -f "$folder"/*.dynopt
	out=$("$dynopt" run ${all:+"$all"} "$@" --status-dir="$folder" -- "$program" "$seconds")
	"$dynopt" report --json --file="$(ls "$folder"/*.dynopt)" >"$folder/report"
}

value() # KEY
{
	sed -n "s/^ *\"$1\": *\"\{0,1\}\([A-Za-z0-9]*\).*/\1/p" "$folder/report" | head -1
}

fail()
{
	echo "$*, out: $out"
	cat "$folder/report"
	exit 1
}

run
case $(value sampler) in
timer)
	echo "SKIP: perf_event_open is refused here"
	exit 77
	;;
esac
[ "$(value sampler)" != ip ] || {
	echo "SKIP: there is no memory for larger rings (kernel.perf_event_mlock_kb)"
	exit 77
}
[ "$(value sampler)" = walk ] || [ "$(value sampler)" = lbr ] || fail "sampler $(value sampler)"
[ "$out" = "ok translated" ] || fail "by itself"
run --sampler=walk
[ "$out" = "ok translated" ] || fail "walk"
[ "$(value walks)" -gt 0 ] || fail "no walks"
# This program's hot code is all integers: its ways can be followed.
[ "$(value walk_runs)" -gt $((8 * $(value walks))) ] || fail "walks that end at once"
[ "$(value walk_instructions)" -gt "$(value walk_runs)" ] || fail "runs of nothing"
run --sampler=ip
[ "$out" = "ok translated" ] || fail "ip"
[ "$(value walks)" = 0 ] || fail "walks without registers"

# A module that is never read, as its file is too large for the time that is spent in it, has samples and no walks.
cp "$program" "$folder/large"
truncate -s 1G "$folder/large"
program=$folder/large
seconds=1
run --sampler=walk --modules=large
[ "$out" = "ok text" ] || fail "never read"
[ "$(value samples)" -gt 64 ] || fail "too few samples to tell"
[ "$(value walks)" = 0 ] || fail "walks in a module that is not read"

# Once there are samples enough for it to be read, and no budget, they are rare: not one each millisecond.
all=
seconds=2
run --sampler=walk --modules=large
[ "$out" = "ok text" ] || fail "never read, without --all"
[ "$(value samples)" -gt 64 ] || fail "too few samples to tell, without --all"
[ "$(value samples)" -lt 1200 ] || fail "samples are taken as often as if something could be done with them"
