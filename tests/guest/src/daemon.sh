#!/bin/busybox sh
# shellcheck shell=dash
# SPDX-License-Identifier: MIT
#
# daemon.sh - dynoptd finds by itself what is hot in lua, which the kernel module then translates: outputs are those of lua alone, a later
# process has it at once, killing the daemon harms nobody, and the next daemon goes on. `dynopt run --backend=kernel` does the same. A library's
# translations serve two programs.
#
# /t/programs has lua, sqlite's benchmark, dynopt and dynoptd. lua works until /tmp/enough is there, and then
# prints what each of its rounds has come to.
set -eu
if [ ! -x /t/programs/lua ] || [ ! -x /t/programs/dynoptd ]; then
	echo "SKIP: lua was not compiled with the flag (dynopt-clang, Debian's sources)"
	exit 77
fi
DYNOPT_RUN_DIR=/tmp/run
export DYNOPT_RUN_DIR
rm -rf /tmp/run /tmp/enough /tmp/go # of another test, maybe
# Emulation makes the daemon's work dear.
printf '[default]\nbudget = 1000\n' >/tmp/policy
DYNOPT_SYSTEM_CONFIG=/tmp/policy
export DYNOPT_SYSTEM_CONFIG
dynopt=/t/programs/dynopt

fail()
{
	echo "daemon.sh: $*"
	$dynopt status --all || :
	cat /tmp/daemon.log
	exit 1
}

start_daemon()
{
	rm -f /tmp/run/socket
	/t/programs/dynoptd --foreground --run-dir=/tmp/run 2>>/tmp/daemon.log &
	daemon=$!
	until [ -S /tmp/run/socket ]; do
		[ -d /proc/$daemon ] || fail "the daemon has ended"
	done
}

work='local function fib(n) return n < 2 and n or fib(n - 1) + fib(n - 2) end
local function round()
	local words, t = {}, {}
	for i = 1, 300 do t[i] = i * 7919 % 1009 end
	table.sort(t, function(a, b) return a < b end)
	for i = 1, 300, 10 do words[#words + 1] = t[i] .. ":" .. fib(i % 12) end
	return table.concat(words, ",")
end
local first = round()
repeat
	local again = round()
	if again ~= first then print(again) end
until io.open("/tmp/enough")
print(first)'

value() # PID KEY [COMMAND]
{
	$dynopt "${3:-status}" --json "$1" >/tmp/report || fail "no report of $1"
	sed -n "s/^ *\"$2\": *\"\{0,1\}\([^\",]*\)\"\{0,1\},*\$/\1/p" /tmp/report | head -n 1
}

# Between two questions: to answer takes of the daemon's time for the process, under the debug kernel all of it. Who asks
# for the same thing too often is told where he stands.
asked=0
waits_for=
pause() # WHAT-FOR
{
	[ "$waits_for" = "$1" ] || asked=0
	waits_for=$1
	asked=$((asked + 1))
	[ $asked -lt 1000 ] || fail "asked for $1 a thousand times"
	sleep 0.2
}

# Until the report of a process has at least so much of a key.
wait_for() # PID KEY LEAST
{
	while :; do
		now=$(value "$1" "$2")
		[ "${now:-0}" -lt "$3" ] || return 0
		[ -d "/proc/$1" ] || fail "process $1 has ended"
		[ -d "/proc/$daemon" ] || fail "the daemon has ended"
		pause "$2 of process $1"
	done
}

touch /tmp/enough
/t/programs/lua -e "$work" >/tmp/alone
rm /tmp/enough

start_daemon
echo "lua alone: $(wc -c </tmp/alone) bytes"
/t/programs/lua -e "$work" >/tmp/first &
first=$!
$dynopt attach $first || fail "cannot attach"
wait_for $first translated 1
echo "translated: $(value $first translated), of $(value $first samples) samples"
wait_for $first samples_cache 1
[ "$(value $first backend)" = kernel ] || fail "another backend"

# A later one has it at once: one translation, two processes.
$dynopt run --backend=kernel --report=/tmp/report.second -- /t/programs/lua -e "$work" >/tmp/second &
second=$!
until lua=$(pidof lua) && [ "$lua" != "$first" ] && $dynopt status "${lua%% *}" >/tmp/status; do
	[ -d /proc/$second ] || fail "dynopt run has ended"
	pause "the second process"
done
lua=${lua%% *}
[ "$lua" != "$first" ] || fail "pidof names the older one first"
[ "$(value "$lua" translated)" -ge 1 ] || fail "nothing is there for the second"
wait_for "$lua" samples_cache 1
[ "$(value "$lua" shared_by)" = 2 ] || fail "they do not share"
$dynopt status | grep 'shared by 2 processes' || fail "status does not say that they share"
[ "$($dynopt top --once | grep -c '/lua\|lua$')" = 2 ] || fail "top does not show them"

# Killed, and another one goes on: with the same processes, of which nobody was harmed.
kill -KILL $daemon
wait $daemon || :
for process in $first $lua; do
	[ -d "/proc/$process" ] || fail "process $process has ended with the daemon"
done
before=$(value $first translated)
start_daemon
wait_for $first samples 1
[ "$(value $first translated)" -ge "$before" ] || fail "the next daemon does not know what is translated"
/t/programs/lua -e "$work" >/tmp/third &
third=$!
$dynopt attach $third || fail "cannot attach the third"
$dynopt disable $third || fail "cannot disable"
[ "$(value $third state)" = WITHDRAWN ] || fail "the third has not the state WITHDRAWN"
touch /tmp/enough
wait $first || fail "the first has failed"
wait $second || fail "the second has failed"
wait $third || fail "the third has failed"
for output in first second third; do
	cmp /tmp/alone /tmp/$output || fail "another output"
done
grep 'kernel module; translations shared by' /tmp/report.second || fail "no such backend in the report"

# The last process that had the file has gone, and the daemon that knew its traces, too: the next ones go on from what is on disk.
kill -KILL $daemon
wait $daemon || :
rm /tmp/enough
start_daemon
/t/programs/lua -e "$work" >/tmp/fourth &
fourth=$!
$dynopt attach $fourth || fail "cannot attach the fourth"
[ "$(value $fourth translated)" -ge "$before" ] || fail "what was translated is not found again"
wait_for $fourth samples_cache 1
$dynopt detach $fourth || fail "cannot detach"
[ "$(value $fourth state)" = WITHDRAWN ] || fail "the fourth has not the state WITHDRAWN"
! $dynopt detach $fourth 2>/tmp/refused || fail "it was detached twice"
touch /tmp/enough
wait $fourth || fail "the fourth has failed"
cmp /tmp/alone /tmp/fourth || fail "another output"

# One library, two programs. The second is attached because the policy says so.
rm /tmp/enough
printf '[default]\nbudget = 1000\n[program user2]\nkernel = yes\n' >/tmp/policy
/t/programs/user2 >/tmp/user2 &
user2=$!
until $dynopt status $user2 >/dev/null 2>&1; do
	[ -d /proc/$user2 ] || fail "user2 has ended"
	[ -d /proc/$daemon ] || fail "the daemon has ended"
	pause "a status of user2"
done
# Its loop has little to save: that is found out, and asked for again for who wants all.
wait_for $user2 heads 1
/t/programs/user1 >/tmp/user1 &
user1=$!
$dynopt attach --all $user1 || fail "cannot attach user1"
wait_for $user1 translated 1
echo "library: $(value $user1 translated) translations"
# Each process's status is written when it has samples, a second apart.
wait_for $user2 translated "$(value $user1 translated)"
[ "$(value $user2 shared_by)" = 2 ] || fail "the programs do not share the library"
wait_for $user2 samples_cache 1
touch /tmp/enough
wait $user1 || fail "user1 has failed"
wait $user2 || fail "user2 has failed"
for program in user1 user2; do
	/t/programs/$program | cmp - /tmp/$program || fail "another output of $program"
done

# A forked child is sampled as its parent is; who executes another program is followed.
rm /tmp/enough
printf '[default]\nbudget = 1000\n' >/tmp/policy
/t/programs/user1 fork >/tmp/forked &
parent=$!
$dynopt attach --all $parent || fail "cannot attach the parent"
until read -r child </tmp/forked && [ -n "$child" ] && $dynopt status "$child" >/dev/null 2>&1; do
	[ -d /proc/$parent ] || fail "the parent has ended"
	[ -d /proc/$daemon ] || fail "the daemon has ended"
	pause "a status of the child"
done
wait_for "$child" samples_cache 1
mkfifo /tmp/go
/t/programs/user2 exec /t/programs/user1 </tmp/go >/tmp/executed &
other=$!
exec 3>/tmp/go
$dynopt attach --all $other || fail "cannot attach who is to execute another program"
echo go >&3
exec 3>&-
until [ "$(value $other program)" = /t/programs/user1 ]; do
	[ -d /proc/$other ] || fail "who executed another program has ended"
	[ -d /proc/$daemon ] || fail "the daemon has ended"
	pause "the status of the program that was executed"
done
wait_for $other samples_cache 1
touch /tmp/enough
wait $parent || fail "the parent has failed"
wait $other || fail "who executed another program has failed"
/t/programs/user1 | cmp - /tmp/executed || fail "another output of what was executed"
sed 1d /tmp/forked | cmp - /tmp/executed || fail "another output of the child"

kill -TERM $daemon
wait $daemon || fail "the daemon has failed"
[ ! -e /tmp/run/socket ] || fail "the socket is left"
cat /tmp/daemon.log
