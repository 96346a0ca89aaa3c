#!/bin/sh
# SPDX-License-Identifier: MIT
# case.sh SOURCE: compiles one case and compares every function's facts with what the
# case expects. Lines of the source that begin so, after "// ", are read:
#   FLAGS: ...                compile flags of all runs
#   RUN: NAME FLAGS...        one run (several lines: several runs); a case without one
#                             runs as O0, O2 and Os
#   EXPECT: FUNCTION FACT...  in every run
#   EXPECT-NAME: FUNCTION ... in run NAME only, instead of the general line
#   "absent" for the facts: no such function is left in the output
# Functions nobody expects are errors too. The same must come out with -g.
# Environment: CLANG CLANGXX FE PASS INCLUDE
set -u
source=$1
here=$(dirname "$0")
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

directive() { sed -n "s|^// $1: *||p" "$source"; }

case $source in
*.cpp) compiler=$CLANGXX ;;
*) compiler=$CLANG ;;
esac
flags=$(directive FLAGS)
directive RUN >"$dir/runs"
[ -s "$dir/runs" ] || printf '%s\n' 'O0 -O0' 'O2 -O2' 'Os -Os' >"$dir/runs"

bad=0
while read -r run run_flags; do
	# The flags are words on purpose.
	# shellcheck disable=SC2086
	for debug in "" -g; do
		"$compiler" $flags $run_flags $debug -I"$INCLUDE" -fplugin="$FE" \
			-fpass-plugin="$PASS" -S "$source" -o "$dir/out.s" || exit 1
		awk -f "$here/facts.awk" "$dir/out.s" >"$dir/facts$debug" || exit 1
	done
	cmp -s "$dir/facts" "$dir/facts-g" || {
		echo "$source ($run): facts with and without -g differ:"
		diff "$dir/facts" "$dir/facts-g"
		bad=1
	}
	{
		directive "EXPECT-$run"
		directive EXPECT
	} | awk '!seen[$1]++' | grep -v ' absent$' | sort >"$dir/want"
	[ -s "$dir/want" ] || { echo "$source ($run): expects nothing"; bad=1; }
	sort "$dir/facts" >"$dir/got"
	cmp -s "$dir/want" "$dir/got" || {
		echo "$source ($run): '<' expected, '>' got"
		diff "$dir/want" "$dir/got"
		bad=1
	}
done <"$dir/runs"
exit $bad
