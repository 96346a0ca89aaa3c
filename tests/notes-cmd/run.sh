#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh CASE - tests of `dynopt notes`. Environment: DYNOPT and CC name the command and
# clang; WORK is a directory to work in; REBASE=1 writes golden files anew.
# Prints what was expected and what came for every difference; exits 1 if there was one.
set -u
here=$(cd "$(dirname "$0")" && pwd)
: "${DYNOPT:?}" "${CC:?}" "${WORK:?}"
failed=0
mkdir -p "$WORK" && cd "$WORK" || exit 1

fail() # MESSAGE...
{
	printf 'FAILED: %s\n' "$*"
	failed=1
}

skip() # MESSAGE...
{
	printf 'SKIP: %s\n' "$*"
	exit 77
}

# Runs a command; its exit code must be the first argument. Output is left in ./out.
expect() # CODE COMMAND...
{
	want=$1
	shift
	"$@" >out 2>&1
	got=$?
	[ "$got" = "$want" ] && return
	fail "exit code $got, wanted $want: $*"
	cat out
}

says() # TEXT
{
	grep -qF -- "$1" out && return
	fail "nothing says: $1"
	cat out
}

# One line on stderr and nothing else, wherever a file cannot be read.
one_line()
{
	[ "$(wc -l <out)" = 1 ] && return
	fail "wanted one line"
	cat out
}

golden() # NAME: compares ./out
{
	if [ -n "${REBASE:-}" ]; then
		cp out "$here/golden/$1"
	elif ! diff -u "$here/golden/$1" out; then
		fail "differs from golden/$1"
	fi
}

linkers()
{
	for l in ld.lld-19 ld.bfd ld.gold mold; do
		command -v "$l" >/dev/null && printf '%s\n' "$l"
	done
}

build() # OUTPUT [FLAG...]: base.S as OUTPUT.o
{
	output=$1
	shift
	"$CC" -c "$@" "$here/base.S" -o "$output.o" || fail "base.S does not assemble with $*"
}

case_golden()
{
	build base
	expect 0 "$DYNOPT" notes --check --coverage --verbose base.o
	golden base.txt
	expect 0 "$DYNOPT" notes --json --check --coverage --verbose base.o
	golden base.json
	"$CC" -c "$here/cover.S" -o cover.o || fail "cover.S does not assemble"
	expect 0 "$DYNOPT" notes --check --coverage --verbose cover.o
	golden cover.txt
}

# What is true must pass, whoever linked it and however.
case_linkers()
{
	build base
	n=0
	for l in $(linkers); do
		for kind in -static -pie -shared; do
			# gold and mold have no other name for a static PIE, so -pie is one.
			expect 0 "$l" "$kind" base.o -o linked
			expect 0 "$DYNOPT" notes --check --coverage linked
			says "notes and code agree"
			says "certified text     99 bytes in 1 range"
			says "loop heads, all at the same time         2 of 2 = 100.00 %"
			says "2 targets, 0 of them backward"
			n=$((n + 1))
		done
		case $l in
		ld.bfd) ;; # folds nothing
		*)
			expect 0 "$l" -pie --icf=all base.o -o linked
			expect 0 "$DYNOPT" notes --check linked
			says "certified text     99 bytes in 1 range"
			;;
		esac
		expect 0 "$l" -r base.o -o linked.o
		expect 0 "$DYNOPT" notes --check linked.o
		says "notes and code agree"
	done
	[ "$n" -gt 0 ] || skip "no linker found"
	cp linked stripped
	expect 0 strip stripped
	expect 0 "$DYNOPT" notes --check stripped
	says "notes and code agree"
	if command -v llvm-objcopy-19 >/dev/null; then
		expect 0 llvm-objcopy-19 --strip-sections linked bare
		expect 0 "$DYNOPT" notes --check --coverage bare
		says "notes and code agree"
		says "2 targets, 0 of them backward"
	fi
}

# Each lie must be found by the check that is there for it, in objects and linked files.
case_lies()
{
	l=$(linkers | head -n 1)
	[ -n "$l" ] || skip "no linker found"
	while read -r lie check; do
		case $lie in '' | '#'*) continue ;; esac
		build lie "-D$lie"
		expect 0 "$l" -pie lie.o -o lie
		for file in lie.o lie; do
			expect 1 "$DYNOPT" notes --check "$file"
			says "  $check: 0x" || fail "$lie in $file"
			[ "$failed" = 0 ] || fail "that was $lie in $file"
		done
	done <"$here/lies.txt"
	# No row of the table without a lie.
	sed -n 's/^X([A-Z_]*, "\([a-z-]*\)".*/\1/p' "$here/../../elf-notes/cmd/checks.def" >checks
	[ -s checks ] || fail "checks.def was not understood"
	while read -r check; do
		grep -q "^LIE_.* $check\$" "$here/lies.txt" || fail "no lie provokes $check"
	done <checks
	# Padding that is not 0xCC is free all the same.
	build nops -DLIE_SLOT_NOPS
	expect 0 "$DYNOPT" notes --check nops.o
}

case_ordinary()
{
	cat >ordinary.c <<'C'
volatile int sink;
int main(int n, char **v)
{
	for (int i = 0; i < n; i++)
		switch (v[i][0]) {
		case 'a': sink = 1; break;
		case 'b': sink += 7; break;
		case 'c': sink *= 3; break;
		case 'd': sink ^= 9; break;
		case 'e': sink -= 4; break;
		case 'f': return sink;
		}
	return 0;
}
C
	for pie in -fPIE -fno-pie; do
		"$CC" -O2 "$pie" -c ordinary.c -o ordinary.o || fail "ordinary.c does not compile"
		expect 0 "$DYNOPT" notes --check --coverage ordinary.o
		says "ordinary text: no dynopt notes"
		says "nothing to check"
		says "jump tables        1 followed"
	done
	expect 0 "$DYNOPT" notes "$DYNOPT"
	says "ordinary text: no dynopt notes"
}

case_cli()
{
	expect 2 "$DYNOPT"
	says "Usage: dynopt COMMAND"
	expect 0 "$DYNOPT" --help
	expect 0 "$DYNOPT" --version
	for command in notes audit; do
		expect 0 "$DYNOPT" help "$command"
		says "Usage: dynopt $command"
		says "Example:"
		says "Exit codes:"
		expect 0 "$DYNOPT" "$command" --help
		expect 2 "$DYNOPT" "$command" --no-such-option
	done
	expect 2 "$DYNOPT" no-such-command
	one_line
	expect 2 "$DYNOPT" help no-such-command
	expect 2 "$DYNOPT" notes
	expect 2 "$DYNOPT" notes no-such-file
	one_line
	expect 2 "$DYNOPT" notes .
	one_line
	: >empty
	expect 2 "$DYNOPT" notes empty
	one_line
	echo 'no program at all, but long enough to hold a header of sixty-four bytes' >text
	expect 2 "$DYNOPT" notes text
	one_line
	build base
	# The worst code wins, and the good file is shown all the same.
	expect 2 "$DYNOPT" notes text base.o
	says "certified text     99 bytes"
	expect 2 "$DYNOPT" audit base.o
	expect 2 "$DYNOPT" audit -p . base.o
	build bad -DLIE_NOTES
	expect 1 "$DYNOPT" notes bad.o
	says "invalid notes at"
	if [ -w /dev/full ]; then
		"$DYNOPT" notes base.o >/dev/full 2>out
		[ $? = 2 ] || fail "a full disk was not noticed"
	fi
}

# The inputs of test_damage: as small as linkers make them.
case_inputs()
{
	build base
	for l in $(linkers); do
		"$l" -pie -z noseparate-code base.o -o damage.elf 2>/dev/null && exit 0
	done
	skip "no linker found"
}

case ${1:-} in
golden) case_golden ;;
linkers) case_linkers ;;
lies) case_lies ;;
ordinary) case_ordinary ;;
cli) case_cli ;;
inputs) case_inputs ;;
*)
	echo "usage: run.sh golden|linkers|lies|ordinary|cli|inputs" >&2
	exit 2
	;;
esac
exit "$failed"
