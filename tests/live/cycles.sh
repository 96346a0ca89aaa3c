#!/bin/sh
# SPDX-License-Identifier: MIT
#
# cycles.sh BUILD PROGRAM - everything patched, undone and patched again while threads execute it: 1,000 times the
# program's own text, 20 times libc's as well. Results stay right, and a loop that never ends goes on.

set -eu
dynopt=$1/bin/dynopt
program=$2
folder=$(mktemp -d)
export DYNOPT_REMEMBER=no # no run begins with what another has left
trap 'rm -rf "$folder"' EXIT

run() # CYCLES OPTION...
{
	cycles=$1
	shift
	out=$("$dynopt" run --eager --all --status-dir="$folder" --cycles="$cycles" "$@" -- \
		"$program" "$folder" "$cycles")
	[ "$out" = "ok $cycles" ] || {
		echo "wanted 'ok $cycles', got '$out'"
		exit 1
	}
	"$dynopt" report --json --file="$(ls "$folder"/*.dynopt)" >"$folder/report.json"
	grep -qE "\"cycles\": ?$cycles\b" "$folder/report.json" || {
		echo "the report tells of another number of cycles:"
		grep cycles "$folder/report.json"
		exit 1
	}
	rm -f "$folder"/*.dynopt
}

run 1000 --modules="$(basename "$program")"
run 20
