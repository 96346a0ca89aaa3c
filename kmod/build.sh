#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# build.sh - builds a module out of the tree: build.sh SOURCES KERNEL-BUILD-FOLDER OUTPUT
#
# kbuild writes beside the sources, so they are copied; what did not change is not built anew.

set -eu
sources=$1
kernel=$2
mkdir -p "$3"
out=$(cd "$3" && pwd)
for file in "$sources"/*.[ch] "$sources"/*.def "$sources"/Kbuild; do
	[ -e "$file" ] || continue
	cmp -s "$file" "$out/$(basename "$file")" || cp "$file" "$out/"
done
make -C "$kernel" M="$out" modules >"$out/build.log" 2>&1 || {
	cat "$out/build.log" >&2
	echo "the module of $sources does not build for $kernel" >&2
	exit 1
}
