/* SPDX-License-Identifier: MIT */
/*
 * linked.c - a loop in two pieces, for linked.sh: translated as two trees that lead to one another. Each saves as much as the way in
 * through its site costs, so neither is worth having without the other.
 */
#include <stdio.h>

long rounds(long n);

__asm__(".text\n"
        ".globl rounds, first, second\n"
        ".type rounds, @function\n"
        "rounds:\n"
        ".cfi_startproc\n"
        "	mov %rdi, %rcx\n"
        "	xor %eax, %eax\n"
        "first:\n"
        "	add $0x10000, %eax\n"
        "	nop\n"
        "	jmp second\n"
        "	int3\n"
        "second:\n"
        "	sub $0xffff, %eax\n"
        "	nop\n"
        "	dec %rcx\n"
        "	jnz first\n"
        "	ret\n"
        ".cfi_endproc\n"
        ".size rounds, .-rounds\n");

int main(void)
{
	printf("%ld\n", rounds(1000));
	return 0;
}
