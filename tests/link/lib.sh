# SPDX-License-Identifier: MIT
#
# lib.sh - what the link tests share. Sourced; BIN is the directory of
# dynopt-clang, dynopt-clang++ and dynopt.
#
# Every verdict is about a linked file: it runs and prints what a plain build
# prints, `dynopt notes --check` agrees, and as many objects have notes as were
# compiled with the flag. A failure prints the command that made the file.

CC="$BIN/dynopt-clang"
CXX="$BIN/dynopt-clang++"
FLAG=-fdynopt-jumpstations
src=$(cd "$(dirname "$0")/src" && pwd)
lab=$(mktemp -d)
trap 'rm -rf "$lab"' EXIT
cd "$lab"
failed=0
passed=0
skipped=0

skip_all()
{
	echo "SKIP: $*"
	exit 77
}

skip()
{
	skipped=$((skipped + 1))
	echo "SKIP $*"
}

pass()
{
	passed=$((passed + 1))
}

bad()
{
	failed=$((failed + 1))
	echo "FAIL $*"
}

# A tool of LLVM 19 or, failing that, the system's.
tool()
{
	command -v "llvm-$1-19" || command -v "llvm-$1" || command -v "$1"
}

# Runs a command that must succeed without a word.
quiet()
{
	if ! "$@" >out 2>&1 || [ -s out ]; then
		bad "$*"
		cat out
		return 1
	fi
}

objects_with_notes()
{
	"$BIN/dynopt" notes "$1" | sed -n 's/^ *objects  *\([0-9]*\) with notes.*/\1/p' | grep . || echo 0
}

ranges()
{
	"$BIN/dynopt" notes "$1" | sed -n 's/^ *certified text .* in \([0-9]*\) range.*/\1/p'
}

# FILE OBJECTS: the notes are there and true.
notes_hold()
{
	if ! "$BIN/dynopt" notes --check "$1" >out 2>&1; then
		bad "notes --check $1"
		cat out
	elif [ "$(objects_with_notes "$1")" != "$2" ]; then
		bad "$1: $(objects_with_notes "$1") objects with notes, expected $2"
	else
		pass
	fi
}

# FILE: the program prints what the plain build printed.
runs()
{
	if [ "$(LD_LIBRARY_PATH=. "./$1" 2>&1)" = "$(cat expected)" ]; then
		pass
	else
		bad "$1 prints $(LD_LIBRARY_PATH=. "./$1" 2>&1), not $(cat expected)"
	fi
}

holds() # FILE OBJECTS
{
	runs "$1"
	notes_hold "$1" "$2"
}

# FILE: the cache lies on pages of its own, last in the executable segment.
placed()
{
	readelf=$(tool readelf)
	"$readelf" -SW "$1" | sed 's/\[ *\([0-9]*\)\]/\1/' |
		awk '$2 == ".dynopt.cache" { print $4, $6 }' >cache
	"$readelf" -lW "$1" | awk '$1 == "LOAD" && / R E /{ print $3, $6 }' >segment
	read -r cache size <cache || { bad "$1: no .dynopt.cache"; return; }
	read -r segment memory <segment
	if [ $((0x$cache % 4096)) = 0 ] && [ $((0x$size % 4096)) = 0 ] &&
		[ $((0x$cache + 0x$size)) = $((segment + memory)) ]; then
		pass
	else
		bad "$1: cache at 0x$cache + 0x$size, executable segment $segment + $memory"
	fi
}

# PREFIX FLAGS...: objects PREFIX-{main,work,catch}.o
compile()
{
	prefix=$1
	shift
	for c in main work; do
		quiet "$CC" $FLAG -O2 -I"$include" "$@" -c "$src/$c.c" -o "$prefix-$c.o"
	done
	quiet "$CXX" $FLAG -O2 "$@" -c "$src/catch.cc" -o "$prefix-catch.o"
}

include=$(cd "$BIN/../include" && pwd)
expected_make()
{
	for c in main work; do
		"$CC" -O1 -I"$include" -c "$src/$c.c" -o "plain-$c.o"
	done
	"$CXX" -O1 -c "$src/catch.cc" -o plain-catch.o
	"$CXX" plain-catch.o plain-main.o plain-work.o -o plain && ./plain >expected
}

summary()
{
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ] || exit 1
}
