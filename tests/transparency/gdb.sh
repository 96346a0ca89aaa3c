#!/bin/sh
# SPDX-License-Identifier: MIT
#
# gdb.sh - a debugger looks at traced.c: started under it, and attached while it runs hot.
#
#     gdb.sh WORDS... ./program
#
# A breakpoint in the middle of the hot loop is hit exactly as often as the loop turns,
# the backtrace there names the functions, and so does one from wherever the attaching
# debugger stopped the program. Only counts and names are printed.
set -eu
trap 'rm -f pid.fifo.$$ attached.$$' EXIT

facts() # reads what gdb says, keeps what must be the same
{
	sed -n -e 's/^.*already hit \([0-9]*\) times\{0,1\}.*$/hits \1/p' \
		-e 's/^#[0-9]* .*\(traced_loop\|traced_outer\|main\) (.*$/frame \1/p' \
		-e 's/^\[Inferior 1 (.*) exited normally\]$/exited normally/p' \
		-e '/^Program received/p' -e '/^ok /p' -e 's/^.*Cannot.*$/&/p'
}

echo "started under gdb"
gdb -nx -batch -q -ex 'set confirm off' -ex 'set breakpoint pending on' \
	-ex 'set startup-with-shell off' -ex 'set debuginfod enabled off' \
	-ex 'tbreak traced_outer' -ex run \
	-ex 'break *traced_here' -ex 'ignore 2 499' -ex continue -ex bt \
	-ex 'info breakpoints' -ex continue \
	--args "$@" 2>&1 | facts

echo "attached"
mkfifo pid.fifo.$$
"$@" pid.fifo.$$ &
started=$!
read -r pid <pid.fifo.$$
gdb -nx -batch -q -ex 'set confirm off' -ex 'set debuginfod enabled off' -p "$pid" \
	-ex bt -ex 'break *traced_here' -ex 'ignore 1 599' -ex continue \
	-ex 'info breakpoints' -ex bt -ex delete -ex 'set var released = 1' \
	-ex continue 2>&1 | facts >attached.$$
# Where it was stopped first is not known, only that main is seen from there.
sort attached.$$ | uniq -c | sed 's/^ *//' | grep -v 'frame traced_' || :
wait "$started" || echo "program: exit $?"
grep -c '^frame main$' attached.$$ | grep -q '^2$' && echo "ok: seen both times"
