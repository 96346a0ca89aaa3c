#!/bin/sh
# SPDX-License-Identifier: MIT
#
# checks.sh NAME BIN: one check of the plugins as clang and lld load them. BIN is the
# directory of dynopt-clang and dynopt. Prints what was wrong; exit 0 right, 1 wrong,
# 77 skipped with the reason. Environment: CLANG14, a clang of LLVM 14, may be empty.
set -u
BIN=$2
CC=$BIN/dynopt-clang
CXX=$BIN/dynopt-clang++
FLAG=-fdynopt-jumpstations
FE=$(echo "$BIN"/../lib/dynopt/libdynopt-fe-*.so)
PASS=$(echo "$BIN"/../lib/dynopt/libdynopt-pass-*.so)
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1

skip() { echo "SKIP $*"; exit 77; }
wrong() { echo "$*"; exit 1; }
need() { "$@" || wrong "failed: $*"; }
# same WANT GOT
same() { [ "$1" = "$2" ] || wrong "expected:
$1
got:
$2"; }
# refused EXPECTED-LINE COMMAND...: exit 1 and that line, nothing else.
refused() {
	line=$1
	shift
	"$@" >out 2>&1
	same 1 $?
	same "$line" "$(cat out)"
}
need_lld() { command -v ld.lld-19 >/dev/null || skip "lld 19 is not installed"; }

# --- another LLVM -------------------------------------------------------------------

refusal() { echo "dynopt: this plugin is for LLVM 19, and $1 has LLVM $2: use clang-19 or rebuild dynopt"; }

# A clang and an lld that say they are of LLVM 20.
other_llvm() {
	echo 'void LLVMGetVersion(unsigned *a, unsigned *b, unsigned *c) { *a = 20; *b = *c = 0; }' >v.c
	need "$CC" -shared -fPIC v.c -o libv.so
	echo 'int main(void) { return 0; }' >a.c
	clang=$(readlink -f "$(command -v clang-19)")
	name=$(basename "$clang")
	refused "$(refusal "$name" 20)" env LD_PRELOAD="$dir/libv.so" "$clang" -fplugin="$FE" -c a.c -o a.o
	refused "$(refusal "$name" 20)" env LD_PRELOAD="$dir/libv.so" "$clang" -fpass-plugin="$PASS" -c a.c -o a.o
	need_lld
	need "$CC" $FLAG -flto=thin -c a.c -o a.o
	refused "$(refusal ld.lld-19 20)" env LD_PRELOAD="$dir/libv.so" ld.lld-19 --load-pass-plugin="$PASS" -e main a.o -o a
}

# A real clang of another version, under a name that does not tell the driver.
clang_14() {
	[ -n "${CLANG14:-}" ] || skip "clang-14 is not installed"
	mkdir bin
	cp "$(readlink -f "$CLANG14")" bin/cc
	echo 'int f(int x) { return x; }' >a.c
	DYNOPT_REAL_CC=$dir/bin/cc refused "$(refusal cc 14)" "$CC" $FLAG -c a.c -o a.o
	DYNOPT_REAL_CC=$dir/bin/cc refused "$(refusal cc 14)" "$CC" $FLAG a.c -o a
}

# --- options for X86's own streamer ---------------------------------------------------

aligned() { echo "dynopt: -$1 cannot be combined with jumpstations: it would undo the alignment of branches; leave it or the plugin out"; }

aligned_branches() {
	echo 'int main(int c, char **v) { return c > 1; }' >a.c
	mkdir out-dir
	# shellcheck disable=SC2317 # refused calls it
	plain() { clang-19 -fplugin="$FE" -fpass-plugin="$PASS" "$@" -c a.c -o out-dir/a.o; }
	command -v clang-19 >/dev/null || skip "clang-19 is not in PATH"
	need plain
	rm out-dir/a.o
	refused "$(aligned x86-branches-within-32B-boundaries)" plain -mbranches-within-32B-boundaries
	refused "$(aligned x86-align-branch)" plain -mllvm -x86-align-branch=jcc
	refused "$(aligned x86-pad-max-prefix-size)" plain -mllvm -x86-pad-max-prefix-size=3
	need_lld
	for i in 1 2 3 4; do
		echo "int f$i(int x) { return x + $i; }" >f.c
		need "$CC" $FLAG -O2 -flto=thin -c f.c -o "f$i.o"
	done
	need "$CC" $FLAG -O2 -flto=thin -c a.c -o a.o
	# Several back ends meet the option at once: still one line.
	refused "$(aligned x86-align-branch-boundary)" ld.lld-19 --load-pass-plugin="$PASS" \
		-mllvm -x86-align-branch-boundary=32 -e main a.o f1.o f2.o f3.o f4.o -o out-dir/a
	same '' "$(ls -A out-dir)"
}

# --- what the report says ---------------------------------------------------------------

marked_source() {
	mkdir -p src
	cat >src/marked.c <<'END'
#include <setjmp.h>
jmp_buf b;
__attribute__((dynopt_disable, noinline)) int one(int x) { return x * 3; }
__attribute__((dynopt_disable, noinline)) int two(int x) { return x * 5; }
int again(int x) { return setjmp(b) ? 1 : one(x) + two(x); }
int plain(int x) { return x + 1; }
int main(void) { return again(2) * 0; }
END
	echo 'int other(int x) { return x + 1; }' >aaaa
}

report() {
	marked_source
	need "$CC" $FLAG -O2 -fdynopt-report -c src/marked.c -o marked.o 2>err
	same 1 "$(wc -l <err)"
	grep -q '^dynopt: src/marked.c: text [0-9]* -> [0-9]* bytes, .* slots reserved, .*; 5 functions, 3 with restrictions (disabled in the source: 2, calls setjmp, getcontext or the like: 1), 0 pieces of inline assembly' err ||
		wrong "$(cat err)"
	# A name of one letter repeated is one, too.
	need "$CC" $FLAG -fdynopt-report -x c -c aaaa -o aaaa.o 2>err
	grep -q '^dynopt: aaaa: text .* 1 functions, 0 with restrictions, ' err || wrong "$(cat err)"
	# The report changes nothing.
	need "$CC" $FLAG -O2 -c src/marked.c -o quiet.o
	cmp marked.o quiet.o || wrong "-fdynopt-report changes the object"
}

# Asked for at the compile, at the link, or not at all.
report_lto() {
	need_lld
	marked_source
	for mode in thin full; do
		for asked in compile link none; do
			report=-fdynopt-report
			[ $asked = compile ] || report=
			need "$CC" $FLAG $report -O2 -flto=$mode -c src/marked.c -o m.o 2>err
			[ -s err ] && wrong "bitcode has no slots to report: $(cat err)"
			report=-fdynopt-report
			[ $asked = link ] || report=
			need "$CC" $FLAG $report -O2 -flto=$mode m.o -o $mode-$asked 2>err
			case $asked:$mode in
			none:*) same '' "$(cat err)" ;;
			*:thin) want=src/marked.c ;;
			*:full) want='ld-temp.o' ;;
			esac
			[ $asked = none ] || grep -q "^dynopt: $want: text .* (disabled in the source: 2, " err ||
				wrong "$mode, asked at the $asked: $(cat err)"
		done
		cmp $mode-link $mode-none || wrong "the report changes the program"
	done
}

# --- marks where no slots can be ----------------------------------------------------------

marks_without_slots() {
	cat >m.c <<'END'
__attribute__((dynopt_disable)) int f(int x) { return x; }
#pragma dynopt disable push
[[dynopt::disable]] int g(int x) { return x; }
#pragma dynopt disable pop
END
	for how in -S '-save-temps -c' '-fno-integrated-as -c'; do
		# shellcheck disable=SC2086 # flags are a list
		need "$CC" $FLAG -std=c23 -Wall -Wextra -Werror -w $how m.c -o m.out
		# shellcheck disable=SC2086
		need "$CC" $FLAG -std=c23 -Wall -Wextra -Werror $how m.c -o m.out 2>err
		same 1 "$(wc -l <err)"
		# shellcheck disable=SC2086
		need env DYNOPT_CC_DEFAULT=1 "$CC" -std=c23 -Wall -Wextra -Werror $how m.c -o m.out
	done
	grep -q 'dynopt' m.s && wrong "marks left a trace in the assembly"
	return 0
}

"$1"
