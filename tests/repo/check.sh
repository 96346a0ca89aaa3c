#!/bin/sh
# SPDX-License-Identifier: MIT
#
# check.sh - the rules of the house that a script can check, on tracked files.
#
# Each rule prints the lines that break it; exit code 1 if there is one, 77 where
# the tree is no git checkout. Part of `./dev lint` and of the tests (label repo).

set -eu
cd "$(dirname "$0")/../.."
git rev-parse --is-inside-work-tree >/dev/null 2>&1 || {
	echo "SKIP: not a git checkout, the list of files is unknown"
	exit 77
}
failed=0

report() # RULE OFFENDING-LINES
{
	[ -n "$2" ] || return 0
	printf "rule broken: %s\n%s\n" "$1" "$2"
	failed=1
}

code()
{
	git ls-files '*.c' '*.h' '*.cpp' '*.S' '*.sh' '*.cmake' '*CMakeLists.txt' dev .ci/run
}

licence_line()
{
	for file in $(code); do
		case $file in
		engine/* | kmod/* | elf-notes/*) want='MIT OR GPL-2.0-only' ;;
		*) want='MIT' ;;
		esac
		head -n 3 "$file" | grep -q "SPDX-License-Identifier: $want\( \*/\)\?\$" ||
			echo "$file: wants $want"
	done
}

long_files()
{
	git ls-files '*.c' '*.h' '*.cpp' | while read -r file; do
		lines=$(wc -l <"$file")
		[ "$lines" -le 800 ] || echo "$file: $lines lines"
	done
}

unfinished()
{
	# The words are spelled so that this file does not find itself.
	git grep -nIE '\b(TO''DO|FIX''ME|X''XX|not imple''mented|for no''w)\b' -- \
		'*.c' '*.h' '*.cpp' '*.S' '*.sh' '*.cmake' '*.md' '*.txt' dev ':!LICENSES' || true
}

engine_words()
{
	git grep -nE '\b(malloc|calloc|free|printf|alloca|double|float)\b *\(?' -- \
		'engine/*.c' 'engine/*.h' | grep -vE '^[^:]*:[0-9]+:[[:space:]]*(/?\*|//)' || true
}

binaries()
{
	git ls-files --eol | awk '$1 == "i/-text" { print $NF }'
}

report "the first three lines name the licence of the folder" "$(licence_line)"
report "a file stays under 800 lines" "$(long_files)"
report "unfinished work is a named limit with a test, not a mark in the source" "$(unfinished)"
report "the engine allocates nothing and prints nothing" "$(engine_words)"
report "no binary files" "$(binaries)"
exit $failed
