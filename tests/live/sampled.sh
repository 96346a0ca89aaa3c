#!/bin/sh
# SPDX-License-Identifier: MIT
#
# sampled.sh BUILD PROGRAM - what is hot is found and translated while the program runs (src/hot.c), and undone when its text is
# made writable; where nothing can be sampled the status says so and the program runs as ever. What was sampled is kept, and is enough for
# a run that takes no samples: same file, same translations.

set -eu
dynopt=$1/bin/dynopt
program=$2
folder=$(mktemp -d)
export DYNOPT_REMEMBER=no # no run begins with what another has left
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
out=$("$dynopt" run --sample --all --keep-samples="$folder/samples" --status-dir="$folder" -- "$program")
report >"$folder/report"
if grep -q '"cause": *"SAMPLER"' "$folder/report"; then
	[ "$out" = "ok text" ] || exit 1
	echo "SKIP: $(grep cause_text "$folder/report")"
	exit 77
fi
for wanted in '"mode": *"sampled"' '"state": *"RUNNING"' '"translated": *[1-9]' '"samples": *[1-9]' \
	'"samples_cache": *[1-9]' '"batches": *[1-9]' '"samples_ns": *[1-9]' '"reading_ns": *[1-9]' '"proving_ns": *[1-9]'; do
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

name=$(basename "$program")
grep -qE "^samples $name 0x[0-9a-f]+ [1-9][0-9]*\$" "$folder/samples" || {
	echo "no samples of $name were kept"
	exit 1
}
# What it is started with; leaves translations in $folder/made.
again() # SAMPLES
{
	rm -f "$folder"/*.dynopt
	out=$("$dynopt" run --all --no-agent --samples="$1" --status-dir="$folder" -- "$program" 1)
	"$dynopt" report --translations --file="$(ls "$folder"/*.dynopt)" | grep '^ *0x' >"$folder/made" || true
	report >"$folder/report"
}
again "$folder/samples"
grep -q '"TRANSLATED": *[1-9]' "$folder/report" || {
	echo "no sample is in a translated tree"
	cat "$folder/report"
	exit 1
}
cp "$folder/made" "$folder/made.first"
if [ "$out" != "ok text" ] || [ ! -s "$folder/made" ] || ! grep -q '"samples": *0\b' "$folder/report"; then
	echo "from kept samples: $out"
	cat "$folder/made" "$folder/report"
	exit 1
fi
again "$folder/samples"
cmp "$folder/made.first" "$folder/made"
echo "nonsense" >"$folder/nonsense"
again "$folder/nonsense"
if [ "$out" != "ok text" ] || ! grep -q '"cause": *"SAMPLES"' "$folder/report"; then
	echo "from nonsense: $out"
	exit 1
fi
