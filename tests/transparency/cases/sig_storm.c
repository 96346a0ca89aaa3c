// SPDX-License-Identifier: MIT
// A timer signal every few dozen microseconds while the program works: each time the
// handler sees an address where an instruction of the original text starts, and what it
// writes into the context arrives in the interrupted code. Ends by count.
#include "t_decode.h"
#include <signal.h>
#include <time.h>
#include <ucontext.h>

static volatile unsigned n_signals, n_program, n_elsewhere;
uint64_t counted_loop(uint64_t n, double *lanes);
extern const char counted_start[], counted_end[];
static volatile uint64_t n_counted;

/* Nothing here writes r12 or xmm15 but the handler. */
__asm__(".text\n\t.p2align 4\n"
        ".globl counted_loop\n.type counted_loop,@function\ncounted_loop:\n\t.cfi_startproc\n\t"
        "push %r12\n\t.cfi_adjust_cfa_offset 8\n\t"
        "xor %r12d, %r12d\n\t"
        "pxor %xmm15, %xmm15\n"
        ".globl counted_start\ncounted_start:\n"
        "1:\n\t"
        "mov %rdi, %rax\n\t"
        "imul %rdi, %rax\n\t"
        "test $1, %dil\n\t"
        "jz 2f\n\t"
        "call 3f\n"
        "2:\n\t"
        "dec %rdi\n\t"
        "jnz 1b\n\t"
        "jmp 4f\n"
        ".globl counted_end\ncounted_end:\n"
        "4:\n\t"
        "movq %xmm15, (%rsi)\n\t"
        "mov %r12, %rax\n\t"
        "pop %r12\n\t.cfi_adjust_cfa_offset -8\n\t"
        "ret\n\t.cfi_endproc\n\t.cfi_startproc\n"
        "3:\txor %edx, %edx\n\t"
        "ret\n\t"
        ".cfi_endproc\n\t.size counted_loop, .-counted_loop\n");

static void handler(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	greg_t *r = uc->uc_mcontext.gregs;
	uintptr_t rip = (uintptr_t)r[REG_RIP];
	int starts = t_decode_starts(rip);

	(void)sig;
	(void)info;
	CHECK(t_text_original(rip));
	CHECK(starts != 0);
	*(starts == 1 ? &n_program : &n_elsewhere) += 1;
	if (rip >= (uintptr_t)counted_start && rip < (uintptr_t)counted_end) {
		double lane;

		r[REG_R12]++;
		memcpy(&lane, &uc->uc_mcontext.fpregs->_xmm[15], sizeof(lane));
		lane += 1;
		memcpy(&uc->uc_mcontext.fpregs->_xmm[15], &lane, sizeof(lane));
		n_counted++;
	}
	n_signals++;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerspec every = { { 0, 61000 }, { 0, 61000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	uint64_t sum = t_hot(500);
	timer_t timer;

	t_decode_init();
	CHECK(!sigaction(SIGUSR1, &action, NULL));
	CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	CHECK(!timer_settime(timer, 0, &every, NULL));
	while (n_signals < 3000)
		CHECK(t_hot(500) == sum);
	for (unsigned seen = n_signals; n_signals < seen + 3000;) {
		double lanes;
		uint64_t before = n_counted, got = counted_loop(20000, &lanes);

		CHECK(got == n_counted - before && lanes == (double)got);
	}
	CHECK(!timer_settime(timer, 0, &never, NULL));
	CHECK(n_program > 0 && n_counted > 0);
	return t_ok(sum);
}
