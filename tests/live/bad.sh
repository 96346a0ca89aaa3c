#!/bin/bash
# SPDX-License-Identifier: MIT
#
# bad.sh BUILD PROGRAM CASE DENY HOT - bad situations: the program does its work in each, and status or doctor say what is wrong in one
# line. A case is a function below; what needs another view of the file system is skipped where there can be none.
#
# shellcheck disable=SC2317 # cases are called by name
set -eu
dynopt=$1/bin/dynopt
program=$2
name=$3
deny=$4
hot=$5
library=$1/lib/dynopt/libdynopt.so
folder=$(mktemp -d)
export DYNOPT_REMEMBER=no # no run begins with what another has left
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -m 700 run
export XDG_RUNTIME_DIR=$folder/run DYNOPT_SYSTEM_CONFIG=$folder/none DYNOPT_CONFIG=$folder/none

fail()
{
	echo "FAILED: $*"
	exit 1
}

skip()
{
	echo "SKIP: $*"
	exit 77
}

# It ended well, with those words.
works() # WORDS COMMAND...
{
	words=$1
	shift
	"$@" >out 2>err || fail "exit code $?: $*: $(cat out err)"
	[ "$(cat out)" = "$words" ] || fail "'$(cat out err)', wanted '$words': $*"
}

says() # FILE PATTERN
{
	grep -qE -- "$2" "$1" || fail "$1 does not say '$2': $(cat "$1")"
}

report()
{
	"$dynopt" report --last >report || fail "no report"
}

# Runs a function of this script where mounts are its own.
apart() # FUNCTION
{
	unshare -m true 2>/dev/null || skip "no mounts of one's own (unshare -m)"
	# shellcheck disable=SC2163 # the function of that name
	export -f "$1" fail works says report
	export dynopt program folder library hot
	unshare -m bash -euc "$1" || exit $?
}

case_perf()
{
	result=0
	"$deny" -p "$dynopt" run --sampler=ip -- "$program" short >out 2>err || result=$?
	[ $result != 77 ] || skip "$(cat out)"
	[ "$(cat out)" = "ok 1" ] || fail "$(cat out err)"
	"$dynopt" status --all >status
	says status "FAILED: nothing can be sampled, or no longer"
	"$deny" -p "$dynopt" doctor >doctor || fail "doctor: $(cat doctor)"
	says doctor "warn +perf-software +the event cpu-clock does not open: Operation not permitted"
	says doctor "warn +sampler +run uses timer"
	works "ok 1" "$deny" -p "$dynopt" run --eager --all --modules=live_bad -- "$program" short
	report
	says report "translations are live"
}

without_proc()
{
	umount -l /proc || exit 77
	works "ok 1" "$dynopt" run -- "$program" short
	says err "/proc is not mounted"
	export DYNOPT_LIBRARY=$library
	works "ok 1" "$dynopt" run --eager --all -- "$program" short
	works "ok 1" "$dynopt" run --sample --all -- "$program" short
	works "ok 1" "$dynopt" run --report=r -- "$program" short
	if "$dynopt" doctor >doctor; then
		fail "doctor finds nothing missing"
	fi
	says doctor "missing +proc "
	says doctor "mount /proc"
}

case_proc()
{
	apart without_proc
}

read_only()
{
	mkdir home home/run home/.cache home/.cache/dynopt st
	chmod 700 home/run home/.cache/dynopt st
	mount --bind home home
	mount -o remount,bind,ro home
	export HOME=$folder/home XDG_RUNTIME_DIR=$folder/home/run
	unset DYNOPT_CONFIG
	works "ok 1" "$dynopt" run --sample --all -- "$program" short
	says err "home/run/dynopt: the status folder cannot be made: Read-only file system; the program runs without a status file"
	"$dynopt" doctor >doctor || fail "doctor: $(cat doctor)"
	says doctor "warn +status-dir .*Read-only file system"
	! "$dynopt" disable --program=x >out 2>err || fail "a policy was written"
	says err "home/.config: cannot be made: Read-only file system"
	DYNOPT_REMEMBER=yes "$dynopt" run --sample --all --status-dir=st --report=r -- "$hot" 60 25 >out
	says out "^ok"
	grep -q "nothing can be sampled" r || says r "remembering +the file cannot be written: Read-only file system"
	says doctor "warn +remember .*Read-only file system"
	! "$dynopt" run --keep-samples=home/s -- "$program" short >out 2>err || fail "samples were to be written"
	says err "cannot be written: Read-only file system"
}

case_home()
{
	apart read_only
}

full_disk()
{
	mkdir full
	mount -t tmpfs -o size=64k,mode=700 none full
	"$dynopt" run --status-dir=full --eager --all --modules=live_bad -- "$program" short >out
	says out "^ok 1$"
	rm -f full/*
	head -c 1000000 /dev/zero >full/filler 2>/dev/null || true
	works "ok 1" "$dynopt" run --status-dir=full --eager --all --modules=live_bad -- "$program" short
	works "ok 1" "$dynopt" run --status-dir=full --sample --all --keep-samples=full/s --perf=full -- "$program" short
	[ "$(echo full/*)" = full/filler ] || [ "$(find full -name '*.dynopt*' -o -name s -o -name 's~*' | wc -l)" = 0 ] ||
		fail "halves of files are left: $(ls -l full)"
	works "ok 1" "$dynopt" run --status-dir=full --sample --report -- "$program" short
	mkdir -m 700 st
	rm -f full/*
	mkdir -m 700 full/dynopt
	head -c 1000000 /dev/zero >full/filler 2>/dev/null || true
	XDG_CACHE_HOME=$folder/full DYNOPT_REMEMBER=yes "$dynopt" run --sample --all --status-dir=st --report=r -- "$hot" 60 25 >out
	says out "^ok"
	grep -q "nothing can be sampled" r || says r "remembering +the file cannot be written: No space left on device"
	[ -z "$(ls full/dynopt)" ] || fail "halves of files are left: $(ls full/dynopt)"
	says err "no report: the program left no status file"
}

case_disk()
{
	apart full_disk
}

# Sampled, with translations being made while threads come, work and go.
case_threads()
{
	"$program" threads 10000 >plain
	n=$(cut -d' ' -f2 plain)
	[ "$n" -ge 200 ] || skip "only $n threads can be made here"
	works "ok $n" "$dynopt" run --sample --all -- "$program" threads "$n"
	works "ok $n" "$dynopt" run --eager --all --modules=live_bad --cycles=20 -- "$program" threads "$n"
	report
	says report "20 times undone and applied"
	echo "$n threads"
}

# Over before there is anything to find.
case_short()
{
	for i in $(seq 50); do
		works "ok 1" "$dynopt" run -- "$program" short
	done
	"$dynopt" status --all >status || fail "$(cat status)"
	[ "$(grep -c ended status)" = 50 ] || fail "not 50 programs that have ended: $(cat status)"
}

# Samples of one program, taken for those of another: code that is not where it was.
case_build()
{
	mkdir a b
	cp "$hot" a/same
	cp "$program" b/same
	"$dynopt" run --sample --all --keep-samples=samples -- a/same >out
	sed -i '/^[a-z]* same /!d' samples # libc's are of the same build
	grep -q '^samples same 0x' samples || skip "nothing was sampled"
	works "ok 1" "$dynopt" run --no-agent --all --samples=samples --report=r --json -- b/same short
	says r '"remembered": *0\b'
	says r '"remembered_left": *[1-9]'
	sed -i /^module/d samples # as from an earlier revision: believed by name
	for at in 0x0 0x1 0x1001 0x3fff 0xfffffffffff 0x7fffffffffffffff; do
		echo "samples same $at 100000"
	done >>samples
	works "ok 1" "$dynopt" run --no-agent --all --samples=samples -- b/same short
	report
	says report "mode sampled"
	! grep -q "^  reason" report || fail "$(cat report)"
	"$dynopt" profile export --format=profgen --binary=b/same samples >out 2>err && fail "exported all the same"
	says err "profile of another build"
}

start() # OPTION...
{
	mkfifo ready go
	"$dynopt" run "$@" -- "$program" wait ready go >out 2>err &
	started=$!
	exec 3<>ready # opens at once, whatever has become of the program
	read -t 300 -r pid <&3 || fail "it did not start: $(cat out err)"
}

case_agent()
{
	start --eager --all --modules=live_bad
	agent=$("$dynopt" status --json "$pid" | sed -n 's/.*"agent_pid": *\([0-9]*\).*/\1/p')
	[ -n "$agent" ] || fail "no agent"
	kill -KILL "$agent"
	until ! kill -0 "$agent" 2>/dev/null || grep -q '^State:.Z' "/proc/$agent/status"; do
		:
	done
	"$dynopt" status "$pid" >status
	says status "the agent was killed"
	result=0
	"$dynopt" disable "$pid" >disabled 2>&1 || result=$?
	[ $result = 3 ] && grep -q "it was killed" disabled || fail "disable without an agent: exit code $result, $(cat disabled)"
	echo on >go
	wait "$started" || fail "exit code $? after the agent was killed: $(cat out err)"
	[ "$(cat out)" = "ok 1" ] || fail "$(cat out err)"
}

case_supervisor()
{
	start --eager --all --modules=live_bad --report=r
	[ "$started" != "$pid" ] || fail "there is no supervisor"
	kill -KILL "$started"
	wait "$started" 2>/dev/null || true
	"$dynopt" status "$pid" >status
	says status "RUNNING"
	echo on >go
	until ! kill -0 "$pid" 2>/dev/null || grep -q '^State:.Z' "/proc/$pid/status"; do
		:
	done
	[ "$(cat out)" = "ok 1" ] || fail "$(cat out err)"
	report
	says report "ended"
}

"case_$name"
