#!/bin/sh
# SPDX-License-Identifier: MIT
#
# linked.sh BUILD PROGRAM - translations are judged together where traces say how often they are entered: two that lead to one
# another are published, either of them alone is not, and nor are both if nobody knows.

set -eu
dynopt=$1/bin/dynopt
program=$2
folder=$(mktemp -d)
export DYNOPT_REMEMBER=no # no run begins with what another has left
trap 'rm -rf "$folder"' EXIT
failed=0

symbol()
{
	nm "$program" | awk -v name="$1" '$3 == name { print $1 }'
}

first=$(symbol first)
second=$(symbol second)
name=$(basename "$program")

first_tree() # [ENTRIES]
{
	printf 'trace %s 0x%s%s\n  block 0x%s\nend\n' "$name" "$first" "${1:+ entries $1}" "$first"
}

second_tree()
{
	printf 'trace %s 0x%s%s\n  block 0x%s branch 999\nend\n' "$name" "$second" "${1:+ entries $1}" "$second"
}

# Runs with the traces in $folder/traces; that many are translated, that many not worth it.
expect() # WHAT TRANSLATED REFUSED
{
	rm -f "$folder"/*.dynopt
	out=$("$dynopt" run --status-dir="$folder" --traces="$folder/traces" --modules="$name" -- "$program")
	report=$("$dynopt" report --file="$(echo "$folder"/*.dynopt)")
	refused=$(echo "$report" | awk '$2 == "COST_GAIN" { print $1 }')
	[ "$out" = 1000 ] && echo "$report" | grep -q " $2 translated" && [ "${refused:-0}" = "$3" ] && return
	echo "$1: '$out', and not $2 translated and $3 refused:"
	echo "$report"
	failed=1
}

{
	first_tree 1000
	second_tree 1000
} >"$folder/traces"
expect "both" 2 0
first_tree 1000 >"$folder/traces"
expect "the first alone" 0 1
second_tree 1000 >"$folder/traces"
expect "the second alone" 0 1
{
	first_tree
	second_tree
} >"$folder/traces"
expect "entered nobody knows how often" 0 2
exit $failed
