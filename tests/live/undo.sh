#!/bin/sh
# SPDX-License-Identifier: MIT
#
# undo.sh BUILD PROGRAM [ARGUMENT] - withdrawal reaches a loop that never leaves (src/undo.c).

set -eu
folder=$(mktemp -d)
export DYNOPT_REMEMBER=no # no run begins with what another has left
trap 'rm -rf "$folder"' EXIT
build=$1
shift
# With --all trees end where others begin; an interpreter's cases are to lead to one another by the jump table alone.
all=--all
[ $# = 1 ] || all=--modules=$(basename "$1")
out=$("$@")
[ "$out" = "ok text" ] || {
	echo "plain: $out"
	exit 1
}
out=$("$build/bin/dynopt" run --eager $all --status-dir="$folder" -- "$@")
[ "$out" = "ok cache" ] || {
	echo "under dynopt: $out"
	exit 1
}
"$build/bin/dynopt" report --json --file="$(ls "$folder"/*.dynopt)" | grep -q TEXT_WRITTEN
