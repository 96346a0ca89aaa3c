#!/bin/sh
# SPDX-License-Identifier: MIT
#
# waits.sh BUILD PROGRAM - the report names the load for which a program waits (src/chase.c): in the function `chase`.

set -eu
dynopt=$1/bin/dynopt
program=$2
folder=$(mktemp -d)
export DYNOPT_REMEMBER=no # no run begins with what another has left
trap 'rm -rf "$folder"' EXIT

out=$("$dynopt" run --report="$folder/report" --status-dir="$folder" -- "$program")
if grep -q "nothing can be sampled" "$folder/report"; then
	echo "SKIP: $(grep "nothing can be sampled" "$folder/report")"
	exit 77
fi
[ "$out" = ok ] || {
	echo "out: $out"
	exit 1
}
# Samples of earlier runs are no part of it, of the report as little as of what is waited for.
for round in 1 2; do
	DYNOPT_REMEMBER=yes XDG_CACHE_HOME=$folder/cache "$dynopt" run --report="$folder/report.warm" --status-dir="$folder" -- "$program" >"$folder/out"
	grep -q '^ok$' "$folder/out" && [ -s "$folder/report.warm" ] || {
		echo "round $round, remembered: $(cat "$folder/out")"
		exit 1
	}
done
grep -q 'begun with' "$folder/report.warm" || {
	cat "$folder/report.warm"
	exit 1
}
# A processor and a memory that are not this loop's bottleneck show none.
if ! grep -q 'waits for memory' "$folder/report"; then
	echo "SKIP: no load stands out in the samples on this machine"
	exit 77
fi
if ! grep -Eq '^ +[0-9.]+ % waits for memory: the load at chase\+' "$folder/report"; then
	cat "$folder/report"
	exit 1
fi
