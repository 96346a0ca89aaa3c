#!/bin/sh
# SPDX-License-Identifier: MIT
#
# overrun.sh BUILD PROGRAM LIBRARY - an agent that comes to no end (option spin) ends itself; the status says so, and a program that waits for it, as it loads a
# library, goes on.

set -eu
dynopt=$1/bin/dynopt
library=$1/lib/dynopt/libdynopt.so
program=$2
work=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -m 700 status

fail()
{
	echo "FAILED: $*"
	exit 1
}

# Leaves out, report.
run() # OPTION...
{
	rm -f status/*
	options=$(printf '%s\n' sample=1 all=1 "status_dir=$folder/status" "$@")
	LD_PRELOAD=$library DYNOPT_OPTIONS=$options "$program" "$work" 10 5 >out || fail "exit code $?: $(cat out)"
	grep -q '^ok ' out || fail "$(cat out)"
	set -- status/*.dynopt
	"$dynopt" report --json --file="$1" >report
	if grep -q '"cause": *"SAMPLER"' report; then
		echo "SKIP: $(grep cause_text report)"
		exit 77
	fi
}

run
grep -q '"cause": *"NONE"' report || fail "without: $(grep cause report)"
run spin=1 overrun_ms=200
grep -q '"cause": *"OVERRUN"' report || fail "no end: $(grep cause report)"
grep -q '"agent_pid": *0,' report || fail "an agent that has ended: $(grep agent_pid report)"
used=$(sed -n 's/^ *"agent_cpu_ns": *\([0-9]*\).*/\1/p' report)
[ "$used" -ge 100000000 ] || fail "ended after $used ns"
! grep -q '"before_main_ns": *0,' report || fail "ended before it began"
set -- status/*.dynopt
"$dynopt" report --file="$1" | grep -q 'has ended itself' || fail "the report does not say it"
