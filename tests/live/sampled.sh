#!/bin/sh
# SPDX-License-Identifier: MIT
#
# sampled.sh BUILD PROGRAM - what is hot is found and translated while the program runs (src/hot.c), and undone when its text is
# made writable; where nothing can be sampled the status says so and the program runs as ever.

set -eu
dynopt=$1/bin/dynopt
program=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

report()
{
	"$dynopt" report --json --file="$(ls "$folder"/*.dynopt)"
}

out=$("$program" 1)
[ "$out" = "ok text" ] || {
	echo "plain: $out"
	exit 1
}
out=$("$dynopt" run --sample --all --status-dir="$folder" -- "$program")
report >"$folder/report"
if grep -q '"cause": *"SAMPLER"' "$folder/report"; then
	[ "$out" = "ok text" ] || exit 1
	echo "SKIP: $(grep cause_text "$folder/report")"
	exit 77
fi
for wanted in '"mode": *"sampled"' '"state": *"RUNNING"' '"translated": *[1-9]' '"samples": *[1-9]' \
	'"samples_cache": *[1-9]' '"batches": *[1-9]'; do
	grep -q "$wanted" "$folder/report" || {
		echo "no $wanted in the report"
		cat "$folder/report"
		exit 1
	}
done
[ "$out" = "ok translated" ] || {
	echo "sampled: $out"
	exit 1
}
