// SPDX-License-Identifier: MIT
// The program changes its own text: pages made writable and back, a function's constant
// patched again and again (both whole functions and one instruction in a hot loop), and
// protections put back. What it writes takes effect, and the rest goes on working. With
// IN_CHILD only forked children do so.
#include "t_proc.h"
#include <sys/mman.h>

uint64_t patched(uint64_t x);
uint64_t patched_loop(uint64_t n);
extern unsigned char patched_constant[], loop_constant[];
__asm__(".pushsection .text\n\t.p2align 4\n"
        ".globl patched\n.type patched,@function\npatched:\n\t.cfi_startproc\n\t"
        "lea 1(%rdi), %rdi\n\t"
        ".byte 0x48, 0xc7, 0xc0\n" /* mov rax, imm32 */
        ".globl patched_constant\npatched_constant:\n\t"
        ".long 5\n\t"
        "add %rdi, %rax\n\t"
        "ret\n\t.cfi_endproc\n\t.size patched, .-patched\n\t"
        ".p2align 4\n"
        ".globl patched_loop\n.type patched_loop,@function\npatched_loop:\n\t.cfi_startproc\n\t"
        "xor %eax, %eax\n"
        "1:\n\t"
        ".byte 0x48, 0x05\n" /* add rax, imm32 */
        ".globl loop_constant\nloop_constant:\n\t"
        ".long 1\n\t"
        "dec %rdi\n\t"
        "jnz 1b\n\t"
        "ret\n\t.cfi_endproc\n\t.size patched_loop, .-patched_loop\n\t.popsection");

static void protect(const void *at, size_t size, int prot)
{
	uintptr_t start = (uintptr_t)at & ~4095ul, end = ((uintptr_t)at + size + 4095) & ~4095ul;

	CHECK(!mprotect((void *)start, end - start, prot));
}

static void set_constant(unsigned char *at, uint32_t value, int prot)
{
	protect(at, 4, prot | PROT_WRITE);
	memcpy(at, &value, 4);
	protect(at, 4, PROT_READ | PROT_EXEC);
}

static T_NOINLINE uint64_t calls(uint64_t n)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < n; i++)
		sum += patched(i);
	return sum;
}

static void change(uint64_t sum, uint64_t constant)
{
	/* Only the protection: nothing is different afterwards. */
	for (int i = 0; i < 20; i++) {
		protect((void *)patched, 64, PROT_READ | PROT_WRITE | PROT_EXEC);
		CHECK(calls(1000) == 499500 + 1000 * (constant + 1));
		protect((void *)patched, 64, PROT_READ | PROT_EXEC);
		CHECK(calls(1000) == 499500 + 1000 * (constant + 1) && t_hot(50) == sum);
	}
	for (uint32_t i = 0; i < 300; i++) {
		set_constant(patched_constant, i, PROT_READ | PROT_EXEC);
		set_constant(loop_constant, i + 7, PROT_READ | PROT_EXEC);
		CHECK(calls(100) == 4950 + 100 * (i + 1));
		CHECK(patched_loop(100) == 100ul * (i + 7));
		CHECK(t_hot(1) == t_hot(1));
	}
}

static void in_child(uint64_t sum, uint64_t constant)
{
	pid_t child = fork();

	CHECK(child >= 0);
	if (!child) {
		change(sum, constant);
		set_constant(patched_constant, 1000, PROT_READ | PROT_EXEC);
		_exit(calls(10) == 45 + 10010 ? 4 : 1);
	}
	CHECK(t_wait(child) == 4);
}

int main(void)
{
	uint64_t sum = t_hot(50), constant = 5;

	CHECK(calls(1000) == 499500 + 6000 && patched_loop(1000) == 1000);
#ifndef IN_CHILD
	change(sum, constant);
	constant = 299;
#endif
	for (int i = 0; i < 3; i++) {
		in_child(sum, constant);
		CHECK(calls(100) == 4950 + 100 * (constant + 1) && t_hot(50) == sum);
	}
	return t_ok(sum);
}
