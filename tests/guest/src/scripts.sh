#!/bin/busybox sh
# shellcheck shell=dash
# SPDX-License-Identifier: MIT
#
# scripts.sh - real scripts of lua and sqlite under `dynopt run --backend=kernel --eager`: all that the module can prove of these programs is
# translated before each begins to work, and outputs are those of the programs alone.
#
# The first process of each program stays, so that the translations do; it has them made.
set -eu
if [ ! -x /t/programs/lua ] || [ ! -x /t/programs/speedtest1 ]; then
	echo "SKIP: lua and sqlite were not compiled with the flag (dynopt-clang, Debian's sources)"
	exit 77
fi
DYNOPT_RUN_DIR=/tmp/run
export DYNOPT_RUN_DIR
rm -rf /tmp/run /tmp/hold /tmp/go # of another test
dynopt=/t/programs/dynopt
mkfifo /tmp/hold /tmp/go

fail()
{
	echo "scripts.sh: $*"
	$dynopt status --all || :
	exit 1
}

# Until a process has all its translations; shows how many.
wait_ready() # PID
{
	until $dynopt status "$1" >/tmp/status 2>/dev/null && grep -q RUNNING /tmp/status; do
		[ -d "/proc/$1" ] || fail "process $1 has ended"
	done
	grep 'kernel module:' /tmp/status
}

# Times, which differ, are no output.
plain()
{
	sed 's/[0-9.]*s$//; s/^ *TOTAL.*//'
}

/t/programs/dynoptd --foreground --run-dir=/tmp/run 2>/tmp/daemon.log &
daemon=$!
until [ -S /tmp/run/socket ]; do
	[ -d /proc/$daemon ] || fail "the daemon has ended"
done

sleep_forever='io.open("/tmp/hold"):read()'
/t/programs/lua -e "$sleep_forever" &
keeper=$!
$dynopt attach --eager --all $keeper
wait_ready $keeper
n=0
for script in control numbers strings objects; do
	echo 'arg = { "2" }' >/tmp/script.lua
	cat /t/scripts/$script.lua >>/tmp/script.lua
	/t/programs/lua /tmp/script.lua >/tmp/alone
	$dynopt run --backend=kernel --eager -- /t/programs/lua -e 'io.open("/tmp/go"):read()' /tmp/script.lua >/tmp/output &
	pid=$!
	wait_ready $pid
	echo >/tmp/go
	wait $pid || fail "$script has failed"
	cmp /tmp/alone /tmp/output || fail "another output of $script"
	n=$((n + 1))
done
echo >/tmp/hold
wait $keeper

# sqlite asks for nothing: the first one is stopped as soon as it has said something.
/t/programs/speedtest1 --size 2 :memory: >/tmp/kept &
keeper=$!
until [ -s /tmp/kept ] || [ ! -d /proc/$keeper ]; do :; done
kill -STOP $keeper
$dynopt attach --eager --all $keeper
wait_ready $keeper
# Who ends before the daemon has come to it was run alone: again, with more to do.
run_set() # SET SIZE
{
	/t/programs/speedtest1 --size "$2" --testset "$1" :memory: >/tmp/timed
	plain </tmp/timed >/tmp/alone
	$dynopt run --backend=kernel --eager --report=/tmp/report -- \
		/t/programs/speedtest1 --size "$2" --testset "$1" :memory: >/tmp/timed || fail "$1 has failed"
	plain </tmp/timed >/tmp/output
	cmp /tmp/alone /tmp/output || fail "another output of $1"
	grep 'translations shared by 2 processes' /tmp/report
}

for set in main cte fp orm rtree; do
	run_set $set 2 || run_set $set 8 || run_set $set 32 || fail "$set was not attached"
	n=$((n + 1))
done
kill -CONT $keeper
wait $keeper || fail "the stopped one has failed"
kill -TERM $daemon
wait $daemon || fail "the daemon has failed"
echo "$n scripts, outputs equal"
