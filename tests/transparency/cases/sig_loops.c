// SPDX-License-Identifier: MIT
// A timer interrupts a loop that begins with its test and makes a value again that it never
// changes: a translation of it ends with the test, stands twice, and leaves that out. The
// handler looks the instruction up and checks what registers, flags and memory have to be there.
#include "t_text.h"
#include <signal.h>
#include <time.h>
#include <ucontext.h>

#define STEP 40
uint64_t tested_loop(uint64_t n, uint64_t *memory, uint64_t step);
extern const char tested_start[], tested_end[];
extern const char t0[], t1[], t2[], t3[], t4[], t5[], t6[], t7[];

/* r8: turns begun; r10 = step; r9 = the sum of r10; rax = r8; [rsi] follows r8. */
__asm__(".text\n\t.p2align 4\n"
        ".globl tested_loop\n.type tested_loop,@function\ntested_loop:\n\t.cfi_startproc\n\t"
        "xor %r8d, %r8d\n\t"
        "xor %r9d, %r9d\n\t"
        "xor %eax, %eax\n\t"
        "lea -8(%rdx), %rdx\n\t"
        "movq $0, (%rsi)\n"
        ".globl tested_start\ntested_start:\n"
        ".globl t0\nt0:\tcmp %rdi, %r8\n"
        ".globl t1\nt1:\tje tested_end\n"
        ".globl t2\nt2:\tinc %r8\n"
        ".globl t3\nt3:\tlea 8(%rdx), %r10\n"
        ".globl t4\nt4:\tmov %r8, %rax\n"
        ".globl t5\nt5:\tadd %r10, %r9\n"
        ".globl t6\nt6:\tincq (%rsi)\n"
        ".globl t7\nt7:\tjmp tested_start\n"
        ".globl tested_end\ntested_end:\n\t"
        "mov %r9, %rax\n\t"
        "ret\n\t.cfi_endproc\n\t.size tested_loop, .-tested_loop\n");

/* At each instruction: how far each is behind r8. */
static const struct {
	const char *at;
	signed char rax, r9, memory;
} relations[] = {
	{ t0, 0, 0, 0 }, { t1, 0, 0, 0 }, { t2, 0, 0, 0 }, { t3, 1, 1, 1 },
	{ t4, 1, 1, 1 }, { t5, 0, 1, 1 }, { t6, 0, 0, 1 }, { t7, 0, 0, 0 },
};
static volatile unsigned n_inside;

static void handler(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	const greg_t *r = uc->uc_mcontext.gregs;
	const char *rip = (const char *)r[REG_RIP];

	(void)sig;
	(void)info;
	CHECK(t_text_original((uintptr_t)rip));
	for (unsigned i = 0; i < sizeof(relations) / sizeof(relations[0]); i++) {
		if (relations[i].at != rip)
			continue;
		CHECK(r[REG_RDX] == STEP - 8);
		CHECK(r[REG_RAX] + relations[i].rax == r[REG_R8]);
		CHECK(r[REG_R9] == STEP * (r[REG_R8] - relations[i].r9));
		CHECK(*(const greg_t *)r[REG_RSI] + relations[i].memory == r[REG_R8]);
		if (r[REG_R8] > 1 || rip == t4 || rip == t5 || rip == t6 || rip == t7)
			CHECK(r[REG_R10] == STEP);
		if (rip == t1)
			CHECK(!!(r[REG_EFL] & 0x40) == (r[REG_R8] == r[REG_RDI]));
		n_inside++;
		return;
	}
	CHECK(rip < tested_start || rip >= tested_end);
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
		CHECK(tested_loop(30000, &memory, STEP) == STEP * 30000 && memory == 30000);
	CHECK(!timer_settime(timer, 0, &never, NULL));
	return t_ok(t_hot(100));
}
