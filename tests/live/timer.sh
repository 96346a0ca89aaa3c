#!/bin/sh
# SPDX-License-Identifier: MIT
#
# timer.sh BUILD HOT TIMED DENY - where perf_event_open is refused, a timer's signal finds what is hot, and a program that wants this signal has it.

set -eu
dynopt=$1/bin/dynopt
hot=$2
timed=$3
deny=$4
folder=$(mktemp -d)
export DYNOPT_REMEMBER=no # no run begins with what another has left
trap 'rm -rf "$folder"' EXIT

fail()
{
	echo "$*"
	[ ! -s "$folder/report" ] || cat "$folder/report"
	exit 1
}

report()
{
	"$dynopt" report --json --file="$(ls "$folder"/*.dynopt)" >"$folder/report"
	rm -f "$folder"/*.dynopt
}

expect() # PATTERN...
{
	for wanted; do
		grep -q "$wanted" "$folder/report" || fail "no $wanted in the report"
	done
}

out=$("$deny" -p "$dynopt" run --all --status-dir="$folder" -- "$hot") || case $out in
SKIP*)
	echo "$out"
	exit 77
	;;
esac
report
[ "$out" = "ok translated" ] || fail "refused: $out"
expect '"sampler": *"timer"' '"state": *"RUNNING"' '"translated": *[1-9]' '"samples_cache": *[1-9]' '"walks": *[1-9]' \
	'"walk_runs": *[1-9]'

out=$("$deny" -p "$dynopt" run --all --sampler=ip --status-dir="$folder" -- "$hot" 1)
report
[ "$out" = "ok text" ] || fail "refused, and no other way wanted: $out"
expect '"sampler": *"none"' '"state": *"FAILED"' '"cause": *"SAMPLER"'

out=$("$dynopt" run --all --sampler=timer --status-dir="$folder" -- "$timed")
report
[ "$out" = ok ] || fail "the signal: $out"
expect '"sampler": *"timer"' '"samples": *[1-9]' '"cause": *"SAMPLER"'

"$deny" -p "$dynopt" doctor >"$folder/doctor" || fail "doctor: $(cat "$folder/doctor")"
grep -q "sampler.*timer.*perf_event_open" "$folder/doctor" || fail "doctor: $(cat "$folder/doctor")"
if "$dynopt" run --sampler=guess -- true 2>"$folder/said"; then
	fail "an unknown sampler was taken"
fi
grep -q guess "$folder/said" || fail "said of an unknown sampler: $(cat "$folder/said")"
