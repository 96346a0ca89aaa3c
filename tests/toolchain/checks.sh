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

# --- what links drop and keep ---------------------------------------------------------------

# count FIGURE FILE: a number of the notes' JSON.
count() { "$BIN/dynopt" notes --json "$2" | sed -n "s/^ *\"$1\":\([0-9]*\),*$/\1/p" | head -1; }
holds() { "$BIN/dynopt" notes --check "$1" >out 2>&1 || wrong "$1: $(cat out)"; }
linkers() {
	for linker in lld bfd gold mold; do
		case $linker in
		lld) command -v ld.lld-19 >/dev/null && echo $linker ;;
		*) command -v "ld.$linker" >/dev/null && echo $linker ;;
		esac
	done
}
three_sources() {
	echo 'int used(int); int main(void) { return used(1) - 2; }' >main.c
	echo 'int used(int x) { return x + 1; } int idle(int x) { return x ? x * 3 : 1; }' >used.c
	echo 'int dead(int x) { for (int i = 0; i < x; i++) x += i ^ 3; return x; }' >dead.c
	for c in main used dead; do
		need "$CC" $FLAG -O2 -ffunction-sections -c $c.c -o $c.o
	done
}

# An object all of whose functions are collected: its note stays, with no record.
gc_all() {
	three_sources
	for linker in $(linkers); do
		need "$CC" $FLAG -fuse-ld="$linker" -Wl,--gc-sections main.o used.o dead.o -o "gc-$linker"
		need "./gc-$linker"
		holds "gc-$linker"
		same "$linker: 3 objects, 2 functions" \
			"$linker: $(count objects "gc-$linker") objects, $(count functions "gc-$linker") functions"
		nm "gc-$linker" | grep -q ' dead$' && wrong "$linker: dead() is still there"
	done
	return 0
}

# Members of an archive that nobody needs bring nothing.
archive() {
	three_sources
	ar rcs libboth.a used.o dead.o
	for linker in $(linkers); do
		need "$CC" $FLAG -fuse-ld="$linker" main.o -L. -lboth -o "ar-$linker"
		need "./ar-$linker"
		holds "ar-$linker"
		same "$linker: 2 objects, 3 functions" \
			"$linker: $(count objects "ar-$linker") objects, $(count functions "ar-$linker") functions"
	done
}

# `ld -r` as libtool calls it, then an ordinary link, with and without collection.
joined() {
	three_sources
	for linker in $(linkers); do
		ld=ld.$linker
		[ "$linker" != lld ] || ld=ld.lld-19
		need "$ld" -r used.o dead.o -o "joined-$linker.o"
		for gc in '' -Wl,--gc-sections; do
			x=r-$linker$gc
			# shellcheck disable=SC2086 # no flag, or one
			need "$CC" $FLAG -fuse-ld="$linker" $gc main.o "joined-$linker.o" -o "$x"
			need "./$x"
			holds "$x"
			same "$x: 3 objects" "$x: $(count objects "$x") objects"
			[ -n "$gc" ] || same "$x: 4 functions" "$x: $(count functions "$x") functions"
		done
	done
	# Pieces kept apart: collection is as fine as before.
	if command -v ld.bfd >/dev/null; then
		need ld.bfd -r --unique=.dynopt.rec used.o dead.o -o apart.o
		need "$CC" $FLAG -fuse-ld=bfd -Wl,--gc-sections main.o apart.o -o apart
		holds apart
		same 2 "$(count functions apart)"
	fi
}

# --- figures ----------------------------------------------------------------------------------

# Units share half of their templates and inline functions; all are COMDAT, all are small.
cxx_unit() { # NUMBER
	cat <<'END'
#define OUT __attribute__((noinline))
template <int N> struct box { int v; box(int x); int get() const; void put(int x);
	bool less(const box &o) const; int walk(const int *p, int n) const; };
template <int N> OUT box<N>::box(int x) : v(x + N) {}
template <int N> OUT int box<N>::get() const { return v * N + 1; }
template <int N> OUT void box<N>::put(int x) { if (x > N) v = x; else v = N - x; }
template <int N> OUT bool box<N>::less(const box &o) const { return v < o.v + N; }
template <int N> OUT int box<N>::walk(const int *p, int n) const
{ int s = N; for (int i = 0; i < n; i++) if (p[i] > v) s += p[i]; else s ^= i; return s; }
END
	awk -v unit="$1" 'BEGIN {
		for (k = 40 * unit; k < 40 * unit + 80; k++) {
			printf "OUT inline int pick%d(int x) { switch (x %% 3) { case 0: return x + %d; case 1: return x * %d; } return -x; }\n", k, k, k + 3
			printf "int use%d_%d(const int *p, int n) { box<%d> b(n), c(n + 1); b.put(p[0]); return b.less(c) ? b.walk(p, n) : c.get() + pick%d(n); }\n", unit, k, k, k
		}
	}'
	[ "$1" != 0 ] || echo 'int main(int c, char **) { return use0_1(&c, 1) == 12345; }'
}

# Notes of small COMDAT functions: 12 bytes a function and 1 % of the text at most; and
# the objects before the link stay within twice their size.
cxx_notes() {
	for unit in 0 1 2; do
		cxx_unit $unit >unit$unit.cc
	done
	for level in -O0 '-O2 -ffunction-sections'; do
		before=0 after=0
		for unit in 0 1 2; do
			# shellcheck disable=SC2086 # flags are a list
			need "$CXX" $level -c unit$unit.cc -o plain.o
			# shellcheck disable=SC2086
			need "$CXX" $FLAG $level -c unit$unit.cc -o unit$unit.o
			before=$((before + $(wc -c <plain.o)))
			after=$((after + $(wc -c <unit$unit.o)))
		done
		need "$CXX" $FLAG unit0.o unit1.o unit2.o -o units
		need ./units
		holds units
		functions=$(count functions units) text=$(count certified_bytes units)
		notes=$(($(count note_bytes units) + $(count record_bytes units)))
		limit=$((12 * functions + text / 100))
		echo "$level: $functions functions, $text bytes of text, $notes bytes of notes (limit $limit); objects $before -> $after bytes"
		[ "$functions" -gt 1000 ] || wrong "too few functions to tell"
		[ $notes -le $limit ] || wrong "beyond the limit"
		[ $after -le $((2 * before)) ] || wrong "objects grow to more than twice their size"
	done
}

# Two builds in two directories, mapped to one name: the same objects and programs.
repeatable() {
	for tree in here there/deeper; do
		mkdir -p $tree
		(
			cd $tree || exit 1
			cxx_unit 0 >unit.cc
			# __FILE__ and debug information name the directory
			echo 'const char *name = __FILE__; int line(int x) { return x ? __LINE__ : name[x]; }' >>unit.cc
			epoch=${#tree}
			for flags in -O2 '-O2 -g'; do
				# shellcheck disable=SC2086 # flags are a list
				SOURCE_DATE_EPOCH=$epoch "$CXX" $FLAG $flags -ffile-prefix-map="$PWD"=/src \
					-c "$PWD/unit.cc" -o "unit${flags##* }.o" || exit 1
			done
			"$CXX" $FLAG unit-O2.o -o program || exit 1
		) || wrong "build in $tree failed"
	done
	for file in unit-O2.o unit-g.o program; do
		cmp here/$file there/deeper/$file || wrong "$file differs from directory to directory"
	done
	# Without the mapping the names differ, but no byte of text or notes does.
	for tree in here there/deeper; do
		need "$CXX" $FLAG -O2 -g -c "$dir/$tree/unit.cc" -o $tree/named.o
		for section in .text .dynopt.rec .note.dynopt; do
			objdump -s -j $section $tree/named.o | tail -n +3
		done >$tree/bytes
	done
	cmp here/bytes there/deeper/bytes || wrong "text or notes depend on the directory"
}

"$1"
