#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh - boots a guest with the module and runs tests in it.
#
#     run.sh [--debug] BUILD [TEST…]   all tests of tests.def, or those named, and what these print; a
#                                      TEST like "fuzz 20000 7" takes these arguments instead of its row's
#     run.sh --boot BUILD              the same, with fewer rounds, and only the guest's own end decides
#     run.sh --result BUILD TEST       what the last run said of a test
#     run.sh --canary BUILD            the guest must find what canaries do wrong
#
# --debug: under the debug kernel, which is built first; --have: only if the kernel is there already.
#
# The kernel is fetched (kernel.sh), the module built for it, and two small ext4 images made:
# one with the tests, one for them to play with. Everything is in BUILD/guest. QEMU runs
# without KVM under `timeout`; tests marked `single:` get a boot of their own, on an emulator
# that runs one processor at a time. Exit code 0: every test passed or was skipped (--result: 77 if
# it was skipped); 1: one failed, and the output says which; 77: no guest here, and why.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
kind=stock
mode=tests
have=
while :; do
	case ${1:-} in
	--debug) kind=debug ;;
	--have) have=--have ;;
	--result) mode=result ;;
	--canary) mode=canary ;;
	--boot) mode=boot ;;
	*) break ;;
	esac
	shift
done
build=$(cd "$1" && pwd)
shift
work=$build/guest
DYNOPT_GUEST_CACHE=${DYNOPT_GUEST_CACHE:-$work}
export DYNOPT_GUEST_CACHE
mkdir -p "$work/results.$kind"

skip()
{
	echo "SKIP: $*"
	exit 77
}

# One line per test, with the log before it.
show_result() # TEST
{
	file=$work/results.$kind/$1
	[ -r "$file" ] || skip "the guest did not run, see guest.boot"
	cat "$file"
	case $(tail -n 1 "$file") in
	PASS*) return 0 ;;
	SKIP*) return 77 ;;
	*) return 1 ;;
	esac
}

if [ $mode = result ]; then
	show_result "$1"
	exit
fi

need_tools()
{
	command -v qemu-system-x86_64 >/dev/null 2>&1 || skip "qemu-system-x86_64 is not installed"
	command -v mkfs.ext4 >/dev/null 2>&1 || PATH=$PATH:/sbin:/usr/sbin
	command -v mkfs.ext4 >/dev/null 2>&1 || skip "mkfs.ext4 is not installed (e2fsprogs)"
	busybox=$(command -v busybox) || skip "busybox is not installed (busybox-static)"
	# A dynamic one would find no libraries in the guest.
	! ldd "$busybox" >/dev/null 2>&1 || skip "busybox is not static (busybox-static)"
}

# Rows of tests.def: all, or those of the names given, in their order.
rows() # "NAME [ARGUMENTS]"...
{
	printf '%s\n' "$@" | awk -v kind="$kind" -v mode="$mode" '
		NR == FNR {
			name = $1
			sub(/^ *[^ ]+/, "")
			if (name in named) {
				print "run.sh: " name " is named twice: one boot each, please" >"/dev/stderr"
				exit 1
			}
			named[name] = $0
			all = name == ""
			next
		}
		/^#/ || !NF { next }
		all ? !/named:/ : $1 in named {
			sub("named:", "")
			single = sub("single:", "") ? " single:" : ""
			gsub("single:", "")
			split("", arguments)
			which = ""
			for (i = 4; i <= NF; i++)
				if ($i == "short:" || $i == "debug:")
					arguments[which = $i] = ""
				else
					arguments[which] = arguments[which] " " $i
			which = (kind ":") in arguments ? kind ":" : mode == "boot" && "short:" in arguments ? "short:" : ""
			print $1, $2 * (kind == "debug" ? 4 : 1), $3 (named[$1] ? named[$1] : arguments[which]) single
		}' - "$here/tests.def"
}

make_initrd()
{
	root=$work/initrd
	rm -rf "$root"
	mkdir -p "$root/bin" "$root/modules" "$root/proc" "$root/sys" "$root/dev" "$root/tmp"
	cp "$busybox" "$root/bin/busybox"
	cp "$here/init.sh" "$root/init"
	cp "$build/tests/guest/bin/halt" "$root/halt"
	chmod +x "$root/init"
	if [ -n "$MODULES" ]; then
		for module in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci \
			virtio_blk overlay; do
			find "$MODULES" -name "$module.ko" -exec cp {} "$root/modules/" \;
		done
	fi
	(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null) >"$work/initrd.img"
	rm -rf "$root"
}

# Programs that are compiled as users do; without dynopt-clang they say so themselves.
compile_flagged() # NAME [OPTION]...
{
	[ -x "$build/bin/dynopt-clang" ] || return 0
	name=$1
	shift
	"$build/bin/dynopt-clang" -O2 -static -D_GNU_SOURCE -fdynopt-jumpstations \
		-fdynopt-cache-size=400 -I"$here/src" \
		-I"$here/../../kmod" -o "$root/bin/$name" "$here/src/$name.c" "$here/src/guest.c" \
		"$here/src/processes.c" "$here/src/traced.c" "$@" || {
		echo "dynopt-clang does not compile $name.c"
		exit 1
	}
	"$build/tests/guest/grow_traces" "$root/bin/$name" >"$root/$name.traces" || exit 1
}

# lua and sqlite's benchmark from Debian's sources, once; what cannot be had is not there.
build_programs()
{
	[ -x "$build/bin/dynopt-clang" ] && [ -x "$build/bin/dynopt" ] || return 0
	for program in lua speedtest1; do
		[ ! -x "$work/programs/$program/$program" ] || continue
		mkdir -p "$work/programs"
		DYNOPT_PROGRAM_LDFLAGS=-fuse-ld=lld "$here/../programs/run.sh" "$build" build $program flag \
			"$work/programs/$program" >"$work/programs/$program.log" 2>&1 ||
			rm -rf "$work/programs/$program"
	done
}

# With the libraries they need, and traces of their loops.
copy_programs()
{
	[ -x "$work/programs/lua/lua" ] && [ -x "$build/bin/dynopt" ] || return 0
	mkdir -p "$root/programs" "$root/lib" "$root/scripts"
	cp "$here"/../programs/scripts/*.lua "$here/../../bench/inputs/objects.lua" "$root/scripts/"
	for program in "$build/bin/dynopt" "$build/bin/dynoptd" "$work"/programs/lua/lua "$work"/programs/speedtest1/speedtest1; do
		[ -x "$program" ] || continue
		name=${program##*/}
		strip -g -o "$root/programs/$name" "$program"
		ldd "$program" | sed -n 's/.* => \(\/[^ ]*\).*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) .*/\1/p' |
			while read -r library; do
				cp -L "$library" "$root/lib/"
			done
		[ "${name#dynopt}" != "$name" ] ||
			"$build/tests/guest/grow_traces" --loops "$root/programs/$name" >"$root/$name.traces" || exit 1
	done
}

# A library that is compiled with the flag, and programs that are not: two work by it, one opens and closes it.
compile_library()
{
	[ -d "$root/programs" ] || return 0
	"$build/bin/dynopt-clang" -O2 -shared -fPIC -fdynopt-jumpstations -fdynopt-cache-size=400 \
		-fuse-ld=lld -Wl,-soname,libwork.so -o "$root/programs/libwork.so" "$here/src/library.c" &&
		for seed in 1 2; do
			"$build/bin/dynopt-clang" -O2 -DSEED=$seed -o "$root/programs/user$seed" \
				"$here/src/library_user.c" "$root/programs/libwork.so" \
				-Wl,-rpath,/t/programs || exit 1
		done
	"$build/bin/dynopt-clang" -O2 -o "$root/programs/closer" "$here/src/library_closer.c" &&
		"$build/tests/guest/grow_traces" "$root/programs/libwork.so" >"$root/libwork.traces" || exit 1
}

make_disks() # FILE-WITH-ROWS
{
	root=$work/disk
	rm -rf "$root"
	mkdir -p "$root/bin"
	cp -L "$build"/tests/guest/bin/* "$root/bin/"
	compile_flagged flagged -fuse-ld=bfd -Wl,--section-start=far_text=0x700000
	compile_flagged translate
	compile_flagged observed
	compile_flagged slots
	copy_programs
	compile_library
	strip -g -o "$root/dynopt.ko" "$work/module.$kind/dynopt.ko"
	[ ! -e "$work/canary.$kind/canary.ko" ] || cp "$work/canary.$kind/canary.ko" "$root/"
	cp "$1" "$root/tests"
	rm -f "$work/tests.img" "$work/play.img"
	mkfs.ext4 -q -d "$root" "$work/tests.img" 64M >"$work/mkfs.log" 2>&1 &&
		mkfs.ext4 -q "$work/play.img" 32M >>"$work/mkfs.log" 2>&1 || {
		cat "$work/mkfs.log"
		echo "the disks' images cannot be made"
		exit 1
	}
	rm -rf "$root"
}

# What it says is in $work/console. A host that is busy must not look like a kernel that hangs:
# real hangs end by the time limits.
emulate() # SECONDS multi|single
{
	memory=512
	[ $kind != debug ] || memory=1536
	exec timeout -k 5 "$1" qemu-system-x86_64 -machine q35 -accel tcg,thread=$2 \
		-cpu max,la57=off -smp 2 -m $memory -nographic -no-reboot -nodefaults \
		-serial stdio -monitor none -device isa-debug-exit,iobase=0xf4,iosize=0x04 \
		-kernel "$IMAGE" -initrd "$work/initrd.img" \
		-append "console=ttyS0,115200 panic=-1 oops=panic quiet nowatchdog no_timer_check rcupdate.rcu_cpu_stall_suppress=1" \
		-drive "file=$work/tests.img,if=virtio,format=raw,cache=unsafe,readonly=on" \
		-drive "file=$work/play.img,if=virtio,format=raw,cache=unsafe" \
		</dev/null >"$work/console" 2>&1
}

# Seldom (seen once in fifty) the emulator hangs before the guest's first process runs: one processor
# is halted, the other takes interrupts for ever. Of the module nothing is loaded by then, so it is begun again.
boot() # SECONDS multi|single
{
	patience=300
	[ $kind != debug ] || patience=900
	for attempt in 1 2 3; do
		: >"$work/console"
		emulate "$1" "$2" &
		emulator=$!
		trap 'kill $emulator 2>/dev/null; exit 130' INT TERM
		waited=0
		until grep -q '^@@' "$work/console" || ! kill -0 $emulator 2>/dev/null || [ $waited = $patience ]; do
			sleep 1
			waited=$((waited + 1))
		done
		[ $waited = $patience ] || break
		echo "attempt $attempt: the guest's first process does not run after $patience seconds"
		kill $emulator 2>/dev/null || :
		[ $attempt = 3 ] || wait $emulator || :
	done
	result=0
	wait $emulator || result=$?
	trap - INT TERM
	return $result
}

# What the console said of each test, into a file each: log, then verdict. A test that the
# guest did not come to, or did not come out of, has failed.
split_results() # FILE-WITH-ROWS QEMU-EXIT-CODE
{
	while read -r name _; do
		file=$work/results.$kind/$name
		tr -d '\r' <"$work/console" | awk -v name="$name" '
			$1 == "@@" && $2 == name && $3 == "BEGIN" { on = 1; next }
			$1 == "@@" && $2 == name { $1 = $2 = ""; sub(/^ +/, ""); print; exit }
			on { print }' >"$file"
		case $(tail -n 1 "$file") in
		PASS* | FAIL* | SKIP*) ;;
		*) echo "FAIL the guest ended before the test did (QEMU's exit code $2)" >>"$file" ;;
		esac
	done <"$1"
}

build_module() # SOURCES NAME
{
	"$here/../../kmod/build.sh" "$1" "$KDIR" "$work/$2.$kind" || exit 1
}

# Fetches, builds, boots; results are in files then.
run_guest() # FILE-WITH-ROWS
{
	need_tools
	facts=$("$here/kernel.sh" $have $kind 2>"$work/why") || {
		cat "$work/why"
		exit 77
	}
	eval "$facts"
	build_module "$here/../../kmod" module
	[ $mode != canary ] || build_module "$here/canary" canary
	build_programs
	make_initrd
	grep -v single: "$1" >"$work/rows.multi" || :
	sed -n 's/single://p' "$1" >"$work/rows.single"
	ended=0
	for thread in multi single; do
		[ ! -s "$work/rows.$thread" ] || boot_for "$work/rows.$thread" $thread || ended=1
	done
	return $ended
}

boot_for() # FILE-WITH-ROWS multi|single
{
	make_disks "$1"
	seconds=$(awk '{ n += $2 } END { print n + 120 }' "$1")
	result=0
	boot "$seconds" "$2" || result=$?
	split_results "$1" $result
	# 1 is isa-debug-exit's word for 0; 0 would be a panic, 124 the timeout.
	[ $result = 1 ] && grep -q '^@@ end' "$work/console" && return
	[ $mode = canary ] || tail -n 40 "$work/console"
	return 1
}

# Rows of canary.def without what is expected, as init.sh wants them.
canary_rows()
{
	grep -v '^#' "$here/canary.def" | if [ $kind = debug ]; then
		sed 's/debug://'
	else
		grep -v debug:
	fi
}

check_canaries()
{
	canary_rows | while read -r row; do
		name=${row%% *}
		said=$(tail -n 1 "$work/results.$kind/$name")
		case $said in
		"${row#*; }"*) ;;
		*)
			echo "$name: should be '${row#*; }', is '$said'"
			cat "$work/results.$kind/$name"
			exit 1
			;;
		esac
	done
}

failed=0
case $mode in
canary)
	canary_rows | sed 's/ ;.*//' >"$work/rows"
	if run_guest "$work/rows"; then
		echo "the guest panicked, and that was not noticed"
		failed=1
	fi
	check_canaries || failed=1
	;;
tests | boot)
	rows "$@" >"$work/rows"
	[ -s "$work/rows" ] || {
		echo "no such test: $*"
		exit 1
	}
	while read -r name _; do
		rm -f "$work/results.$kind/$name"
	done <"$work/rows"
	run_guest "$work/rows" || {
		failed=1
		echo "the guest did not end as it should"
	}
	[ $mode = tests ] || exit $failed
	while read -r name _; do
		result=0
		show_result "$name" >"$work/shown" || result=$?
		[ $result = 0 ] || [ $result = 77 ] || failed=1
		if [ $result != 0 ] || [ $# != 0 ]; then
			sed '$d' "$work/shown"
		fi
		echo "$name: $(tail -n 1 "$work/shown")"
	done <"$work/rows"
	;;
esac
exit $failed
