#!/bin/sh
# SPDX-License-Identifier: MIT
#
# moves.sh BIN CLANG OBJCOPY DWARFDUMP - instructions that change places.
#
# Some do where they may, none at -O0, and line tables go on naming instructions; and
# same_code, which proves them independent, is shown ones that are not.

BIN=$1 CLANG=$2 OBJCOPY=$3 DWARFDUMP=$4
src=$(cd "$(dirname "$0")/src" && pwd)
lab=$(mktemp -d)
trap 'rm -rf "$lab"' EXIT
cd "$lab" || exit 1
failed=0

bad()
{
	failed=$((failed + 1))
	echo "FAIL $*"
}

hex() # OBJECT
{
	"$OBJCOPY" -O binary -j .text "$1" text.bin
	od -An -v -tx1 text.bin | tr -d ' \n'
}

# a copy from ebx or edx, and mov $100000,%esi, in this order and in the other
before='89d[0-9a-f]bea0860100' after='bea086010089d[0-9a-f]'
"$CLANG" -O2 -c "$src/moves.c" -o plain.o
hex plain.o | grep -q "$before" || bad "moves.c: no longer compiled to what this test looks for"
"$BIN/dynopt-clang" -fdynopt-jumpstations=budget:5 -O2 -c "$src/moves.c" -o flagged.o
hex flagged.o | grep -q "$after" || bad "moves.c: nothing has changed places"
"$BIN/dynopt-clang" -fdynopt-jumpstations=budget:0 -O2 -c "$src/moves.c" -o none.o
hex none.o | grep -q "$before" || bad "moves.c: places were changed without a budget"

rows() # OBJECT: OFFSET LINE COLUMN of every row
{
	"$DWARFDUMP" --debug-line "$1" | sed -n 's/^0x\([0-9a-f]*\) *\([0-9]*\) *\([0-9]*\) .*/\1 \2 \3/p'
}

for options in "-O1 -g" "-O2 -g" "-O2 -gline-tables-only" "-Os -g" "-O2 -g -fno-omit-frame-pointer"; do
	# shellcheck disable=SC2086 # a list of options
	{
		"$CLANG" $options -c "$src/moves.c" -o plain.o
		"$BIN/dynopt-clang" -fdynopt-jumpstations=budget:5 $options -c "$src/moves.c" -o flagged.o
	}
	"$BIN/same_code" plain.o flagged.o || bad "$options: not the same code"
	[ -n "$DWARFDUMP" ] || continue
	rows plain.o >plain.rows
	rows flagged.o >flagged.rows
	[ -s plain.rows ] || bad "$options: no rows"
	"$BIN/same_code" plain.o flagged.o plain.rows flagged.rows || bad "$options: rows"
done

# shellcheck disable=SC2016 # dollars are the assembler's
{
# what same_code makes of places changed by hand: a body, and the same in another order
judge() # WHAT VERDICT BODY BODY
{
	printf '.type f,@function\nf:\n%s\nret\n.size f,.-f\n' "$3" >one.s
	printf '.type f,@function\nf:\n%s\nret\n.size f,.-f\n' "$4" >two.s
	"$CLANG" -c one.s -o one.o || bad "$1: assembler"
	"$CLANG" -c two.s -o two.o || bad "$1: assembler"
	"$BIN/same_code" one.o two.o >out
	[ $? = "$2" ] || bad "$1: same_code says otherwise"
}
judge "independent" 0 'mov %edx,%edi
mov $7,%esi' 'mov $7,%esi
mov %edx,%edi'
judge "over three" 0 'mov %edx,%edi
inc %eax
neg %ecx
mov $7,%esi' 'mov $7,%esi
mov %edx,%edi
inc %eax
neg %ecx'
judge "overwrites what is read" 1 'mov %edx,%edi
mov $7,%edx' 'mov $7,%edx
mov %edx,%edi'
judge "overwrites a part of what is read" 1 'mov %edx,%edi
mov $7,%dh' 'mov $7,%dh
mov %edx,%edi'
judge "reads what is written" 1 'mov %edx,%edi
lea 8(%rdi),%esi' 'lea 8(%rdi),%esi
mov %edx,%edi'
judge "both write" 1 'mov %edx,%edi
mov $7,%edi' 'mov $7,%edi
mov %edx,%edi'
judge "flags" 1 'xor %edi,%edi
cmp $1000,%esi' 'cmp $1000,%esi
xor %edi,%edi'
judge "flags that are read" 1 'sete %al
cmp $1000,%esi' 'cmp $1000,%esi
sete %al'
judge "memory" 1 'mov %edx,%edi
mov 8(%rsi),%ecx' 'mov 8(%rsi),%ecx
mov %edx,%edi'
judge "the stack" 1 'mov %edx,%edi
lea 8(%rsp),%rcx' 'lea 8(%rsp),%rcx
mov %edx,%edi'
judge "a trap" 1 'mov %edi,%ecx
div %esi' 'div %esi
mov %edi,%ecx'
judge "a relocation" 1 'mov %edx,%edi
lea other(%rip),%rcx' 'lea other(%rip),%rcx
mov %edx,%edi'
judge "something leads in between" 1 'mov %edx,%edi
1: mov $7,%esi
dec %eax
jne 1b' 'mov $7,%esi
1: mov %edx,%edi
dec %eax
jne 1b'
}
echo "$failed failed"
[ "$failed" = 0 ]
