// SPDX-License-Identifier: MIT
// SIGTRAP belongs to the program: int3 in one byte and in two, raise(), with a handler,
// blocked, ignored, and in the middle of hot loops. The handler sees the address behind
// the int3 of the program's own text.
#include "t_text.h"
#include <signal.h>
#include <ucontext.h>

extern const char one_byte_behind[], two_bytes_behind[], loop_behind[];
static volatile int n_traps, n_raised;

static void handler(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	uintptr_t rip = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];

	CHECK(sig == SIGTRAP && info->si_signo == SIGTRAP);
	if (info->si_code == SI_TKILL) {
		n_raised++;
		CHECK(t_text_original(rip));
		return;
	}
	CHECK(info->si_code == SI_KERNEL || info->si_code == TRAP_BRKPT);
	CHECK(rip == (uintptr_t)one_byte_behind || rip == (uintptr_t)two_bytes_behind ||
	      rip == (uintptr_t)loop_behind);
	n_traps++;
}

static T_NOINLINE uint64_t trapping(uint64_t x)
{
	__asm__ volatile("int3\n\t.globl one_byte_behind\none_byte_behind:" ::: "memory");
	x = t_switch(x, x & 7);
	__asm__ volatile(".byte 0xcd, 3\n\t.globl two_bytes_behind\ntwo_bytes_behind:" ::
	                         : "memory");
	return t_mix(x, 3);
}

static T_NOINLINE uint64_t loop(uint64_t n)
{
	uint64_t sum = 0;

	__asm__ volatile("1:\n\t"
	                 "lea (%0,%1,2), %0\n\t"
	                 "test $15, %b1\n\t"
	                 "jnz 2f\n\t"
	                 "int3\n\t"
	                 ".globl loop_behind\nloop_behind:\n\t"
	                 "2:\n\t"
	                 "dec %1\n\t"
	                 "jnz 1b"
	                 : "+r"(sum), "+r"(n)::"cc", "memory");
	return sum;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	uint64_t sum = t_hot(200);
	sigset_t trap;

	t_text_read();
	CHECK(!sigaction(SIGTRAP, &action, NULL));
	for (unsigned i = 0; i < 500; i++)
		sum = trapping(sum);
	CHECK(n_traps == 1000);
	CHECK(loop(16000) == 16000ull * 16001);
	CHECK(n_traps == 2000);
	for (unsigned i = 0; i < 100; i++) {
		sum = t_mix(sum, t_hot(10));
		CHECK(!raise(SIGTRAP));
	}
	CHECK(n_raised == 100);
	sigemptyset(&trap);
	sigaddset(&trap, SIGTRAP);
	CHECK(!sigprocmask(SIG_BLOCK, &trap, NULL));
	CHECK(!raise(SIGTRAP) && n_raised == 100);
	sum = t_mix(sum, t_hot(100));
	CHECK(!sigprocmask(SIG_UNBLOCK, &trap, NULL) && n_raised == 101);
	CHECK(signal(SIGTRAP, SIG_IGN) != SIG_ERR);
	CHECK(!raise(SIGTRAP));
	sum = t_mix(sum, t_hot(100));
	return t_ok(sum);
}
