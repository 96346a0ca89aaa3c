#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh CASE - tests of `dynopt run`, `status`, `report`, `profile` and `doctor` from the outside. Environment: DYNOPT and TOOL
# (status_tool) are commands, WORK is a folder to work in, LINK says how commands are linked. A case is a function below; what needs the library is
# skipped where there is none. Prints what was expected and what came; exits 1 if there was a difference.
# shellcheck disable=SC2016,SC2094 # other shells' variables; a command of that name
set -u
: "${DYNOPT:?}" "${TOOL:?}" "${WORK:?}"
passes=$(realpath "$(dirname "$0")/../../engine/passes.def")
failed=0
rm -rf "$WORK"
mkdir -p "$WORK" && cd "$WORK" || exit 1
unset LD_PRELOAD DYNOPT_OPTIONS DYNOPT_LIBRARY DYNOPT_ENABLED DYNOPT_BUDGET DYNOPT_CHILDREN DYNOPT_REMEMBER
DYNOPT_SYSTEM_CONFIG=$WORK/no-such-system-policy
DYNOPT_CONFIG=$WORK/no-such-policy
export DYNOPT_SYSTEM_CONFIG DYNOPT_CONFIG
XDG_RUNTIME_DIR=$WORK/run
XDG_CACHE_HOME=$WORK/cache
export XDG_RUNTIME_DIR XDG_CACHE_HOME
mkdir run
chmod 700 run

fail() # MESSAGE...
{
	printf 'FAILED: %s\n' "$*"
	failed=1
}

skip() # MESSAGE...
{
	[ "$failed" = 0 ] || exit 1
	printf 'SKIP: %s\n' "$*"
	exit 77
}

# Runs a command; its exit code must be the first argument. Output is left in ./out and ./err.
expect() # CODE COMMAND...
{
	want=$1
	shift
	"$@" >out 2>err
	got=$?
	[ "$got" = "$want" ] && return
	fail "exit code $got, wanted $want: $*"
	cat out err
}

says() # FILE TEXT
{
	grep -qF -- "$2" "$1" && return
	fail "$1 does not say: $2"
	cat "$1"
}

# Nothing but one line on standard error.
one_line()
{
	[ "$(wc -l <err)" = 1 ] && [ ! -s out ] && return
	fail "wanted one line on standard error"
	cat out err
}

json_is() # PATH VALUE, of ./out
{
	value=$("$TOOL" json "$1" <out) || fail "no JSON, or no $1"
	[ "$value" = "$2" ] || fail "$1 is '$value', wanted '$2'"
}

need_library()
{
	[ -e "$(dirname "$DYNOPT")/../lib/dynopt/libdynopt.so" ] || skip "libdynopt.so was not built"
}

# A library that does nothing: for what dynopt run does before the program starts.
empty_library()
{
	echo 'int dynopt_nothing;' >lib.c
	cc -shared -fPIC lib.c -o libdynopt.so || skip "no compiler"
	DYNOPT_LIBRARY=$WORK/libdynopt.so
	export DYNOPT_LIBRARY
}

case_help()
{
	expect 0 "$DYNOPT" --help
	for command in run status top report disable enable profile doctor; do
		says out "$command "
	done
	for command in run status top report disable enable doctor; do
		expect 0 "$DYNOPT" "$command" --help
		says out "Usage: dynopt $command"
		says out "Example:"
		says out "Exit codes:"
		expect 0 "$DYNOPT" help "$command"
	done
	for command in status top report disable enable doctor; do
		expect 2 "$DYNOPT" "$command" --no-such-option
	done
	expect 125 "$DYNOPT" run --no-such-option
	expect 125 "$DYNOPT" run
	expect 125 "$DYNOPT" run --eager --traces=/dev/null -- true
	expect 125 "$DYNOPT" run --cycles=many -- true
	expect 125 "$DYNOPT" run --json -- true
	expect 125 "$DYNOPT" run --eager --samples=/dev/null -- true
	expect 125 "$DYNOPT" run --off --keep-samples=f -- true
	expect 125 "$DYNOPT" run --samples=no-such-file -- true
	one_line
	expect 125 "$DYNOPT" run --keep-samples=no/such/folder -- true
	one_line
	expect 125 "$DYNOPT" run --traces=no-such-file -- true
	one_line
	expect 2 "$DYNOPT" status 12x
	expect 2 "$DYNOPT" report -- -1
	expect 2 "$DYNOPT" report 1 2
	expect 2 "$DYNOPT" report --last 1
	expect 2 "$DYNOPT" report --file=f 1
	expect 0 "$DYNOPT" help audit
	says out "Usage: dynopt audit"
	expect 2 "$DYNOPT" doctor what
	expect 2 "$DYNOPT" disable
	expect 2 "$DYNOPT" disable 12x
	expect 2 "$DYNOPT" disable 1 2
}

# What stands in the folder where they are started is no library of theirs; `dynopt` and dynopt-policy, which start with every program, need no loader.
case_libraries()
{
	lib=$(realpath "$(dirname "$DYNOPT")/../lib/dynopt")
	mkdir hostile
	cd hostile || exit 1
	for name in libc.so.6 libelf.so.1 libz.so.1 libjson-c.so.5 libinih.so.1 libZydis.so.4.0 libpfm.so.4 libclang-19.so.19; do
		echo "no library" >"$name"
	done
	expect 0 "$DYNOPT" --version
	expect 0 "$DYNOPT" audit --help
	expect 0 "$DYNOPTD" --help
	expect 0 "$lib/dynopt-policy" "$(command -v true)"
	# What every run would pay for loading.
	readelf -dW "$DYNOPT" >needed
	grep -qE "NEEDED.*lib(clang|LLVM)" needed && fail "the command loads a compiler"
	[ "$LINK" = -static ] || skip "commands are not linked statically"
	for command in "$DYNOPT" "$lib/dynopt-policy"; do
		readelf -lW "$command" >headers
		grep -q INTERP headers && fail "$command needs a loader"
	done
}

# The program is found, called and ends as without dynopt.
case_program()
{
	empty_library
	cat >show.c <<'C'
#include <stdio.h>
#include <stdlib.h>
int main(int n, char **v)
{
	for (int i = 0; i < n; i++)
		printf("<%s>", v[i]);
	printf("\npreload=%s\noptions=%s", getenv("LD_PRELOAD"), getenv("DYNOPT_OPTIONS"));
	return 33;
}
C
	mkdir -p bin/show
	mkdir bin2
	cc show.c -o bin2/show
	# A folder of that name earlier in PATH is no program.
	expect 33 env PATH="$WORK/bin:$WORK/bin2" "$DYNOPT" run --eager show -e --report a\ b ''
	says out "<show><-e><--report><a b><>"
	says out "preload=$WORK/libdynopt.so"
	says out "eager=1"
	says out "status_dir=$WORK/run/dynopt"
	[ ! -s err ] || fail "something on standard error"
	expect 33 env LD_PRELOAD="libm.so.6 libc.so.6" "$DYNOPT" run --children --cycles=3 --cache-limit=5 -- bin2/show
	says out "preload=$WORK/libdynopt.so:libm.so.6 libc.so.6"
	says out "preload=libm.so.6 libc.so.6"
	for option in children=1 cycles=3 cache_limit=5; do
		says out "$option"
	done
	# dynopt run in a program that runs with --children: the library is there once.
	expect 33 env LD_PRELOAD="$WORK/libdynopt.so:libm.so.6" "$DYNOPT" run -- bin2/show
	says out "preload=$WORK/libdynopt.so:libm.so.6"
	says out "preload=libm.so.6"
	: >traces
	expect 33 "$DYNOPT" run --traces=traces --status-dir=there -- bin2/show
	says out "traces=$WORK/traces"
	says out "status_dir=$WORK/there"
	[ "$(stat -c %a there)" = 700 ] || fail "the status folder is open"

	expect 127 "$DYNOPT" run -- no-such-program
	one_line
	expect 127 "$DYNOPT" run -- ./no-such-program
	one_line
	expect 127 env PATH= "$DYNOPT" run -- ''
	expect 126 "$DYNOPT" run -- .
	one_line
	expect 126 "$DYNOPT" run -- ./show.c
	one_line
	echo in | expect 0 "$DYNOPT" run -- cat
	says out in
	sh -c 'kill -KILL $$' 2>/dev/null
	want=$?
	expect "$want" "$DYNOPT" run -- sh -c 'kill -KILL $$'
}

case_scripts()
{
	empty_library
	printf '#!/bin/sh -e\necho "$0 $1 preload=$LD_PRELOAD"\nexit 9\n' >one
	printf '#!/usr/bin/env sh\necho "$0 $1 preload=$LD_PRELOAD"\nexit 9\n' >two
	printf 'echo "$0 $1 preload=$LD_PRELOAD"\nexit 9\n' >three
	printf '#!/no/such/interpreter\n' >four
	printf '#! \t \n' >five
	printf '#!./six\n' >six
	chmod +x one two three four five six
	for script in one two three; do
		expect 9 "$DYNOPT" run -- "./$script" x
		says out "./$script x preload=$WORK/libdynopt.so"
		[ ! -s err ] || fail "something on standard error"
		expect 9 env PATH="$WORK:$PATH" "$DYNOPT" run -- "$script" x
		says out "$WORK/$script x preload="
	done
	expect 127 "$DYNOPT" run -- ./four
	one_line
	says err /no/such/interpreter
	expect 126 "$DYNOPT" run -- ./six
	one_line
}

# Whatever keeps the library out is said in one line, and the program runs all the same.
refused() # CODE TEXT PROGRAM
{
	expect "$1" "$DYNOPT" run --eager --report -- "$3"
	says err "dynopt: "
	says err "$2"
	says err "runs unoptimized"
	[ "$(grep -c '^dynopt' err)" = 1 ] || fail "more than one line"
	[ "$1" != 21 ] || says out "preload=none"
}

# Somebody else than root gains something by file capabilities. He gets a folder that he can reach.
capabilities()
{
	there=$(mktemp -d)
	chmod 755 "$there"
	cp "$DYNOPT" "$there/dynopt"
	cp --preserve=all capable libdynopt.so "$there"
	if setpriv --reuid=65534 --regid=65534 --clear-groups "$there/dynopt" --version >/dev/null 2>&1; then
		mkdir "$there/run"
		chown 65534 "$there/run"
		expect 21 setpriv --reuid=65534 --regid=65534 --clear-groups env XDG_RUNTIME_DIR="$there/run" \
			DYNOPT_LIBRARY="$there/libdynopt.so" "$there/dynopt" run -- "$there/capable"
		says err "has file capabilities"
		says out "preload=none"
	else
		missing="$missing setpriv,"
	fi
	rm -rf "$there"
}

case_refusals()
{
	empty_library
	cat >p.c <<'C'
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
	printf("preload=%s\n", getenv("LD_PRELOAD") ? getenv("LD_PRELOAD") : "none");
	return 21;
}
C
	cc p.c -o dynamic
	missing=
	cc -static p.c -o static && refused 21 "statically linked" ./static
	cc -static-pie p.c -o static-pie && refused 21 "statically linked" ./static-pie
	if cc -m32 p.c -o m32 2>/dev/null && ./m32 >/dev/null; [ $? = 21 ]; then
		refused 21 "32-bit" ./m32
	else
		missing="$missing 32-bit libraries,"
	fi
	if command -v musl-gcc >/dev/null; then
		musl-gcc p.c -o musl && refused 21 "built for musl" ./musl
	else
		missing="$missing musl,"
	fi
	printf '#!%s\n' "$WORK/static" >script
	chmod +x script
	refused 21 "$WORK/static: is statically linked" ./script
	printf '#!/usr/bin/env static\n' >script
	PATH=$WORK:$PATH refused 21 "$WORK/static: is statically linked" ./script

	cp dynamic machine
	printf '\267' | dd of=machine bs=1 seek=18 conv=notrunc 2>/dev/null # EM_AARCH64
	expect 126 "$DYNOPT" run -- ./machine
	says err "another machine"
	head -c 100 dynamic >short
	chmod +x short
	expect 126 "$DYNOPT" run -- ./short
	says err "damaged"
	cp dynamic loader
	ld=$(grep -abo '/lib64/ld-linux-x86-64.so.2' loader | head -n 1 | cut -d: -f1)
	printf '/lib64/ld-other' | dd of=loader bs=1 seek="$ld" conv=notrunc 2>/dev/null
	expect 127 "$DYNOPT" run -- ./loader
	says err "another dynamic loader"

	if [ "$(id -u)" = 0 ]; then
		cp dynamic setuid
		chown 65534 setuid
		chmod 4755 setuid
		refused 21 "set-user-ID" ./setuid
		chown 0:65534 setuid
		chmod 2755 setuid
		refused 21 "set-group-ID" ./setuid
		chmod 700 setuid
		chown 0:0 setuid
		chmod 4755 setuid # its owner is who runs it: nothing is gained
		expect 21 "$DYNOPT" run -- ./setuid
		[ ! -s err ] || fail "refused for nothing"
		if cp dynamic capable && setcap cap_net_raw+ep capable 2>/dev/null; then
			expect 21 "$DYNOPT" run -- ./capable # root has them anyway
			[ ! -s err ] || fail "refused for nothing"
			capabilities
		else
			missing="$missing file capabilities,"
		fi
	else
		missing="$missing root's rights to make set-user-ID files,"
	fi

	DYNOPT_LIBRARY=$WORK/no-such-library refused 21 "libdynopt.so" ./dynamic
	mkdir 'a b'
	cp libdynopt.so 'a b'
	DYNOPT_LIBRARY="$WORK/a b/libdynopt.so" refused 21 "a space or a colon" ./dynamic
	# What a sanitizer's library is needed for comes first.
	cc -shared -fPIC -Wl,-soname,libasan.so.99 lib.c -o libasan.so.99
	cc p.c -Wl,--no-as-needed -Wl,-rpath,"$WORK" libasan.so.99 -o sanitized
	expect 21 "$DYNOPT" run -- ./sanitized
	says out "preload=libasan.so.99:$WORK/libdynopt.so"
	[ -z "$missing" ] || skip "parts of it: no${missing%,}"
}

case_status_dir()
{
	empty_library
	mkdir open mine
	chmod 755 open
	chmod 700 mine
	ln -s mine link
	: >file
	for dir in open link file no/such; do
		expect 125 "$DYNOPT" run --status-dir=$dir -- true
		one_line
		expect 2 "$DYNOPT" status --status-dir=$dir
		one_line
		expect 2 "$DYNOPT" report --status-dir=$dir
		one_line
	done
	expect 0 "$DYNOPT" run --status-dir=mine -- true
	expect 0 "$DYNOPT" status --status-dir=mine
	says out "no program of this user"
	expect 1 "$DYNOPT" report --status-dir=mine
	one_line
	# The default one: the program runs all the same.
	rm -rf run/dynopt
	ln -s ../mine run/dynopt
	expect 0 "$DYNOPT" run -- true
	says err "without a status file"
	rm run/dynopt
	expect 0 "$DYNOPT" status
	expect 0 env -u XDG_RUNTIME_DIR "$DYNOPT" run -- sh -c 'echo "$DYNOPT_OPTIONS"'
	says out "status_dir=/tmp/dynopt-$(id -u)"
	if [ "$(id -u)" = 0 ]; then
		chown 65534 mine
		expect 125 "$DYNOPT" run --status-dir=mine -- true
		says err "another user"
		chown 65534 run
		expect 0 "$DYNOPT" run -- sh -c 'echo "$DYNOPT_OPTIONS"'
		says out "status_dir=/tmp/dynopt-"
		chown 0 run
	fi
}

case_status()
{
	dir=$WORK/run/dynopt
	mkdir -m 700 "$dir"
	"$TOOL" make "$dir/$$.dynopt" $$
	"$TOOL" make "$dir/1.dynopt" 1 ended
	: >"$dir/other"
	: >"$dir/12x.dynopt"
	expect 0 "$DYNOPT" status
	says out "$$ RUNNING"
	[ "$(wc -l <out)" = 2 ] || fail "wanted a heading and a row"
	expect 0 "$DYNOPT" status --all
	says out "1 ended"
	expect 0 "$DYNOPT" status 1
	says out "1 ended"
	expect 1 "$DYNOPT" status 1 2
	says err "process 2 does not run under dynopt"
	expect 0 "$DYNOPT" status --json
	json_is processes.# 1
	json_is processes.0.pid $$
	json_is processes.0.alive true
	json_is processes.0.state RUNNING
	json_is processes.0.heads 300
	json_is processes.0.translated 120
	json_is processes.0.file "$dir/$$.dynopt"
	expect 0 "$DYNOPT" status --json --all
	json_is processes.# 2
	json_is processes.0.alive false
	"$TOOL" make "$dir/$$.dynopt" $$ failed
	expect 0 "$DYNOPT" status
	says out "FAILED"
	says out "the agent could not be started"
	"$TOOL" make "$dir/$$.dynopt" $$ unknown
	expect 0 "$DYNOPT" status
	expect 0 "$DYNOPT" report $$
	"$TOOL" make "$dir/$$.dynopt" $$ kernel
	expect 0 "$DYNOPT" status
	says out "kernel module: 120 translations, 4.0 KiB, shared by 50 processes"
	expect 0 "$DYNOPT" status --json
	json_is processes.0.backend kernel
	json_is processes.0.sampler module
	json_is processes.0.shared_by 50
	expect 0 "$DYNOPT" report $$
	says out "BAD_SIZE"
	expect 0 "$DYNOPT" report --json $$
	json_is modules.0.processes 3
	if [ "$(id -u)" = 0 ]; then # dynoptd's are root's, in a folder that nobody else writes to
		mkdir -p daemon/status
		mv "$dir/$$.dynopt" daemon/status/
		expect 0 env DYNOPT_RUN_DIR="$WORK/daemon" "$DYNOPT" status
		says out "shared by 50 processes"
		expect 0 env DYNOPT_RUN_DIR="$WORK/daemon" "$DYNOPT" top --once
		says out "1 program "
		expect 3 env DYNOPT_RUN_DIR="$WORK/daemon" "$DYNOPT" disable $$
		says err "dynoptd: it does not run"
		chmod 777 daemon/status
		expect 1 env DYNOPT_RUN_DIR="$WORK/daemon" "$DYNOPT" status $$
	fi
	"$TOOL" make "$dir/$$.dynopt" $$ wild_name
	expect 0 "$DYNOPT" status --json $$
	json_is processes.0.program '/bin/?[31m?ä?'
	# A day after its end a file goes.
	touch -d '25 hours ago' "$dir/1.dynopt" "$dir/$$.dynopt"
	expect 0 "$DYNOPT" status --all
	[ ! -e "$dir/1.dynopt" ] || fail "an old file is kept"
	[ -e "$dir/$$.dynopt" ] || fail "a living program's file is gone"
	: >"$dir/7.dynopt"
	expect 2 "$DYNOPT" status
	says err "$dir/7.dynopt: cannot be used"
	says out "$$ " # the good one is shown all the same
	rm "$dir/7.dynopt"
	ln -s "$$.dynopt" "$dir/8.dynopt"
	expect 0 "$DYNOPT" status --json
	json_is processes.# 1
}

case_top()
{
	expect 0 "$DYNOPT" top --once
	says out "0 programs of this user"
	dir=$WORK/run/dynopt
	mkdir -m 700 "$dir"
	"$TOOL" make "$dir/$$.dynopt" $$
	"$TOOL" make "$dir/1.dynopt" 1 ended
	: >"$dir/7.dynopt"
	expect 0 "$DYNOPT" top --once
	says out "1 program of this user under dynopt; 1 status files cannot be used"
	grep -qE "^ *$$ RUNNING .* 120 " out || fail "no row for process $$"
	[ "$(wc -l <out)" = 3 ] || fail "wanted two headings and a row"
	expect 0 "$DYNOPT" top --interval=0.01 --count=3 --json
	[ "$(wc -l <out)" = 3 ] || fail "wanted three lines of JSON"
	tail -n 1 out >last
	mv last out
	json_is processes.# 1
	json_is unusable 1
	json_is processes.0.pid $$
	json_is processes.0.translated 120
	json_is processes.0.file "$dir/$$.dynopt"
	"$TOOL" json processes.0.cpu_per_mille <out >/dev/null || fail "no CPU time"
	# It ends when it is asked to, and not before.
	mkfifo page
	for sig in INT TERM; do
		"$DYNOPT" top --json --interval=1000 >page &
		read -r line <page
		kill -$sig $!
		wait $!
		[ $? = 0 ] || fail "ended by $sig"
	done
	if command -v script >/dev/null; then
		printf 'xq' | timeout 60 script -qec "'$DYNOPT' top --interval=1000" /dev/null >out || fail "q does not end it"
		says out "$$ RUNNING"
	fi
	for wrong in --interval=0 --interval=x --interval=1e9 --count=0 --count=-1 --no-such-option 12; do
		expect 2 "$DYNOPT" top $wrong
	done
	expect 2 "$DYNOPT" top --once --status-dir=no/such
	one_line
}

case_report()
{
	"$TOOL" make f $$
	expect 0 "$DYNOPT" report --file=f --translations
	says out "process $$"
	says out "translations are live (mode eager)"
	says out "hot time     80.0 % in code that can be translated, 40.0 % in translations"
	says out "top reason   25.0 % COST_GAIN: the translation would not save instructions"
	says out "50.0 %     80.0 %      7          4  BESIDE "
	says out "25.0 %      0.0 %      3          0  COST_GAIN  0x2000 (lib.so)"
	says out "12.0 % waits for memory: the load at 0x2010"
	says out " 5.0 %      0.0 %      0          0  NOWHERE    0x7fff0000"
	says out "12 KiB in 2 modules, 25.0 % with proven instruction boundaries"
	says out "300 in 30 functions, 120 translated (40.0 %)"
	says out "90 direct, 30 by a slot, 0 far, 0 by a slot and far, 0 calls"
	says out "before main  12.3 ms"
	says out "dead            12 results that wait"
	says out "frames           0 calls inlined"
	says out "50 HOP_NO_SLOT      no free slot is within reach of a two-byte jump"
	# Some lines have the program's whole path.
	[ "$(awk 'NR > 1 && length > 100 && !/refused in|translations of/' out | wc -l)" = 0 ] || fail "lines of more than 100 columns"
	expect 0 "$DYNOPT" report --file=f --translations --json
	json_is pid $$
	json_is heat.samples 1000
	json_is heat.reachable 800
	json_is heat.in_translations 400
	json_is heat.top_reason COST_GAIN
	json_is heat.top_reason_samples 250
	json_is heat.outside.UNPROVEN 150
	json_is heat.refused.SITE_CALL 50
	json_is functions.# 3
	json_is functions.0.translated 4
	json_is functions.0.in_translations 400
	json_is functions.1.module 1
	json_is functions.1.where 0x2000
	json_is functions.1.outside REFUSED
	json_is functions.1.refused COST_GAIN
	json_is functions.1.wait_load 8208
	json_is functions.1.wait_samples 120
	json_is functions.2.start 2147418112
	json_is modules.# 2
	json_is modules.1.path /no/such/lib.so
	json_is modules.1.noted true
	json_is modules.0.hops.direct 30
	json_is totals.heads 300
	json_is totals.hops.slot 30
	json_is totals.refused.0.status SITE_CALL
	json_is totals.refused.1.count 150
	json_is totals.refused.1.class REFUSED
	json_is translations.# 3
	json_is translations.2.where 0x1020
	json_is translations.2.hop direct
	json_is translations.2.passes.dead 5
	dead=$(($(grep '^X(' "$passes" | grep -n '^X(dead,' | cut -d: -f1) - 1))
	json_is totals.passes.0.count 0
	json_is "totals.passes.$dead.pass" dead
	json_is "totals.passes.$dead.counts" "results that wait"
	json_is "totals.passes.$dead.count" 12
	expect 0 "$DYNOPT" report --file=f --json
	"$TOOL" json translations <out >/dev/null 2>&1 && fail "translations without being asked"
	for oddity in failed traces samples cold kernel unknown long_name refused none ended wild_name; do
		"$TOOL" make f $$ $oddity
		expect 0 "$DYNOPT" report --file=f --translations
		[ "$(awk 'NR > 1 && length > 100 && !/refused in|translations of/' out | wc -l)" = 0 ] ||
			fail "$oddity: lines of more than 100 columns"
		expect 0 "$DYNOPT" report --file=f --translations --json
		json_is pid $$
	done
	"$TOOL" make f $$ failed
	expect 0 "$DYNOPT" report --file=f
	says out "the agent could not be started: Resource temporarily unavailable"
	"$TOOL" make f $$ traces
	expect 0 "$DYNOPT" report --file=f
	says out "the trace file cannot be read: line 12"
	"$TOOL" make f $$ samples
	expect 0 "$DYNOPT" report --file=f
	says out "the file of samples cannot be read: line 7"
	"$TOOL" make f $$ cold
	expect 0 "$DYNOPT" report --file=f
	grep -q "hot time" out && fail "heat without samples"
	"$TOOL" lies >lies
	echo short >>lies
	echo empty >>lies
	while read -r lie; do
		"$TOOL" make f $$ "$lie"
		expect 2 "$DYNOPT" report --file=f
		one_line
		says err "dynopt: f: cannot be used: "
		expect 2 "$DYNOPT" report --json --file=f
		one_line
	done <lies
	[ "$(wc -l <lies)" -gt 10 ] || fail "no lies"
	# Every cut of a good file.
	"$TOOL" make good $$
	size=$(stat -c %s good)
	for cut in 1 8 12 40 600 700 "$((size - 1))"; do
		head -c "$cut" good >f
		expect 2 "$DYNOPT" report --file=f
		one_line
	done
	expect 2 "$DYNOPT" report --file=no-such-file
	one_line
	expect 2 "$DYNOPT" report --file=.
	one_line
	mkfifo pipe
	expect 2 "$DYNOPT" report --file=pipe
	one_line
	dir=$WORK/run/dynopt
	mkdir -m 700 "$dir"
	expect 1 "$DYNOPT" report
	one_line
	"$TOOL" make "$dir/1.dynopt" 1 ended
	"$TOOL" make "$dir/$$.dynopt" $$
	touch -d '2 minutes ago' "$dir/$$.dynopt"
	expect 0 "$DYNOPT" report
	says out "process 1,"
	expect 0 "$DYNOPT" report --last
	says out "process 1,"
	expect 0 "$DYNOPT" report $$
	says out "process $$"
	expect 1 "$DYNOPT" report 999999
	one_line
}

# run --report stands in between: ends, stops and signals as if it did not.
case_supervise()
{
	need_library
	expect 7 "$DYNOPT" run --eager --report -- sh -c 'exit 7'
	says err "translations are live"
	expect 0 "$DYNOPT" run --eager --report=r --json -- true
	[ ! -s err ] || fail "the report is not in the file"
	cp r out
	json_is state RUNNING
	json_is alive false
	for sig in TERM SEGV KILL; do
		expect 0 "$TOOL" wait sh -c "kill -$sig \$\$"
		cp out want
		expect 0 "$TOOL" wait "$DYNOPT" run --eager --report=r -- sh -c "kill -$sig \$\$"
		says want signal
		cmp -s out want || fail "ends with $(cat out), wanted $(cat want)"
	done
	expect 127 "$DYNOPT" run --eager --report -- ./no-such-program
	# A signal sent to dynopt reaches the program; mask and dispositions are the caller's.
	mkfifo ready go
	cat >handler.sh <<'S'
trap 'echo got it; exit 8' USR1
echo yes >ready
while :; do read -r line <go; done
S
	"$DYNOPT" run --eager --report=r -- sh handler.sh >out 2>err &
	pid=$!
	read -r line <ready
	kill -USR1 "$pid"
	wait "$pid"
	got=$?
	[ "$got" = 8 ] || fail "exit code $got after a signal, wanted 8"
	says out "got it"
	expect 0 env --ignore-signal=USR2,CHLD --block-signal=HUP "$DYNOPT" run --eager --report=r -- \
		grep -E 'Sig(Ign|Blk)' /proc/self/status
	cp out with
	expect 0 env --ignore-signal=USR2,CHLD --block-signal=HUP grep -E 'Sig(Ign|Blk)' /proc/self/status
	cmp -s out with || fail "other masks or dispositions: $(cat out with)"
	expect 3 "$DYNOPT" run --eager --report=no/such/folder -- sh -c 'exit 3'
	says err "cannot be written"
}

# The library is there: the environment is put back, status and report tell of a living program.
case_real()
{
	need_library
	expect 0 env LD_PRELOAD=libm.so.6 "$DYNOPT" run --eager -- env
	says out "LD_PRELOAD=libm.so.6"
	grep -q DYNOPT_OPTIONS out && fail "options leak"
	expect 0 "$DYNOPT" run -- env
	grep -qE 'DYNOPT_OPTIONS|LD_PRELOAD' out && fail "options leak with nothing to do"
	expect 0 "$DYNOPT" run --children -- env
	says out "DYNOPT_OPTIONS="
	mkfifo ready go
	"$DYNOPT" run --eager -- sh -c 'echo $$ >ready; read -r line <go; exit 5' &
	read -r pid <ready
	expect 0 "$DYNOPT" status --json "$pid"
	json_is processes.0.pid "$pid"
	json_is processes.0.alive true
	json_is processes.0.state RUNNING
	json_is processes.0.mode eager
	expect 0 "$DYNOPT" report --json --translations "$pid"
	json_is alive true
	translated=$("$TOOL" json totals.translated <out)
	[ "$translated" -gt 100 ] || fail "only $translated translations"
	json_is translations.# "$translated"
	expect 0 "$DYNOPT" report --translations "$pid"
	[ "$(awk 'NR > 1 && length > 100 && !/^    0x|refused in|translations of/' out | wc -l)" = 0 ] || fail "lines of more than 100 columns"
	echo on >go
	wait $!
	[ $? = 5 ] || fail "wrong exit code"
	expect 0 "$DYNOPT" report "$pid"
	says out ", ended"
	expect 1 "$DYNOPT" disable "$pid"
	one_line
	says err "does not run under dynopt"
	"$DYNOPT" run --eager -- sh -c 'echo $$ >ready; read -r line <go; exit 6' &
	read -r pid <ready
	expect 0 "$DYNOPT" disable "$pid"
	expect 0 "$DYNOPT" status --json "$pid"
	json_is processes.0.alive true
	json_is processes.0.state WITHDRAWN
	json_is processes.0.cause REQUEST
	expect 0 "$DYNOPT" disable "$pid" # it is
	echo on >go
	wait $!
	[ $? = 6 ] || fail "wrong exit code after disable"
	"$DYNOPT" run --eager --no-agent -- sh -c 'echo $$ >ready; read -r line <go; exit 7' &
	read -r pid <ready
	expect 3 "$DYNOPT" disable "$pid"
	says err "has no agent"
	echo on >go
	wait $!
	[ $? = 7 ] || fail "wrong exit code without an agent"
}

# What a policy lets through: the options that the program is started with.
asks() # PROGRAM
{
	expect 0 "$DYNOPT" run -- "$1"
	[ ! -s err ] || fail "something on standard error: $(cat err)"
}

# It runs, without the library, and one line says why.
denied() # TEXT PROGRAM
{
	expect 0 "$DYNOPT" run -- "$2"
	says err "$1"
	says err "it runs unoptimized"
	[ "$(wc -l <err)" = 1 ] || fail "more than one line"
	grep -q "^sample=1" out && fail "it has options"
}

case_policy()
{
	empty_library
	printf '#include <stdio.h>\n#include <stdlib.h>\n__attribute__((noinline)) int leave_me(int i) { return i; }\nint main(int n, char **v) { char *o = getenv("DYNOPT_OPTIONS"); puts(o ? o : "none"); return leave_me(n - 1); }\n' >p.c
	cc -O1 p.c -o one
	cp one two
	system=$WORK/system
	user=$WORK/home/.config/dynopt/config
	DYNOPT_SYSTEM_CONFIG=$system
	unset DYNOPT_CONFIG XDG_CONFIG_HOME
	HOME=$WORK/home
	export HOME
	mkdir -p "$WORK/home/.config/dynopt"
	asks ./one
	says out sample=1
	# Later ones win: [default] of system and user, [program] of both, environment, command line.
	printf '# comment\n; another\n[default]\nbudget = 5\nmodules = one libm.so.6\n[program tw*]\nenabled = no\nbudget = 6\n' >"$system"
	asks ./one
	says out budget=5
	says out modules=one:libm.so.6
	denied "$system says enabled = no" ./two
	printf '[default]\nbudget=7\nenabled=yes\n' >"$user"
	asks ./one
	says out budget=7
	denied "$system says enabled = no" ./two
	printf '[program %s/two]\nenabled = on\nchildren = yes\n' "$WORK" >>"$user"
	asks "$WORK/two"
	says out budget=6
	says out children=1
	denied "$system says" ./two
	# A heading as long as a line may be; and longer.
	deep=$WORK/$(printf "%0$((170 - ${#WORK}))d" 1)
	mkdir "$deep"
	cp one "$deep/"
	printf '[program %s/one]\nbudget = 11\n[program %s/two]\nbudget = 12\n' "$deep" "$deep" >other
	DYNOPT_CONFIG=$WORK/other asks "$deep/one"
	says out budget=11
	printf '[default]\n[program %s%0200d]\nenabled = no\n' "$deep" 1 >other
	DYNOPT_CONFIG=$WORK/other denied "$WORK/other:2: " ./one
	printf '\357\273\277[default]\nbudget = 14\n' >other
	DYNOPT_CONFIG=$WORK/other asks ./one
	says out budget=14
	printf '[default]\nbudget = 1\n [program one]\nbudget = 13\n' >other
	DYNOPT_CONFIG=$WORK/other denied "$WORK/other:3: " ./one
	DYNOPT_BUDGET=8 asks "$WORK/two"
	says out budget=8
	expect 0 env DYNOPT_BUDGET=8 "$DYNOPT" run --budget=9 -- ./one
	says out budget=9
	DYNOPT_ENABLED=yes asks ./two
	DYNOPT_ENABLED=no denied "DYNOPT_ENABLED says enabled = no" ./one
	DYNOPT_ENABLED=perhaps denied "DYNOPT_ENABLED: yes or no" ./one
	printf '[default]\nenabled = no\n' >other
	DYNOPT_CONFIG=$WORK/other denied "$WORK/other says" ./one
	DYNOPT_CONFIG='' asks ./one
	printf '[default]\neager = yes\n' >other
	DYNOPT_CONFIG=$WORK/other asks ./one
	says out eager=1
	grep -q sample=1 out && fail "two modes"
	expect 0 env DYNOPT_CONFIG="$WORK/other" "$DYNOPT" run --off -- ./one
	# Functions by name.
	rm "$user"
	start=$(nm one | awk '$3 == "leave_me" { sub(/^0+/, "", $1); print $1 }')
	printf '[program one]\nleave = leave_me\n  libc.so.6:qsort\n' >"$system"
	asks ./one
	says out "leave=one:0x$start-0x"
	grep -q 'leave=.* libc.so.6:0x' out || fail "no range in libc: $(cat out)"
	printf '[program one]\nleave = nobody\n' >"$system"
	denied "./one have no function 'nobody'" ./one
	# What is wrong anywhere is a no, and its line is named.
	for wrong in '2 [default]\nbudget = many' '2 [default]\ncolour = red' '2 [default]\nnonsense' '2 [programs x]\nenabled = yes' \
		'1 enabled = no' '1 [default\nenabled = yes' "3 [default]\nmodules = $(printf '%0500d' 1)" \
		'4 [default]\nenabled = yes\n[program nobody]\nenabled = 7'; do
		printf "${wrong#* }\n" >"$system"
		denied "$system:${wrong%% *}: " ./one
	done
	expect 1 env DYNOPT_LIBRARY=/no/such "$DYNOPT" doctor
	says out "$system:4: "
	rm "$system"
	mkdir "$system"
	denied "$system" ./one
	rmdir "$system"
	# dynopt disable and enable write the user's file, and leave the rest of it alone.
	expect 0 "$DYNOPT" disable --program=one
	denied "$user says enabled = no" ./one
	asks ./two
	printf '# mine\n[program two]\nbudget = 3\n\n[program one]\nenabled: no\nbudget = 4\n' >"$user"
	expect 0 "$DYNOPT" enable --program=one
	[ "$(cat "$user")" = "# mine
[program two]
budget = 3

[program one]
enabled = yes
budget = 4" ] || fail "rewritten as: $(cat "$user")"
	asks ./one
	says out budget=4
	rm -r "$WORK/home/.config"
	expect 0 "$DYNOPT" enable --program=one
	[ -s "$user" ] || fail "no folder was made"
	expect 2 env HOME=/dev/null/there "$DYNOPT" enable --program=one
	one_line
	expect 2 env -u HOME "$DYNOPT" disable --program=one
	one_line
	expect 2 "$DYNOPT" enable
	expect 2 "$DYNOPT" enable 12
	expect 2 "$DYNOPT" disable 12 --program=one
}

# Samples by hand, each format through the tool that it is for; and back.
case_profile()
{
	expect 0 "$DYNOPT" profile --help
	says out "Exit codes:"
	for what in record export import; do
		expect 0 "$DYNOPT" profile $what --help
		says out "Example:"
	done
	expect 2 "$DYNOPT" profile
	expect 2 "$DYNOPT" profile sell
	one_line
	expect 2 "$DYNOPT" profile export --binary=p s
	expect 125 "$DYNOPT" profile record -- true
	one_line
	cat >p.c <<'C'
#include <stdio.h>
#include <stdlib.h>
static __attribute__((noinline)) int inner(int i)
{
	return i % 3 ? i : -i;
}
__attribute__((noinline)) int work(int x)
{
	int s = 0;
	for (int i = 0; i < x; i++)
		if (i % 7 == 0)
			s += inner(i);
		else
			s ^= i;
	return s;
}
int main(int n, char **v)
{
	printf("%d\n", work(n > 1 ? atoi(v[1]) : 10));
	return 0;
}
C
	clang-19 -O2 -gline-tables-only -fdebug-info-for-profiling -fuse-ld=lld -Wl,--emit-relocs p.c -o p || skip "no clang-19 with lld"
	for symbol in inner work; do
		start=$(nm p | awk -v s=$symbol '$3 == s { print $1 }')
		for i in 0 4 9 17; do
			printf 'samples p 0x%x %d\n' "$((0x$start + i))" "$((100 * (i + 1)))"
		done
	done >s
	printf 'samples other 0x10 7 # not ours\n\n' >>s
	expect 0 "$DYNOPT" profile export --format=bolt --binary=p s
	says out "no_lbr "
	says out "1 work 9 1000"
	says out "1 inner/p.c/1 11 1800"
	[ "$(wc -l <out)" = 9 ] || fail "wanted a heading and 8 samples"
	cp out p.fdata
	expect 0 "$DYNOPT" profile import --format=bolt --binary=p -o back p.fdata
	grep "samples p " s | sort >want
	sort back >got
	cmp want got || fail "not the same samples after BOLT's format and back"
	expect 0 "$DYNOPT" profile export --format=profgen --binary=p s
	[ "$(head -n 1 out)" = 8 ] || fail "wanted 8 ranges"
	# Samples as perf script prints them: loaded elsewhere, another process, another file.
	offset=$(readelf -lW p | awk '$1 == "LOAD" && / R E / { print $2, $3 }')
	at=$((0x55a25b240000 + 0x$(nm p | awk '$3 == "work" { print $1 }') - ${offset#* } + (${offset% *} & 0xfff)))
	{
		printf ' 74 PERF_RECORD_MMAP2 74/74: [0x55a25b240000(0x2000) @ 0x%x fe:00 11 22]: r-xp /x y/p\n' "$((${offset% *} & ~0xfff))"
		printf ' 74 PERF_RECORD_MMAP2 74/74: [0x7f86d32e3000(0x26000) @ 0x1000 fe:00 33 0]: r-xp /usr/lib/ld.so\n'
		printf ' 74 %x (/x y/p)\n 74 ffffffff8226e639 ([kernel.kallsyms])\n 74 7f86d32e3001 (/usr/lib/ld.so)\n 74 %x (/x y/p)\n' $at $at
	} >script
	expect 0 "$DYNOPT" profile import --format=perf --binary=p script
	[ "$(cat out)" = "samples p 0x$(nm p | awk '$3 == "work" { sub(/^0+/, "", $1); print $1 }') 2" ] || fail "perf: $(cat out)"
	sed -i 's/ 74 PERF_/ 75 PERF_/; s,74/74,75/75,' script
	expect 2 "$DYNOPT" profile import --format=perf --binary=p script
	says err "script: line 3: no mapping of p"
	one_line
	# What cannot be: other builds, other files, no debug information, no symbols, no room.
	expect 2 "$DYNOPT" profile export --format=bolt --binary=/bin/true s
	says err "no samples of a module named 'true'"
	echo "samples p 0xfffff0 1" >>s
	expect 2 "$DYNOPT" profile export --format=bolt --binary=p s
	says err "s: 1 of its 9 addresses lie outside of the code of p: it is a profile of another build"
	one_line
	sed -i '$d' s
	printf 'samples p 0x10\n' >wrong
	expect 2 "$DYNOPT" profile export --format=bolt --binary=p wrong
	says err "wrong: line 1 "
	expect 2 "$DYNOPT" profile export --format=bolt --binary=p no-such-file
	one_line
	expect 2 "$DYNOPT" profile export --format=gold --binary=p s
	one_line
	expect 2 "$DYNOPT" profile export --format=bolt --binary=p -o no/such/folder s
	one_line
	printf 'no_lbr x\n1 nobody 0 1\n' >wrong
	expect 2 "$DYNOPT" profile import --format=bolt --binary=p wrong
	says err "wrong: line 2: p has no function 'nobody'"
	mkdir bare
	objcopy --strip-all p bare/p
	expect 2 "$DYNOPT" profile export --format=bolt --binary=bare/p s
	says err "stripped"
	expect 2 "$DYNOPT" profile export --format=clang --binary=bare/p s
	says err "no debug information"
	one_line
	missing=
	if command -v llvm-profgen-19 >/dev/null; then
		expect 0 "$DYNOPT" profile export --format=clang --binary=p -o p.prof s
		clang-19 -O2 -gline-tables-only -fprofile-sample-use=p.prof -S -emit-llvm p.c -o p.ll || fail "clang refuses it"
		says p.ll '!"MaxCount", i64 1800'
		says p.ll '!"function_entry_count", i64'
		expect 0 llvm-profdata-19 show --sample --function=work p.prof
		says out "1800"
	else
		missing="$missing llvm-profgen-19,"
	fi
	if command -v llvm-bolt-19 >/dev/null; then
		expect 0 llvm-bolt-19 p -data p.fdata -o p.bolt -reorder-blocks=ext-tsp
		cat err >>out
		says out "2 out of"
		[ "$(./p.bolt 100)" = "$(./p 100)" ] || fail "not the same program after BOLT"
	else
		missing="$missing llvm-bolt-19,"
	fi
	expect 0 "$DYNOPT" profile export --format=pprof --binary=p -o p.pprof s
	if command -v google-pprof >/dev/null; then
		expect 0 google-pprof --text p p.pprof
		says out "Total: 6800 samples"
		grep -qE "^ *3400 .* work$" out || fail "pprof: $(cat out)"
	else
		missing="$missing google-pprof,"
	fi
	if [ -e "$(dirname "$DYNOPT")/../lib/dynopt/libdynopt.so" ] && [ "$(cat /proc/sys/kernel/perf_event_paranoid)" -le 2 ]; then
		expect 0 "$DYNOPT" profile record -o kept -- ./p 300000000
		grep -qE '^samples p 0x[0-9a-f]+ [1-9]' kept || missing="$missing perf_event_open,"
	fi
	[ -z "$missing" ] || skip "parts of it: no${missing%,}"
}

case_doctor()
{
	if [ -e "$(dirname "$DYNOPT")/../lib/dynopt/libdynopt.so" ]; then
		expect 0 "$DYNOPT" doctor
		says out "ok       trial"
		says out "ok       libc           glibc 2."
		expect 0 "$DYNOPT" doctor --json
		json_is works true
		json_is findings.0.name library
	fi
	# -1 is the best that there is, and 3 is not enough; where one may put a file over the kernel's, for this command alone.
	for paranoid in -1 3; do
		echo "$paranoid" >paranoid
		unshare -m sh -c 'mount --bind paranoid /proc/sys/kernel/perf_event_paranoid && exec "$@"' sh "$DYNOPT" doctor >out 2>err || [ -s out ] || break
		[ "$paranoid" = 3 ] || says out "ok       perf-paranoid  kernel.perf_event_paranoid is -1"
		[ "$paranoid" = -1 ] || says out "warn     perf-paranoid  kernel.perf_event_paranoid is 3"
	done
	expect 1 env DYNOPT_LIBRARY=/no/such DYNOPT_RUN_DIR="$WORK/none" "$DYNOPT" doctor
	says out "run uses embedded: for kernel, dynoptd: it does not run"
	says out "missing  library"
	says out "missing  trial"
	expect 1 env DYNOPT_LIBRARY=/no/such "$DYNOPT" doctor --json
	json_is works false
	json_is findings.0.level missing
}

# What they do with the module: tests/guest.
case_attach()
{
	expect 2 "$DYNOPT" attach
	says err "name a PID"
	expect 2 "$DYNOPT" detach x
	says err "'x' is no process number"
	expect 2 "$DYNOPT" attach --traces=no-such 1
	one_line
	says err "no-such: cannot be read"
	: >empty
	expect 2 "$DYNOPT" attach --traces=empty 1
	one_line
	says err "empty: has no traces"
	[ ! -e /dev/dynopt ] || skip "the module is loaded here"
	for command in attach detach; do
		expect 3 "$DYNOPT" $command 1
		one_line
		says err "load dynopt.ko"
	done
}

# What it does with the module: tests/guest.
case_daemon()
{
	expect 0 "$DYNOPTD" --help
	says out "Usage: dynoptd"
	says out "Example:"
	says out "Exit codes:"
	expect 2 "$DYNOPTD" --threads=0
	says err "--threads wants a number"
	expect 2 "$DYNOPTD" now
	DYNOPT_RUN_DIR=$WORK/none
	export DYNOPT_RUN_DIR
	expect 3 "$DYNOPT" attach --eager 1
	one_line
	says err "dynoptd, which does not run"
	expect 125 "$DYNOPT" run --backend=both -- true
	expect 125 "$DYNOPT" run --backend=kernel --samples=/dev/null -- true
	expect 125 "$DYNOPT" run --backend=kernel --children -- true
	# The program runs in any case, and says why it runs as it is.
	expect 7 "$DYNOPT" run --backend=kernel -- sh -c 'exit 7'
	one_line
	says err "dynoptd: it does not run; it runs unoptimized"
	expect 0 "$DYNOPT" run --backend=kernel --report -- true
	says err "no report: the program left no status file"
	mkdir none
	: >none/socket
	expect 3 "$DYNOPT" attach --eager 1
	rm -r none
	[ ! -e /dev/dynopt ] || skip "the module is loaded here"
	expect 3 "$DYNOPTD" --foreground --run-dir="$WORK/none"
	one_line
	says err "load dynopt.ko"
	[ ! -e none ] || fail "it has made its folder without a module"
}

case ${1:-} in
help) case_help ;;
attach) case_attach ;;
daemon) case_daemon ;;
libraries) case_libraries ;;
program) case_program ;;
scripts) case_scripts ;;
refusals) case_refusals ;;
status_dir) case_status_dir ;;
status) case_status ;;
top) case_top ;;
report) case_report ;;
supervise) case_supervise ;;
real) case_real ;;
doctor) case_doctor ;;
profile) case_profile ;;
policy) case_policy ;;
*)
	echo "usage: run.sh help|attach|daemon|libraries|program|scripts|refusals|status_dir|status|top|report|supervise|real|doctor|profile|policy" >&2
	exit 2
	;;
esac
exit "$failed"
