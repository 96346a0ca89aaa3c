#!/bin/sh
# SPDX-License-Identifier: MIT
#
# again.sh BUILD PROGRAM - a program that begins with samples of another hot path than it has gets other translations in place of the
# first ones, or none where none is worth it any more, and computes the same.

set -eu
dynopt=$1/bin/dynopt
program=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

run() # WAY OPTION...
{
	way=$1
	shift
	rm -f "$folder"/*.dynopt
	out=$("$dynopt" run --budget=200 --modules="$(basename "$program")" --status-dir="$folder" "$@" -- \
		"$program" "$folder" "$way")
	"$dynopt" report --json --file="$(ls "$folder"/*.dynopt)" >"$folder/report"
	if grep -q '"cause": *"SAMPLER"' "$folder/report"; then
		[ "$out" = ok ] || exit 1
		echo "SKIP: $(grep cause_text "$folder/report")"
		exit 77
	fi
	[ "$out" = "ok done" ] || {
		echo "way $way: $out"
		cat "$folder/report"
		exit 1
	}
}

# Three hundred of the samples of another way than WAY: soon there are more of its own.
begin_with() # OTHER WAY
{
	run "$1" --keep-samples="$folder/all"
	awk -v of="$(awk '{ n += $4 } END { print n }' "$folder/all")" \
		'{ n = int($4 * 300 / of + 0.5); if (n) print $1, $2, $3, n }' "$folder/all" >"$folder/samples"
	run "$2" --samples="$folder/samples"
}

wanted()
{
	for wanted in "$@"; do
		grep -q "$wanted" "$folder/report" || {
			echo "no $wanted in the report"
			cat "$folder/report"
			exit 1
		}
	done
}

begin_with 2 3
wanted '"withdrawn": *[1-9]'
begin_with 0 1
wanted '"state": *"RUNNING"' '"replaced": *[1-9]' '"translated": *[1-9]'
# Rows of translations are as many as there are, without those that were replaced.
"$dynopt" report --json --translations --file="$(ls "$folder"/*.dynopt)" >"$folder/report"
rows=$(grep -c '"head":' "$folder/report")
wanted=$(sed -n 's/.*"translated": *\([0-9]*\).*/\1/p' "$folder/report" | head -n 1)
[ "$rows" = "$wanted" ] || {
	echo "$rows rows of translations, not $wanted"
	exit 1
}
