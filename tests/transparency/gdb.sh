#!/bin/sh
# SPDX-License-Identifier: MIT
#
# gdb.sh - a debugger looks at traced.c: started under it, and attached while it runs hot.
#
#     gdb.sh WORDS... ./program
#
# A breakpoint in the middle of the hot loop is hit exactly as often as the loop turns, and
# the backtrace there names the functions. Only counts and names are printed. Where the attaching
# debugger stops a thread in a translation, what it says of its callers is luck: that is not asked for.
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
	-ex 'break *traced_here' -ex 'ignore 1 599' -ex continue \
	-ex 'info breakpoints' -ex bt -ex delete -ex 'set var released = 1' \
	-ex continue 2>&1 | facts >attached.$$
cat attached.$$
wait "$started" || echo "program: exit $?"
grep -q '^frame main$' attached.$$ && echo "ok: seen"
