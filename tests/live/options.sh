#!/bin/sh
# SPDX-License-Identifier: MIT
#
# options.sh BUILD PROGRAM - what the library makes of its options: names of modules and programs, no agent,
# traces from a file, and options that are damaged. The program does its work in every case.

set -eu
dynopt=$1/bin/dynopt
program=$2
folder=$(mktemp -d)
export DYNOPT_REMEMBER=no # no run begins with what another has left
trap 'rm -rf "$folder"' EXIT
failed=0

# Runs the program and leaves its report in $folder/report.json.
run() # OPTION...
{
	rm -f "$folder"/*.dynopt
	out=$("$dynopt" run --status-dir="$folder" "$@" -- "$program")
	[ "$out" = "ok 0" ] || {
		echo "with $*: '$out'"
		failed=1
	}
	: >"$folder/report.json"
	for file in "$folder"/*.dynopt; do
		[ ! -e "$file" ] || "$dynopt" report --json --file="$file" >"$folder/report.json"
	done
}

expect() # WHAT JQ-FREE-PATTERN
{
	grep -qE "$2" "$folder/report.json" || {
		echo "$1: no '$2' in the report"
		cat "$folder/report.json"
		failed=1
	}
}

name=$(basename "$program")
run --eager --all
expect "eager" '"state": ?"RUNNING"'
run --eager --all --no-agent
expect "no agent" '"state": ?"RUNNING"'
run --eager --all --modules=nothing-is-called-like-this
expect "no module of that name" '"state": ?"IDLE"'
run --eager --all --programs="$name-not"
[ ! -s "$folder/report.json" ] || {
	echo "a program that was not named has a status file"
	failed=1
}
run --eager --all --no-inline
expect "no inlining" '"state": ?"RUNNING"'

# One trace: the loop that never leaves, which is where its only jump leads back to.
loop=$(objdump -d --no-show-raw-insn "$program" | awk '/<spin>:/ { on = 1 }
	on && $2 ~ /^j/ { print $3; exit }')
printf '# a trace\ntrace %s 0x%s\n  block 0x%s\nend\n' "$name" "$loop" "$loop" >"$folder/traces"
run --all --traces="$folder/traces"
expect "a trace" '"n_heads": ?1\b|"heads": ?1\b'
expect "a trace" '"state": ?"RUNNING"'
printf 'trace %s\n  nonsense\n' "$name" >"$folder/traces"
run --all --traces="$folder/traces"
expect "broken traces" '"cause": ?"TRACES"'

# The policy leaves a function alone: no translation begins in it, or goes into it.
inside() # how many translations have a head in spin()
{
	"$dynopt" report --translations --file="$(ls "$folder"/*.dynopt)" | grep -cE '^ *0x.* spin(\+0x[0-9a-f]+)?$' || true
}
run --eager --all --modules="$name"
[ "$(inside)" -gt 0 ] || {
	echo "no translation in spin() without a policy"
	failed=1
}
printf '[program %s]\nleave = spin\n' "$name" >"$folder/policy"
export DYNOPT_CONFIG="$folder/policy"
run --eager --all --modules="$name"
expect "left alone" '"state": ?"RUNNING"'
[ "$(inside)" = 0 ] || {
	echo "translations in spin(), which the policy leaves alone"
	failed=1
}
exit $failed
