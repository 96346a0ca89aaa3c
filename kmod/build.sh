#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# build.sh - builds a module out of the tree: build.sh SOURCES KERNEL-BUILD-FOLDER OUTPUT
#            build.sh --copy SOURCES OUTPUT: only what it would build, for DKMS
#
# kbuild writes beside the sources, so they are copied; what did not change is not built anew.
# A file `parts` in SOURCES names further folders to copy: NAME-IN-OUTPUT FOLDER, the latter
# from SOURCES, or @zydis (unpacked source package, DYNOPT_ZYDIS_SOURCE or fetched) or @include.

set -eu
if [ "$1" = --copy ]; then
	kernel=
	set -- "$2" - "$3"
else
	kernel=$2
fi
sources=$(cd "$1" && pwd)
mkdir -p "$3"
out=$(cd "$3" && pwd)
here=$(cd "$(dirname "$0")" && pwd)

copy() # FROM TO: the sources of one folder, without its subfolders
{
	mkdir -p "$2"
	for file in "$1"/*.[ch] "$1"/*.def "$1"/*.inc "$1"/Kbuild; do
		[ -e "$file" ] || continue
		cmp -s "$file" "$2/${file##*/}" || cp "$file" "$2/"
	done
	# What is gone there is compiled here no more.
	for file in "$2"/*.c; do
		case $file in
		*.mod.c) continue ;;
		esac
		[ -e "$1/${file##*/}" ] || rm -f "$file"
	done
}

folder_of() # WORD OF parts
{
	case $1 in
	@zydis*)
		zydis=${DYNOPT_ZYDIS_SOURCE:-$("$here/../tests/programs/source.sh" zydis)} || exit 1
		[ -e "$zydis/src/Decoder.c" ] || {
			echo "no source package of Zydis in $zydis (DYNOPT_ZYDIS_SOURCE)" >&2
			exit 1
		}
		echo "$zydis${1#@zydis}"
		;;
	@include*)
		[ -e "/usr/include${1#@include}" ] || {
			echo "the headers ${1#@include/} are missing (libzycore-dev)" >&2
			exit 1
		}
		echo "/usr/include${1#@include}"
		;;
	*) echo "$sources/$1" ;;
	esac
}

copy "$sources" "$out"
if [ -e "$sources/parts" ]; then
	while read -r name from; do
		folder=$(folder_of "$from")
		copy "$folder" "$out/$name"
	done <"$sources/parts"
fi
[ -n "$kernel" ] || exit 0
# Later kernels want a tool (pahole) to describe a module's types, which nobody asks for.
make -C "$kernel" M="$out" CONFIG_DEBUG_INFO_BTF_MODULES= modules >"$out/build.log" 2>&1 || {
	cat "$out/build.log" >&2
	echo "the module of $sources does not build for $kernel" >&2
	exit 1
}
