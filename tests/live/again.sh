#!/bin/sh
# SPDX-License-Identifier: MIT
#
# again.sh BUILD PROGRAM - a program that begins with samples of another hot path than it has gets other translations in place of the
# first ones, or none where none is worth it any more, and computes the same.

set -eu
dynopt=$1/bin/dynopt
program=$2
folder=$(mktemp -d)
export DYNOPT_REMEMBER=no # no run begins with what another has left
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

# So many of the samples of another way than WAY, and of what was seen of its branches: soon there are more of its own.
begin_with() # OTHER WAY SAMPLES SEEN
{
	run "$1" --keep-samples="$folder/all"
	awk -v samples="$3" -v seen="$4" \
		-v of="$(awk '$1 == "samples" { n += $4 } END { print n }' "$folder/all")" \
		'$1 == "samples" { n = int($4 * samples / of + 0.5); if (n) print $1, $2, $3, n }
		$1 == "run" && seen { print $1, $2, $3, $4, $5, $6 < seen ? $6 : seen }' "$folder/all" >"$folder/samples"
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

begin_with 2 3 1000 200
wanted '"withdrawn": *[1-9]'
begin_with 0 1 300 0
wanted '"state": *"RUNNING"' '"replaced": *[1-9]' '"translated": *[1-9]'
# Rows of translations are as many as there are, without those that were replaced.
"$dynopt" report --json --translations --file="$(ls "$folder"/*.dynopt)" >"$folder/report"
rows=$(grep -c '"head":' "$folder/report")
wanted=$(sed -n 's/.*"translated": *\([0-9]*\).*/\1/p' "$folder/report" | head -n 1)
[ "$rows" = "$wanted" ] || {
	echo "$rows rows of translations, not $wanted"
	exit 1
}
