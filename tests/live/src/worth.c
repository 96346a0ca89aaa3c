/* SPDX-License-Identifier: MIT */
/*
 * worth.c - functions of which it is known what a translation saves: the jumps between their parts, one instruction each.
 */
#include <stdint.h>
#include <stdio.h>

/* Pairs of instructions of 5 bytes each that depend on one another; and a jump over what lies between. */
#define WORK(pairs) \
	"\t.rept " #pairs "\n\txor $0x12345678, %eax\n\tadd $0x23456789, %eax\n\t.endr\n"
#define JUMP "\tjmp 1f\n\t.fill 16, 1, 0xcc\n1:\n"

#define FUNCTION(name, body) \
	uint32_t name(uint32_t n); \
	__asm__(".text\n\t.globl " #name "\n\t.type " #name ", @function\n\t.p2align 4\n" #name \
	        ":\n\t.cfi_startproc\n\tmov %edi, %eax\n" body \
	        "\tret\n\t.cfi_endproc\n\t.size " #name ", . - " #name "\n")
#define LOOP(pairs) "2:\n" WORK(pairs) JUMP WORK(pairs) "\tdec %edi\n\tjne 2b\n"

FUNCTION(short_loop, LOOP(5)); /* one of 23, each time round */
FUNCTION(long_loop, LOOP(30)); /* one of 123 */
FUNCTION(few_jumps, WORK(2) JUMP WORK(2) JUMP WORK(2)); /* two for each call */
FUNCTION(more_jumps, WORK(2) JUMP WORK(2) JUMP WORK(2) JUMP WORK(2) JUMP WORK(2)); /* four */

int main(void)
{
	static uint32_t (*volatile const functions[])(uint32_t) = { short_loop, long_loop,
		                                                    few_jumps, more_jumps };

	for (unsigned i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		printf("%x\n", functions[i](3));
	return 0;
}
