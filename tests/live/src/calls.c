/* SPDX-License-Identifier: MIT */
/*
 * calls.c FOLDER CYCLES - a loop that calls a function, for calls.sh, until the runtime has undone and applied its translations CYCLES
 * times. What the loop makes is compared with the same in C; then everything is withdrawn, and the call must be the file's again. Prints
 * "ok CYCLES, led" or "not led": whether the call led elsewhere before.
 */
#include "cycles.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ROUNDS 1000

long rounds(long n);

__asm__(".text\n"
        ".globl rounds, again, behind, callee, site\n"
        ".type rounds, @function\n"
        "rounds:\n"
        ".cfi_startproc\n"
        "	push %rbx\n"
        ".cfi_adjust_cfa_offset 8\n"
        "	push %r12\n"
        ".cfi_adjust_cfa_offset 8\n"
        "	mov %rdi, %rbx\n"
        "	xor %r12d, %r12d\n"
        "again:\n"
        "	add $0x12345, %r12d\n"
        "	nop\n"
        "	nop\n"
        "	mov %r12, %rdi\n"
        "	call callee\n"
        "behind:\n"
        "	lea 0x1000(%rax,%r12), %r12\n"
        "	nop\n"
        "	nop\n"
        "	dec %rbx\n"
        "	jnz again\n"
        "	mov %r12, %rax\n"
        "	pop %r12\n"
        ".cfi_adjust_cfa_offset -8\n"
        "	pop %rbx\n"
        ".cfi_adjust_cfa_offset -8\n"
        "	ret\n"
        ".cfi_endproc\n"
        ".size rounds, .-rounds\n"
        ".type callee, @function\n"
        "callee:\n"
        ".cfi_startproc\n"
        "	push %rbx\n"
        ".cfi_adjust_cfa_offset 8\n"
        "site:\n"
        "	mov $0x55555, %ebx\n"
        "	nop\n"
        "	lea (%rdi,%rbx), %rax\n"
        "	pop %rbx\n"
        ".cfi_adjust_cfa_offset -8\n"
        "	ret\n"
        ".cfi_endproc\n"
        ".size callee, .-callee\n");

static long expected(long n)
{
	unsigned long sum = 0;

	while (n--) {
		sum = (unsigned)sum + 0x12345u;
		sum = (unsigned)sum + sum + 0x55555u + 0x1000;
	}
	return (long)sum;
}

extern char behind[], callee[];

/* Does the call lead where the file says? */
static int leads_to_callee(void)
{
	int distance;

	memcpy(&distance, behind - sizeof(distance), sizeof(distance));
	return behind + distance == callee;
}

/* Makes a page of the program's text writable, upon which the runtime withdraws everything. */
static int withdraw(void)
{
	unsigned long page = (unsigned long)behind & -4096ul;

	return mprotect((void *)page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
}

int main(int argc, char **argv)
{
	unsigned long wanted = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	int led;

	do {
		if (rounds(ROUNDS) != expected(ROUNDS)) {
			puts("a result was wrong");
			return 1;
		}
	} while (argc > 2 && cycles_done(argv[1]) < wanted);
	led = !leads_to_callee();
	if (withdraw() || !leads_to_callee() || rounds(ROUNDS) != expected(ROUNDS)) {
		puts("not as it was");
		return 1;
	}
	printf("ok %lu, %s\n", wanted, led ? "led" : "not led");
	return 0;
}
