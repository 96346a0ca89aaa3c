#!/bin/sh
# SPDX-License-Identifier: MIT
#
# mixed.sh BUILD OBJECT - a program of which one object has notes, and not the one that is hot: then it is read as a whole, and that is translated.

set -eu
dynopt=$1/bin/dynopt
compiler=$1/bin/dynopt-clang
folder=$(mktemp -d)
export DYNOPT_REMEMBER=no
trap 'rm -rf "$folder"' EXIT

[ -x "$compiler" ] || {
	echo "SKIP: dynopt-clang is not built"
	exit 77
}
echo 'int noted(void); int noted(void) { return 1; }' >"$folder/noted.c"
"$compiler" -O2 -fdynopt-jumpstations "$folder/noted.c" "$2" -o "$folder/mixed" -lpthread
"$dynopt" notes "$folder/mixed" >/dev/null || {
	echo "no notes in the program"
	exit 1
}
out=$("$dynopt" run --all --modules=mixed -- "$folder/mixed" 60)
[ "$out" = "ok translated" ] || {
	echo "out: $out"
	exit 1
}
