#!/bin/sh
# SPDX-License-Identifier: MIT
#
# waits.sh BUILD PROGRAM - the report names the load for which a program waits (src/chase.c): in the function `chase`.

set -eu
dynopt=$1/bin/dynopt
program=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

out=$("$dynopt" run --report="$folder/report" --status-dir="$folder" -- "$program")
if grep -q "nothing can be sampled" "$folder/report"; then
	echo "SKIP: $(grep "nothing can be sampled" "$folder/report")"
	exit 77
fi
if [ "$out" != ok ] || ! grep -Eq '^ +[0-9.]+ % waits for memory: the load at chase\+' "$folder/report"; then
	echo "out: $out"
	cat "$folder/report"
	exit 1
fi
