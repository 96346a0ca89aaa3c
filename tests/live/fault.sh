#!/bin/sh
# SPDX-License-Identifier: MIT
#
# fault.sh BUILD PROGRAM - a translation that faults where the original does not: the program does not hear of it and goes on in its original code, all
# translations are withdrawn, and no run of the same build is translated before the user says so. A fault of the program's own is its own.

set -eu
dynopt=$1/bin/dynopt
program=$2
name=$(basename "$program")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export DYNOPT_SYSTEM_CONFIG="$folder/none" DYNOPT_CONFIG="$folder/policy" XDG_CACHE_HOME="$folder/cache"
unset DYNOPT_REMEMBER
failed=0

run() # WANTED ARGUMENT OPTION...
{
	wanted=$1
	what=$2
	shift 2
	out=$("$dynopt" run --status-dir="$folder/status" --report=report --json "$@" -- "$program" "$what") || true
	[ "$out" = "$wanted" ] || {
		echo "$what $*: '$out', wanted '$wanted'"
		failed=1
	}
}

is() # KEY WORD
{
	grep -q "^ *\"$1\": *\"$2\"" report || {
		echo "$what: $1 is not $2: $(grep "\"$1\"" report)"
		failed=1
	}
}

eager="--eager --all --modules=$name"
# shellcheck disable=SC2086 # several words
for what in wild illegal; do
	rm -rf cache
	run "ok 0 0" $what $eager
	is state WITHDRAWN
	is cause FAULT
	set -- cache/dynopt/"$name"-*.fault
	grep -qE "^signal [0-9]+ in $name at 0x[0-9a-f]+\$" "$1" || {
		echo "$what: not remembered: $(cat "$1")"
		failed=1
	}
	# The next ones: not translated, until it is said so.
	for next in "$eager" --sample; do
		run "nothing to spoil" $what $next
		is state FAILED
		is cause FAULT
	done
	"$dynopt" doctor >doctor || true
	grep -q "warn *fault *$name-.*: a translation faulted" doctor || {
		echo "doctor does not say it: $(cat doctor)"
		failed=1
	}
	"$dynopt" enable --program=other >enabled
	[ -e "$1" ] || {
		echo "forgotten for another program"
		failed=1
	}
	"$dynopt" enable --program="$name" >enabled
	grep -q "forgotten that a translation of $name faulted" enabled || {
		echo "enable: $(cat enabled)"
		failed=1
	}
done
# shellcheck disable=SC2086
run "ok 1 1" own $eager
is state RUNNING
is cause NONE
# shellcheck disable=SC2086
run "ok 0 0" wild $eager --no-remember
is cause FAULT
# shellcheck disable=SC2086
run "ok 0 0" wild $eager --no-agent
is cause FAULT
exit $failed
