#!/bin/sh
# SPDX-License-Identifier: MIT
#
# source.sh - fetches Debian source packages, unpacks each once, prints where.
#
#     source.sh PACKAGE...         one directory per line, in the same order
#
# The machine's own apt configuration says where from: its source lists are
# copied with "deb" turned into "deb-src", and apt gets private state and cache
# folders, so nothing of the system changes and no root is needed. What was
# unpacked stays in $DYNOPT_SOURCES (default: build/sources) for the next run.
#
# Exit code 77 with one line "SKIP: reason" when a package cannot be had.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
sources=${DYNOPT_SOURCES:-$here/../../build/sources}
mkdir -p "$sources/.apt"
sources=$(cd "$sources" && pwd)
apt=$sources/.apt

skip()
{
	echo "SKIP: $*" >&2
	exit 77
}

# The machine's lists as deb-src lists: one-line and deb822 forms.
copy_lists()
{
	rm -rf "$apt/parts"
	mkdir -p "$apt/parts" "$apt/lists/partial" "$apt/cache/archives/partial"
	for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		if [ -r "$list" ]; then
			sed -n 's/^[[:space:]]*deb[[:space:]]/deb-src /p' "$list" \
				>"$apt/parts/$(basename "$list" .list).list"
		fi
	done
	for list in /etc/apt/sources.list.d/*.sources; do
		if [ -r "$list" ]; then
			sed 's/^Types:.*/Types: deb-src/' "$list" \
				>"$apt/parts/$(basename "$list")"
		fi
	done
}

apt() # get|cache ARGUMENT...
{
	command=apt-$1
	shift
	"$command" -q \
		-o Dir::Etc::sourcelist=/dev/null \
		-o Dir::Etc::sourceparts="$apt/parts" \
		-o Dir::State::Lists="$apt/lists" \
		-o Dir::Cache="$apt/cache" \
		-o Acquire::Languages=none \
		-o Acquire::Retries=3 \
		-o APT::Sandbox::User="$(id -un)" \
		"$@"
}

# A list that fails (a third party without sources, say) matters only if the
# package is not found in the others.
update_lists()
{
	[ ! -e "$apt/updated" ] || return 0
	copy_lists
	apt get update >"$apt/update.log" 2>&1 || true
	: >"$apt/updated"
}

versions() # PACKAGE
{
	apt cache showsrc --only-source "$1" | sed -n 's/^Version: //p' | sort -u
}

# The newest version; where the mirror has not got what its list names, an older one of the lists.
download() # PACKAGE
{
	update_lists
	for source in "$1" $(versions "$1" 2>/dev/null | sed "s/^/$1=/"); do
		rm -rf "$apt/download"
		mkdir -p "$apt/download"
		(cd "$apt/download" && apt get source --download-only "$source") >"$apt/$1.log" 2>&1 && return
	done
	return 1
}

# Lists kept from an earlier day may name files that are gone: once more with new ones.
fetch() # PACKAGE
{
	command -v apt-get >/dev/null 2>&1 || skip "$1: no apt-get to fetch Debian's sources with"
	command -v dpkg-source >/dev/null 2>&1 || skip "$1: dpkg-source is missing (package dpkg-dev)"
	download "$1" || {
		rm -f "$apt/updated"
		download "$1" || {
			rm -f "$apt/updated"
			skip "$1: Debian's source package cannot be had: $(tail -n 1 "$apt/$1.log")"
		}
	}
	rm -rf "$sources/.new"
	dpkg-source --no-check --no-copy -x "$apt"/download/*.dsc "$sources/.new" >>"$apt/$1.log" 2>&1 ||
		skip "$1: its source package does not unpack: $(tail -n 1 "$apt/$1.log")"
	mv "$sources/.new" "$sources/$1"
	rm -rf "$apt/download"
}

exec 9>"$apt/lock"
flock 9
for package in "$@"; do
	[ -d "$sources/$package" ] || fetch "$package"
	echo "$sources/$package"
done
