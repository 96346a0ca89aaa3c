#!/bin/sh
# SPDX-License-Identifier: MIT
# checks.sh NAME: one check of the plugins that is no table of functions. Prints what
# was wrong; exit 0 right, 1 wrong, 77 skipped with the reason.
# Environment: CLANG CLANGXX FE PASS INCLUDE, LLD for LTO, LLVM_DIS,
# READELF (LLVM's)
set -u
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1

cc() { "$CLANG" -fplugin="$FE" -fpass-plugin="$PASS" -I"$INCLUDE" "$@"; }
skip() { echo "SKIP $*"; exit 77; }
wrong() { echo "$*"; exit 1; }
# same WANT GOT
same() { [ "$1" = "$2" ] || wrong "expected:
$1
got:
$2"; }

# Texts of the pragma's warnings: each says what to do. -Werror makes errors of them.
pragma_warnings() {
	cat >p.c <<'END'
#pragma dynopt disable pop
#pragma dynopt
#pragma dynopt disable
#pragma dynopt disable push here
int a(int x) { return x; }
#pragma dynopt disable push
#pragma dynopt disable push
#pragma dynopt disable pop
int b(int x) { return x; }
END
	cc -Wall -S p.c -o p.s 2>err || wrong "warnings ended the compilation"
	malformed="warning: malformed '#pragma dynopt'; it has no effect; write '#pragma dynopt disable push' or '#pragma dynopt disable pop'"
	same "p.c:1:1: warning: '#pragma dynopt disable pop' without a matching push; it has no effect; remove it or add '#pragma dynopt disable push' before the code to leave alone
p.c:2:1: $malformed
p.c:3:1: $malformed
p.c:4:1: $malformed
p.c:6:1: warning: '#pragma dynopt disable push' is never popped; it disables everything to the end of the file; add '#pragma dynopt disable pop' after the code to leave alone" \
		"$(grep warning: err)"
	same "a plain private
b plain private USER" "$(awk -f "$here/facts.awk" p.s)"
	if cc -Werror -S p.c -o p.s 2>err; then
		wrong "-Werror did not make errors of the warnings"
	fi
	cc -w -S p.c -o p.s 2>err || wrong "-w ended the compilation"
	[ -s err ] && wrong "-w did not silence the warnings"
	return 0
}

# Attributes where they mean nothing.
attribute_misuse() {
	echo 'int x __attribute__((dynopt_disable)); [[dynopt::disable]] int y;' >a.c
	cc -std=c23 -c a.c -o a.o 2>err || wrong "a warning ended the compilation"
	same "a.c:1:22: warning: 'dynopt_disable' attribute only applies to functions [-Wignored-attributes]
a.c:1:42: warning: 'disable' attribute only applies to functions [-Wignored-attributes]" \
		"$(grep warning: err)"
	echo 'void f(void) { [[dynopt::disable]] for (;;); }' >a.c
	if cc -std=c23 -c a.c -o a.o 2>err; then
		wrong "an attribute on a statement was taken"
	fi
	echo '__attribute__((dynopt_disable(1))) void f(void) {}' >a.c
	if cc -c a.c -o a.o 2>err; then
		wrong "an attribute with an argument was taken"
	fi
}

# What compilers see of preprocessed text is what they see of the source.
preprocessed() {
	for source in spellings.c spellings.cpp; do
		std=c23
		[ $source = spellings.cpp ] && std=c++20
		cc -std=$std -E "$here/cases/$source" -o "pre-$source" || wrong "-E failed"
		cc -std=$std -S "$here/cases/$source" -o direct.s || exit 1
		cc -std=$std -Wall -Werror -S "pre-$source" -o pre.s || wrong "preprocessed text does not compile"
		same "$(awk -f "$here/facts.awk" direct.s)" "$(awk -f "$here/facts.awk" pre.s)"
		"$CLANG" -std=$std -I"$INCLUDE" -E "$here/cases/$source" -o "plain-$source" || exit 1
		cmp "pre-$source" "plain-$source" || wrong "-E differs with the plugins"
	done
}

# The header asks nothing of the compiler: no plugin, strict, C and C++, any compiler.
header() {
	printf '%s\n' '#include <dynopt/dynopt.h>' 'DYNOPT_DISABLE int f(int x);' \
		'DYNOPT_DISABLE int f(int x) { return x; }' 'DYNOPT_DISABLE_PUSH' \
		'int g(int x);' 'int g(int x) { return x; }' 'DYNOPT_DISABLE_POP' >h.c
	cp h.c h.cpp
	"$CLANG" -I"$INCLUDE" -std=c99 -Weverything -Werror -c h.c -o h.o || wrong "C"
	"$CLANGXX" -I"$INCLUDE" -std=c++98 -Wall -Wextra -pedantic -Werror -c h.cpp -o h.o || wrong "C++"
	for other in gcc g++; do
		command -v $other >/dev/null || continue
		suffix=c
		[ $other = g++ ] && suffix=cpp
		$other -I"$INCLUDE" -Wall -Wextra -pedantic -Werror -c h.$suffix -o h.o || wrong "$other"
	done
}

options() {
	echo 'int f(int x) { return x; }' >o.c
	cc -O1 -S o.c -o o.s -fplugin-arg-dynopt-budget=250 -fplugin-arg-dynopt-cache=1000 \
		-fplugin-arg-dynopt-report=1 || exit 1
	same "f plain private budget=250 cache=1000 object=65536" "$(awk -f "$here/facts.awk" o.s)"
	cc -O0 -S o.c -o o.s -fplugin-arg-dynopt-budget=250 || exit 1
	same "f plain private budget=0" "$(awk -v zero=1 -f "$here/facts.awk" o.s)"
	cc -O1 -S o.c -o o.s -fplugin-arg-dynopt-disable-object=1 || exit 1
	same "f plain private USER object=1" "$(awk -f "$here/facts.awk" o.s)"
	for bad in budget=x budget= budget=10001 budget=-1 cache=1.5 report=2 nonsense=1 nonsense; do
		if cc -c o.c -o o.o -fplugin-arg-dynopt-$bad 2>err; then
			wrong "'$bad' was taken"
		fi
		same 1 "$(grep -c '^error: dynopt: ' err)"
	done
}

# The module flag changes with options and hash, so that the bitcode, which caches look at, does.
module_flag() {
	echo 'int f(int x) { return x; }' >m.c
	cc -S -emit-llvm m.c -o m.ll -fplugin-arg-dynopt-hash=0123abcd -fplugin-arg-dynopt-budget=70 || exit 1
	node=$(sed -n 's/^!.* = !{i32 6, !"dynopt", \(![0-9]*\)}$/\1/p' m.ll)
	same "$node = !{!\"70,2000,0,0123abcd\"}" "$(grep "^$node = " m.ll)"
	if cc -c m.c -o m.o -fplugin-arg-dynopt-hash="$(printf '%0100d' 0)" 2>err; then
		wrong "a hash of 100 characters was taken"
	fi
}

pcsections() {
	"$CLANG" -fpass-plugin="$PASS" -S "$here/cases/pcsections.ll" -o p.s || exit 1
	same "own plain private
again plain private" "$(awk -f "$here/facts.awk" p.s)"
	same "user_section other_section dynopt.facts first last dynopt.facts" \
		"$(sed -n 's/^\t\.section\t\([a-z_.]*\),"awo".*/\1/p' p.s | tr '\n' ' ' | sed 's/ $//')"
}

# Other code models: the begin field has 8 bytes.
code_models() {
	for model in medium large; do
		cc -O2 -mcmodel=$model -S "$here/cases/plain.c" -o m.s || exit 1
		cc -O2 -S "$here/cases/plain.c" -o s.s || exit 1
		same "$(awk -f "$here/facts.awk" s.s)" "$(awk -f "$here/facts.awk" m.s)"
		grep -A2 dynopt.facts m.s | grep -q '\.quad' || wrong "no 8-byte field with $model"
	done
}

# What stack.c claims of small copies: no call is made for them, at any level.
copies_inline() {
	for n in 1 2 3 5 7 9 13 15 16 17 23 24 25 29 31 32; do
		echo "void c$n(char *restrict a, const char *restrict b) { __builtin_memcpy(a, b, $n); }"
		echo "struct s$n { char b[$n]; }; struct s$n g$n; int i$n(unsigned i) {"
		echo "struct s$n s = g$n; s.b[i % $n] = 1; g$n = s; return 0; }"
		[ $n -gt 16 ] || echo "void m$n(char *a, const char *b) { __builtin_memmove(a, b, $n); }"
	done >c.c
	for flags in -O0 -O1 -O2 -Os -Oz "-Oz -mno-sse" "-O0 -mgeneral-regs-only" "-O2 -mno-sse" \
		"-O2 -mavx2" "-O0 -fsanitize=undefined" "-Oz -march=silvermont"; do
		# shellcheck disable=SC2086
		"$CLANG" $flags -S c.c -o c.s || exit 1
		if grep -E 'call.*mem(cpy|move)' c.s; then
			wrong "a small copy is a call with $flags"
		fi
	done
}

# Through the object streamer: the facts' section is swallowed, and -g changes no byte of
# what is loaded into memory.
objects() {
	for source in "$here"/cases/*.c "$here"/cases/*.cpp; do
		flags=$(sed -n 's|^// FLAGS: *||p' "$source")
		for level in -O0 -O2; do
			for debug in "" -g; do
				# shellcheck disable=SC2086
				cc $flags $level $debug -c "$source" -o o$debug.o || exit 1
				"$READELF" -SW o$debug.o | grep -q 'dynopt\.facts' &&
					wrong "$source $level $debug: the facts' section is in the object"
				# Every section with the flag A, by name and in order.
				"$READELF" -SW o$debug.o | sed 's/^ *\[ *[0-9]*\] *//' |
					awk '$7 ~ /A/ && $2 != "NOBITS" && !seen[$1]++ { print "-x"; print $1 }' >alloc
				# shellcheck disable=SC2046
				"$READELF" $(cat alloc) o$debug.o >loaded$debug || exit 1
			done
			grep -q 'dynopt.rec' loaded || wrong "$source $level: no records"
			cmp loaded loaded-g || wrong "$source $level: -g changes the code or the notes"
		done
	done
}

# --- LTO: facts are read from the assembly that lld can be asked for ---------------

lto_objects() { # MODE FLAGS
	cat >one.c <<'END'
__attribute__((dynopt_disable, noinline)) static int same(int x) { return x * 3 + 1; }
int one(int x) { return same(x); }
END
	cat >two.c <<'END'
__attribute__((noinline)) static int same(int x) { return x * 5 + 1; }
int one(int);
void other(void);
static inline void *ra(void) { return __builtin_return_address(0); }
__attribute__((noinline)) void *two(void) { return ra(); }
int _start(int c) { other(); return same(c) + one(c) + (two() != 0); }
END
	echo 'void other(void) {}' >other.c
	mode=$1
	shift
	cc "$@" -flto="$mode" -fplugin-arg-dynopt-budget=111 -c one.c -o one.o || exit 1
	cc "$@" -flto="$mode" -fplugin-arg-dynopt-budget=222 -fplugin-arg-dynopt-hash=ff -c two.c -o two.o || exit 1
	"$CLANG" "$@" -flto="$mode" -c other.c -o other.o || exit 1
}

# lto MODE LEVEL: objects of different options, one without the flag, linked together.
lto() {
	[ -n "${LLD:-}" ] || skip "no ld.lld of LLVM 19"
	lto_objects "$1" "$2"
	"$LLVM_DIS" one.o -o one.ll || exit 1
	grep -q dynopt.facts one.ll && wrong "facts in bitcode"
	"$LLD" --load-pass-plugin="$PASS" --lto-"${2#-}" --lto-emit-asm -e _start one.o two.o other.o -o out.s || wrong "link failed"
	cat out.s* >all.s
	awk -f "$here/facts.awk" all.s | sed 's/\.llvm\.[0-9]*//; s/^same\.[0-9]*/same/' | sort >got
	grep -q '^other' got && wrong "a function compiled without the flag has facts"
	inlined=two first=" budget=111" second=" budget=222"
	if [ "$2" = -O0 ]; then # nothing is inlined, and nothing is spent
		inlined=ra first="" second=""
	fi
	same "$(printf '%s\n' "same plain private USER$first" "same plain private$second" | sort)" \
		"$(grep '^same ' got)"
	same "$inlined plain RETADDR$second" "$(grep "^$inlined " got)"
	"$LLD" -e _start one.o two.o other.o -o plain || wrong "link without the plugin failed"
	if grep -q 'dynopt.facts' plain; then
		wrong "a link without the plugin has a section of facts"
	fi
}
lto_thin() { lto thin -O2; }
lto_thin_O0() { lto thin -O0; }
lto_full() { lto full -O2; }
lto_full_O0() { lto full -O0; }

# Both bitcode and code in one object: facts in the code only.
lto_fat() {
	echo 'int f(int x) { return x; }' >f.c
	for mode in thin full; do
		for level in -O0 -O2; do
			cc $level -flto=$mode -ffat-lto-objects -S f.c -o f.s || exit 1
			same "f plain private" "$(awk -f "$here/facts.awk" f.s)"
			grep -a 'asciz.*dynopt.facts' f.s && wrong "facts in the bitcode"
		done
	done
	return 0
}

# A disabled object stays apart when LTO merges it with others.
lto_disabled_object() {
	[ -n "${LLD:-}" ] || skip "no ld.lld of LLVM 19"
	echo 'int f(int x) { return x + 1; }' >f.c
	echo 'int f(int); int _start(int x) { return f(x); }' >s.c
	cc -O2 -flto=full -fplugin-arg-dynopt-disable-object=1 -c f.c -o f.o || exit 1
	cc -O2 -flto=full -c s.c -o s.o || exit 1
	"$LLD" --load-pass-plugin="$PASS" --lto-emit-asm -e _start f.o s.o -o out.s || exit 1
	same "_start plain private
f plain private USER" "$(cat out.s* | awk -f "$here/facts.awk" | sort)"
}

"$1"
