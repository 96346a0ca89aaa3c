/* SPDX-License-Identifier: MIT */
/*
 * oracle_machine.c - the assembly that loads and stores all registers around one instruction.
 *
 * All state is reached relative to the instruction pointer, so every register, the stack pointer
 * included, can hold anything while the instruction runs. Two variants differ in how vectors are
 * loaded: as 32 zmm and 8 mask registers, or as 16 xmm registers in the FXSAVE image.
 */
#include "oracle_machine.h"

#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SLOT_SIZE 16
#define NOP 0x90
#define GUARD_SIZE 65536

struct oracle_state oracle_in, oracle_out;
uint8_t *oracle_mem;
uint64_t oracle_stack_pointer;
const uint32_t oracle_mxcsr = 0x1f80;

void oracle_enter_wide(void);
void oracle_enter_legacy(void);
extern uint8_t oracle_slot_wide[], oracle_slot_legacy[], oracle_code[], oracle_code_end[];

_Static_assert(offsetof(struct oracle_state, flags) == 128, "assembly");
_Static_assert(offsetof(struct oracle_state, mxcsr) == 136, "assembly");
_Static_assert(offsetof(struct oracle_state, mask) == 144, "assembly");
_Static_assert(offsetof(struct oracle_state, vec) == 256, "assembly");
_Static_assert(offsetof(struct oracle_state, fx) == 2304, "assembly");

__asm__(".text\n"
        ".macro each_gpr op, state\n"
        "	\\op 0, %rax, \\state\n	\\op 1, %rcx, \\state\n	\\op 2, %rdx, \\state\n"
        "	\\op 3, %rbx, \\state\n	\\op 5, %rbp, \\state\n	\\op 6, %rsi, \\state\n"
        "	\\op 7, %rdi, \\state\n	\\op 8, %r8, \\state\n	\\op 9, %r9, \\state\n"
        "	\\op 10, %r10, \\state\n	\\op 11, %r11, \\state\n	\\op 12, %r12, \\state\n"
        "	\\op 13, %r13, \\state\n	\\op 14, %r14, \\state\n	\\op 15, %r15, \\state\n"
        ".endm\n"
        ".macro load_gpr n, reg, state\n	mov \\state+8*\\n(%rip), \\reg\n.endm\n"
        ".macro store_gpr n, reg, state\n	mov \\reg, \\state+8*\\n(%rip)\n.endm\n"
        ".macro begin\n"
        "	push %rbx\n	push %rbp\n	push %r12\n	push %r13\n	push %r14\n"
        "	push %r15\n"
        "	mov %rsp, oracle_stack_pointer(%rip)\n"
        "	fxrstor64 oracle_in+2304(%rip)\n"
        ".endm\n"
        ".macro insn slot\n"
        "	ldmxcsr oracle_in+136(%rip)\n"
        "	pushq oracle_in+128(%rip)\n"
        "	popfq\n"
        "	each_gpr load_gpr, oracle_in\n"
        "	mov oracle_in+32(%rip), %rsp\n"
        "\\slot:\n"
        "	.fill 16, 1, 0x90\n"
        "	mov %rsp, oracle_out+32(%rip)\n"
        "	each_gpr store_gpr, oracle_out\n"
        "	mov oracle_stack_pointer(%rip), %rsp\n"
        "	pushfq\n"
        "	popq oracle_out+128(%rip)\n"
        "	cld\n"
        "	stmxcsr oracle_out+136(%rip)\n"
        ".endm\n"
        ".macro finish\n"
        "	fxsave64 oracle_out+2304(%rip)\n"
        "	fninit\n"
        "	ldmxcsr oracle_mxcsr(%rip)\n"
        "	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbp\n"
        "	pop %rbx\n"
        "	ret\n"
        ".endm\n"
        ".p2align 12\n"
        "oracle_code:\n"
        "oracle_enter_wide:\n"
        "	begin\n"
        ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
        "	vmovdqu64 oracle_in+256+64*\\n(%rip), %zmm\\n\n"
        ".endr\n"
        ".irp n,0,1,2,3,4,5,6,7\n"
        "	kmovq oracle_in+144+8*\\n(%rip), %k\\n\n"
        ".endr\n"
        "	insn oracle_slot_wide\n"
        ".irp n,0,1,2,3,4,5,6,7\n"
        "	kmovq %k\\n, oracle_out+144+8*\\n(%rip)\n"
        ".endr\n"
        ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
        "	vmovdqu64 %zmm\\n, oracle_out+256+64*\\n(%rip)\n"
        ".endr\n"
        "	vzeroupper\n"
        "	finish\n"
        "oracle_enter_legacy:\n"
        "	begin\n"
        "	insn oracle_slot_legacy\n"
        "	finish\n"
        "oracle_code_end:\n"
        ".p2align 12\n");

static sigjmp_buf fault;
static bool wide;

static void on_fault(int signal)
{
	siglongjmp(fault, signal);
}

static bool has_wide_vectors(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

bool oracle_init(void)
{
	static const int signals[] = { SIGILL, SIGFPE, SIGSEGV, SIGBUS, SIGTRAP };
	static uint8_t stack[65536];
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_ONSTACK };
	size_t size = (size_t)((uintptr_t)oracle_code_end - (uintptr_t)oracle_code);

	sigaltstack(&alternate, NULL);
	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	oracle_mem = mmap(NULL, ORACLE_MEM_SIZE + 2 * GUARD_SIZE, PROT_NONE,
	                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (oracle_mem == MAP_FAILED ||
	    mprotect(oracle_mem + GUARD_SIZE, ORACLE_MEM_SIZE, PROT_READ | PROT_WRITE) ||
	    mprotect(oracle_code, size, PROT_READ | PROT_WRITE | PROT_EXEC)) {
		perror("memory for the instructions under test");
		exit(1);
	}
	oracle_mem += GUARD_SIZE;
	wide = has_wide_vectors();
	return wide;
}

void oracle_set_insn(const uint8_t *bytes, unsigned len)
{
	uint8_t *slot = wide ? oracle_slot_wide : oracle_slot_legacy;

	memset(slot, NOP, SLOT_SIZE);
	memcpy(slot, bytes, len);
}

int oracle_run(void)
{
	int signal = sigsetjmp(fault, 1);

	if (signal)
		return signal;
	if (wide)
		oracle_enter_wide();
	else
		oracle_enter_legacy();
	return 0;
}
