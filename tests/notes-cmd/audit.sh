#!/bin/sh
# SPDX-License-Identifier: MIT
#
# audit.sh - `dynopt audit` against binaries of the real compiler driver. Environment: DYNOPT,
# DRIVER (dynopt-clang; ++ is appended for C++), CC, INCLUDE (of dynopt/dynopt.h),
# WORK. The compilation database names flags and plugins that libclang does not
# know; REBASE=1 writes the golden file anew.
set -u
here=$(cd "$(dirname "$0")" && pwd)
: "${DYNOPT:?}" "${DRIVER:?}" "${CC:?}" "${INCLUDE:?}" "${WORK:?}"
[ -x "$DRIVER" ] || { echo "SKIP: no $DRIVER"; exit 77; }
failed=0
mkdir -p "$WORK" && cd "$WORK" || exit 1
cp "$here"/audit/*.c "$here"/audit/*.cpp .

check() # CODE GOLDEN COMMAND...
{
	want=$1 name=$2
	shift 2
	"$@" >raw 2>err
	got=$?
	sed 's/, 0x[0-9a-f]*)/)/' raw >out # addresses are the compiler's business
	if [ "$got" != "$want" ]; then
		echo "FAILED: exit code $got, wanted $want: $*"
		cat out err
		failed=1
	elif [ "$name" != - ] && [ -n "${REBASE:-}" ]; then
		cp out "$here/golden/$name"
	elif [ "$name" != - ] && ! diff -u "$here/golden/$name" out; then
		echo "FAILED: differs from golden/$name: $*"
		failed=1
	fi
}

database() # FLAG: to stdout
{
	printf '[{"directory":"%s","file":"marks.cpp","command":"%s++ -O1 %s -Xclang -load -Xclang /no.so -I%s -o marks.o -c marks.cpp"},\n' \
		"$PWD" "$DRIVER" "$1" "$INCLUDE"
	printf '{"directory":"%s","file":"other.c","arguments":["%s","-O1","%s","-MD","-MF","other.d","-c","other.c","-o","other.o"]},\n' \
		"$PWD" "$DRIVER" "$1"
	printf '{"directory":"%s","file":"same.c","arguments":["%s","-O1","%s","-I%s","-c","same.c","-o","same.o"]}]\n' \
		"$PWD" "$DRIVER" "$1" "$INCLUDE"
}

compile() # OUTPUT FLAG...: the three files as one program
{
	output=$1
	shift
	"$DRIVER++" -O1 "$@" "-I$INCLUDE" -w -c marks.cpp -o marks.o &&
		"$DRIVER" -O1 "$@" -c other.c -o other.o &&
		"$DRIVER" -O1 "$@" "-I$INCLUDE" -c same.c -o same.o &&
		"$DRIVER++" "$@" marks.o other.o same.o -o "$output" && return
	echo "FAILED: cannot build $output"
	exit 1
}

compile prog -fdynopt-jumpstations
mkdir -p db && database -fdynopt-jumpstations >db/compile_commands.json
cp db/compile_commands.json renamed.json
check 0 audit.txt "$DYNOPT" audit -p db prog
check 0 audit.txt "$DYNOPT" audit --compile-commands renamed.json prog
check 0 audit.json "$DYNOPT" audit --json -p db prog
# Objects count like programs; what is in neither is in no binary.
check 0 - "$DYNOPT" audit -p db marks.o same.o
# Only other.c is read: all that the rest asks for is noted, and nobody asked.
mkdir -p few && database -fdynopt-jumpstations | sed -n '2s/},$/}]/; 2s/^/[/p' >few/compile_commands.json
check 0 audit-unasked.txt "$DYNOPT" audit -p few prog
# Built without the flag, nothing is noted.
compile plain -fno-dynopt-jumpstations
check 1 audit-missing.txt "$DYNOPT" audit -p db plain
# One of two objects built without it: its functions are missing, the others are not.
"$CC" -O1 "-I$INCLUDE" -c same.c -o same.o && "$DRIVER" -O1 -fdynopt-jumpstations "-I$INCLUDE" -w \
	-c marks.cpp -o marks.o && "$DRIVER++" -fdynopt-jumpstations marks.o other.o same.o -o half
check 1 - "$DYNOPT" audit -p db half
grep -A 1 MISSING out | grep -q 'same_name(int) (same.c:' ||
	{ echo "FAILED: same_name is not reported as missing"; cat out; failed=1; }
# What cannot be compared is no success.
strip -o stripped prog
check 2 - "$DYNOPT" audit -p db stripped
check 2 - "$DYNOPT" audit -p nowhere prog
check 2 - "$DYNOPT" audit -p db no-such-binary
echo '[{"directory":"'"$PWD"'","file":"none.c","arguments":["cc","-c","none.c"]}]' >few/compile_commands.json
check 2 - "$DYNOPT" audit -p few prog
exit "$failed"
