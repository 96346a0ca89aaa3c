// SPDX-License-Identifier: MIT
// A timer interrupts a loop in which registers, flags, stack and memory stand in a fixed
// relation at each instruction. The handler looks the instruction up and checks it: an
// address that is one instruction off, or a call or push half done, is seen.
#include "t_text.h"
#include <signal.h>
#include <time.h>
#include <ucontext.h>

uint64_t exact_loop(uint64_t n, uint64_t *memory);
extern const char exact_start[], exact_end[], exact_behind[], exact_rsp_store[];
extern const char e0[], e1[], e2[], e3[], e4[], e5[], e6[], e7[], e8[], e9[];

/* r8 = r9 = r10 = turns done; [rsi] follows r8; rbx = rsp at the loop's head. */
__asm__(".text\n\t.p2align 4\n"
        ".globl exact_loop\n.type exact_loop,@function\nexact_loop:\n\t.cfi_startproc\n\t"
        "push %rbx\n\t.cfi_adjust_cfa_offset 8\n\t"
        "xor %r8d, %r8d\n\t"
        "xor %r9d, %r9d\n\t"
        "xor %r10d, %r10d\n\t"
        "movq $0, (%rsi)\n\t"
        "mov %rsp, %rbx\n"
        ".globl exact_start\nexact_start:\n"
        ".globl e0\ne0:\tinc %r8\n"
        ".globl e1\ne1:\tincq (%rsi)\n"
        ".globl e2\ne2:\tpush %r8\n\t.cfi_adjust_cfa_offset 8\n"
        ".globl e3\ne3:\tcall 1f\n"
        ".globl exact_behind\nexact_behind:\n"
        ".globl e4\ne4:\tpop %r11\n\t.cfi_adjust_cfa_offset -8\n"
        ".globl e5\ne5:\tinc %r10\n"
        ".globl e6\ne6:\tcmp %rdi, %r8\n"
        ".globl e7\ne7:\tjne exact_start\n"
        ".globl exact_end\nexact_end:\n\t"
        "lea (%r8,%r9), %rax\n\t"
        "add %r10, %rax\n\t"
        "pop %rbx\n\t.cfi_adjust_cfa_offset -8\n\t"
        "ret\n\t.cfi_endproc\n\t.cfi_startproc\n"
        ".globl e8\ne8:\n"
        "1:\tinc %r9\n"
        ".globl e9\ne9:\tret\n\t"
        ".cfi_endproc\n\t.size exact_loop, .-exact_loop\n");

/* At each instruction: how far each is behind r8, how many words are pushed. */
static const struct {
	const char *at;
	signed char memory, r9, r10, pushed;
} relations[] = {
	{ e0, 0, 0, 0, 0 }, { e1, 1, 1, 1, 0 }, { e2, 0, 1, 1, 0 }, { e3, 0, 1, 1, 1 },
	{ e8, 0, 1, 1, 2 }, { e9, 0, 0, 1, 2 }, { e4, 0, 0, 1, 1 }, { e5, 0, 0, 1, 0 },
	{ e6, 0, 0, 0, 0 }, { e7, 0, 0, 0, 0 },
};
static volatile unsigned n_inside, n_signals, n_at[sizeof(relations) / sizeof(relations[0])];

static void handler(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	const greg_t *r = uc->uc_mcontext.gregs;
	const char *rip = (const char *)r[REG_RIP];
	const uint64_t *stack = (const uint64_t *)r[REG_RSP];

	(void)sig;
	(void)info;
	n_signals++;
	CHECK(t_text_original((uintptr_t)rip));
	for (unsigned i = 0; i < sizeof(relations) / sizeof(relations[0]); i++) {
		if (relations[i].at != rip)
			continue;
		CHECK(*(const greg_t *)r[REG_RSI] + relations[i].memory == r[REG_R8]);
		CHECK(r[REG_R9] + relations[i].r9 == r[REG_R8]);
		CHECK(r[REG_R10] + relations[i].r10 == r[REG_R8]);
		CHECK(r[REG_RSP] + 8 * relations[i].pushed == r[REG_RBX]);
		if (relations[i].pushed == 2)
			CHECK(stack[0] == (uint64_t)exact_behind);
		if (relations[i].pushed)
			CHECK(stack[relations[i].pushed - 1] == (uint64_t)r[REG_R8]);
		if (rip == e7)
			CHECK(!!(r[REG_EFL] & 0x40) == (r[REG_R8] == r[REG_RDI]));
		n_at[i]++;
		n_inside++;
		return;
	}
	CHECK(rip < exact_start || rip >= exact_end);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerspec every = { { 0, 47000 }, { 0, 47000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	uint64_t memory;
	timer_t timer;

	t_text_read();
	CHECK(!sigaction(SIGUSR1, &action, NULL));
	CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	CHECK(!timer_settime(timer, 0, &every, NULL));
	while (n_inside < 8000)
		CHECK(exact_loop(30000, &memory) == 90000 && memory == 30000);
	CHECK(!timer_settime(timer, 0, &never, NULL));
	return t_ok(t_hot(100));
}
