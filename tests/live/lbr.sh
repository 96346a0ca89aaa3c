#!/bin/sh
# SPDX-License-Identifier: MIT
#
# lbr.sh BUILD PROGRAM - where the processor keeps branches, the sampler `lbr` is used and what is hot gets translated; elsewhere doctor says why not, and a
# run that insists on it says so and runs as ever.

set -eu
dynopt=$1/bin/dynopt
program=$2
folder=$(mktemp -d)
export DYNOPT_REMEMBER=no # no run begins with what another has left
trap 'rm -rf "$folder"' EXIT

"$dynopt" doctor >"$folder/doctor" || true
wanted=RUNNING said="ok translated" sampler=lbr seconds=60
if ! grep -q "^ok *lbr " "$folder/doctor"; then
	grep -A1 "^warn *lbr  *lbr does not work: ." "$folder/doctor" >"$folder/why" || {
		cat "$folder/doctor"
		exit 1
	}
	wanted=FAILED said="ok text" sampler=none seconds=1
fi
out=$("$dynopt" run --all --sampler=lbr --status-dir="$folder" -- "$program" "$seconds")
"$dynopt" report --json --file="$(ls "$folder"/*.dynopt)" >"$folder/report"
if [ "$out" != "$said" ] || ! grep -q "\"state\": *\"$wanted\"" "$folder/report" ||
	! grep -q "\"sampler\": *\"$sampler\"" "$folder/report"; then
	echo "out: $out"
	cat "$folder/report"
	exit 1
fi
[ "$wanted" = RUNNING ] || {
	echo "SKIP: $(tr -s ' \n' ' ' <"$folder/why")"
	exit 77
}
