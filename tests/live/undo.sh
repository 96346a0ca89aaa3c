#!/bin/sh
# SPDX-License-Identifier: MIT
#
# undo.sh BUILD PROGRAM - withdrawal reaches a loop that never leaves (src/undo.c).

set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
out=$("$2")
[ "$out" = "ok text" ] || {
	echo "plain: $out"
	exit 1
}
out=$("$1/bin/dynopt" run --eager --all --status-dir="$folder" -- "$2")
[ "$out" = "ok cache" ] || {
	echo "under dynopt: $out"
	exit 1
}
"$1/bin/dynopt" report --json --file="$(ls "$folder"/*.dynopt)" | grep -q TEXT_WRITTEN
