#!/bin/sh
# SPDX-License-Identifier: MIT
#
# threads.sh BUILD PROGRAM - threads that have been there since before are sampled as rarely as is wanted now, and what they use is counted once: the kernel does not change the period of their
# events. The program's module is never read, so samples are wanted rarely.

set -eu
dynopt=$1/bin/dynopt
folder=$(mktemp -d)
export DYNOPT_REMEMBER=no
trap 'rm -rf "$folder"' EXIT

cp "$2" "$folder/large"
truncate -s 1G "$folder/large"
out=$("$dynopt" run --modules=large --status-dir="$folder" -- "$folder/large")
"$dynopt" report --json --file="$(ls "$folder"/*.dynopt)" >"$folder/report"

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

case $(value sampler) in
timer)
	echo "SKIP: perf_event_open is refused here"
	exit 77
	;;
esac
[ "$out" = ok ] || fail "other results"
# 200 in as many ms, then one in 4 ms of 4 s: 1150, and 4000 if they came each ms.
[ "$(value samples)" -gt 300 ] || fail "too few samples to tell"
[ "$(value samples)" -lt 2000 ] || fail "threads are sampled as often as when they were made"
