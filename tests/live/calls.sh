#!/bin/sh
# SPDX-License-Identifier: MIT
#
# calls.sh BUILD PROGRAM - a call for which a translation leaves leads into its function's translation. That is worth having only because
# of that; undone and applied again while the program runs, results stay right, and
# the call is as it was once all is withdrawn.

set -eu
dynopt=$1/bin/dynopt
program=$2
folder=$(mktemp -d)
export DYNOPT_REMEMBER=no # no run begins with what another has left
trap 'rm -rf "$folder"' EXIT
failed=0

# One block that begins at a symbol.
tree() # SYMBOL [REST]
{
	at=$(nm "$program" | awk -v name="$1" '$3 == name { print $1 }')
	printf 'trace %s 0x%s entries 1000\n  block 0x%s %s\nend\n' "$(basename "$program")" "$at" "$at" "${2:-}"
}

# Runs with $folder/traces: so many are translated, so many not worth it, so many calls changed.
expect() # WHAT CYCLES TRANSLATED REFUSED CALLS
{
	rm -f "$folder"/*.dynopt
	out=$("$dynopt" run --status-dir="$folder" --traces="$folder/traces" --modules="$(basename "$program")" \
		--cycles="$2" -- "$program" "$folder" "$2")
	report=$("$dynopt" report --translations --file="$(echo "$folder"/*.dynopt)")
	refused=$(echo "$report" | awk '$2 == "COST_GAIN" { print $1 }')
	led="led"
	[ "$5" != 0 ] || led="not led"
	[ "$out" = "ok $2, $led" ] && echo "$report" | grep -q " $3 translated" && [ "${refused:-0}" = "$4" ] &&
		echo "$report" | grep -q " $5 calls" && return
	echo "$1: '$out', and not $3 translated, $4 refused and $5 calls:"
	echo "$report"
	failed=1
}

{
	tree again
	tree behind 'branch 999'
	tree site
} >"$folder/traces"
expect "all" 0 4 0 1
expect "all, undone and applied" 200 4 0 1
{
	tree behind 'branch 999'
	tree site
} >"$folder/traces"
expect "nothing leaves for the call" 0 1 1 0
{
	tree again
	tree behind 'branch 999'
} >"$folder/traces"
expect "nothing is called" 0 2 0 0
exit $failed
