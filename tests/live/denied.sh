#!/bin/sh
# SPDX-License-Identifier: MIT
#
# denied.sh BUILD PROGRAM DENY - where what was writable may not become executable, text is replaced by way of /proc/self/mem,
# undone and applied again as everywhere; where that is denied, too, the program runs as it is and the report says why.

set -eu
dynopt=$1/bin/dynopt
program=$2
deny=$3
cycles=200
folder=$(mktemp -d)
export DYNOPT_REMEMBER=no # no run begins with what another has left
trap 'rm -rf "$folder"' EXIT

fail()
{
	echo "$*"
	exit 1
}

report()
{
	"$dynopt" report --json --file="$(ls "$folder"/*.dynopt)" >"$folder/report.json"
	rm -f "$folder"/*.dynopt
}

result=0
out=$("$deny" "$dynopt" run --eager --all --status-dir="$folder" --cycles=$cycles --modules="$(basename "$program")" -- \
	"$program" "$folder" $cycles) || result=$?
case $out in
SKIP*)
	echo "$out"
	exit $result
	;;
"ok $cycles") ;;
*) fail "by /proc/self/mem: '$out'" ;;
esac
report
grep -qE "\"cycles\": ?$cycles\b" "$folder/report.json" || fail "the report tells of another number of cycles"
"$deny" "$dynopt" doctor >"$folder/doctor" || fail "doctor: $(cat "$folder/doctor")"
grep -q "gate.*/proc/self/mem" "$folder/doctor" || fail "doctor: $(grep gate "$folder/doctor")"

out=$("$deny" -w "$dynopt" run --eager --all --status-dir="$folder" -- "$program" "$folder" 0)
[ "$out" = "ok 0" ] || fail "with no way at all: '$out'"
report
grep -q '"cause": *"GATE"' "$folder/report.json" || fail "the report does not say why: $(cat "$folder/report.json")"
grep -q PLAN_GATE "$folder/report.json" || fail "the report does not say PLAN_GATE: $(cat "$folder/report.json")"
! grep -q '"state": *"RUNNING"' "$folder/report.json" || fail "the report says that translations are live"
! "$deny" -w "$dynopt" doctor >"$folder/doctor" || fail "doctor finds nothing missing"
grep -q "missing  *gate" "$folder/doctor" || fail "doctor: $(grep gate "$folder/doctor")"
