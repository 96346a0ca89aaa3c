#!/bin/sh
# SPDX-License-Identifier: MIT
#
# caches.sh - ccache and ThinLTO's cache never serve what another plugin or other
# options made.
#
# The other plugin is a copy of this one with a byte more at its end, installed
# under another hash in a second copy of the driver: what a rebuild does.
# Usage: caches.sh BIN
set -eu
BIN=$1
. "$(dirname "$0")/lib.sh"

hash=$("$CC" -fdynopt-identity | sed 's/.* plugin \([0-9a-f]*\) .*/\1/')
other=$(echo "$hash" | tr 0-9a-f 1-9a-f0)

install_copy() # DIRECTORY
{
	mkdir -p "$1/bin" "$1/lib"
	cp "$BIN/dynopt-clang" "$1/bin"
	ln -sf dynopt-clang "$1/bin/dynopt-clang++"
	cp -r "$BIN/../lib/dynopt" "$1/lib"
}

change_plugin() # DIRECTORY
{
	for half in fe pass; do
		mv "$1/lib/dynopt/libdynopt-$half-$hash.so" "$1/lib/dynopt/libdynopt-$half-$other.so"
		echo >>"$1/lib/dynopt/libdynopt-$half-$other.so"
	done
	sed "s/$hash/$other/g" "$1/bin/dynopt-clang" >"$1/driver"
	chmod +x "$1/driver"
	mv "$1/driver" "$1/bin/dynopt-clang"
	[ "$("$1/bin/dynopt-clang" -fdynopt-identity | grep -c "$other")" = 1 ] || bad "cannot change the plugin"
}

# --- ccache
stat() # NAME
{
	ccache --print-stats | awk -v name="$1" '$1 == name { print $2 }'
}

served() # EXPECTED(hit|miss) WHAT ARGUMENTS...
{
	want=$1 what=$2
	shift 2
	ccache --zero-stats >/dev/null
	ccache "$@" -o c.o || bad "$what: compile failed"
	if [ "$(stat cache_miss)" = 1 ]; then got=miss; else got=hit; fi
	[ $got = "$want" ] && pass || bad "ccache: $what: $got, expected $want"
}

if command -v ccache >/dev/null; then
	export CCACHE_DIR=$lab/ccache CCACHE_CONFIGPATH=/dev/null
	install_copy inst
	for check in mtime content; do
		export CCACHE_COMPILERCHECK=$check
		rm -rf "$CCACHE_DIR"
		for name in dynopt-clang:work.c dynopt-clang++:catch.cc; do
			set -- "inst/bin/${name%:*}" -O2 -I"$include" -c "$src/${name#*:}"
			served miss "$check first" "$@" $FLAG
			served hit "$check again" "$@" $FLAG
			served miss "$check without" "$@"
			served miss "$check budget" "$@" $FLAG=budget:1
			served hit "$check budget again" "$@" $FLAG=budget:1
			served miss "$check cache" "$@" $FLAG -fdynopt-cache-size=50
			served miss "$check disabled" "$@" $FLAG -fdynopt-disable-object
			served miss "$check other spelling" "$@" -fplugin-arg-dynopt-jumpstations
		done
	done
	# Names of environment variables are not hashed; the identity is.
	export CCACHE_COMPILERCHECK='%compiler% -fdynopt-identity'
	set -- inst/bin/dynopt-clang -O2 -I"$include" -c "$src/work.c"
	served miss 'identity first' "$@"
	export DYNOPT_CC_DEFAULT=1
	served miss 'identity with DYNOPT_CC_DEFAULT' "$@"
	served hit 'identity with DYNOPT_CC_DEFAULT again' "$@"
	unset DYNOPT_CC_DEFAULT
	served hit 'identity back' "$@"
	for check in mtime content '%compiler% -fdynopt-identity'; do
		export CCACHE_COMPILERCHECK="$check"
		rm -rf inst && install_copy inst
		set -- inst/bin/dynopt-clang -O2 -I"$include" -c "$src/work.c" $FLAG
		ccache "$@" -o c.o
		served hit "$check before the change" "$@"
		change_plugin inst
		served miss "$check new plugin" "$@"
		served hit "$check new plugin again" "$@"
	done
	rm -rf inst
else
	skip "ccache is not installed"
fi

# --- ThinLTO's cache: a link through the cache gives what a fresh link gives
thin() # WHAT FRESH-ENTRIES(yes|no) FLAGS...
{
	what=$1 fresh=$2
	shift 2
	before=$(ls cache 2>/dev/null | wc -l)
	tinst/bin/dynopt-clang++ "$@" -flto=thin t-main.o t-work.o t-catch.o \
		-Wl,--thinlto-cache-dir=cache -o x-cached
	tinst/bin/dynopt-clang++ "$@" -flto=thin t-main.o t-work.o t-catch.o -o x-fresh
	after=$(ls cache | wc -l)
	cmp -s x-cached x-fresh && pass || bad "thinlto cache: $what: differs from a fresh link"
	case $fresh:$((after > before)) in
	yes:1 | no:0) pass ;;
	*) bad "thinlto cache: $what: $before entries, then $after" ;;
	esac
}

thin_compile()
{
	for c in main work; do
		tinst/bin/dynopt-clang -O2 -flto=thin "$@" -I"$include" -c "$src/$c.c" -o t-$c.o
	done
	tinst/bin/dynopt-clang++ -O2 -flto=thin "$@" -c "$src/catch.cc" -o t-catch.o
}

if command -v ld.lld-19 >/dev/null; then
	install_copy tinst
	thin_compile $FLAG
	thin first yes $FLAG
	thin again no $FLAG
	thin_compile $FLAG=budget:0
	thin 'other budget' yes $FLAG
	thin_compile $FLAG -fdynopt-cache-size=80
	thin 'other cache size' yes $FLAG
	thin 'without the flag at the link' yes -fuse-ld=lld
	thin 'with it again' no $FLAG
	change_plugin tinst
	thin 'new plugin at the link alone' yes $FLAG
	thin_compile $FLAG -fdynopt-cache-size=80
	thin 'new plugin' yes $FLAG
	thin 'new plugin again' no $FLAG
else
	skip "lld 19 is not installed"
fi

summary
