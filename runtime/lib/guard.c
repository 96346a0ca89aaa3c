/* SPDX-License-Identifier: MIT */
/*
 * guard.c - see guard.h; GCC manual, "Nonlocal Gotos".
 */
#include "guard.h"

#include "sys.h"

#include <signal.h>

#define KERNEL_SIGSET_BYTES 8
#define RESTORER 0x04000000 /* SA_RESTORER */

static void *place[5]; /* __builtin_setjmp */
static bool armed;

static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE };

/* Nobody returns from these handlers but to die of the same fault. */
__attribute__((visibility("hidden"))) void dynopt_guard_return(void);
__asm__(".pushsection .text\n"
        ".globl dynopt_guard_return\n.hidden dynopt_guard_return\n"
        ".type dynopt_guard_return, @function\n"
        "dynopt_guard_return:\n"
        "mov $15, %eax\n" /* rt_sigreturn */
        "syscall\n"
        ".size dynopt_guard_return, . - dynopt_guard_return\n"
        ".popsection\n");

/* As the kernel has it. */
struct action {
	u64 handler, flags, restorer, mask;
};

static bool act(int sig, const struct action *action)
{
	return !sys_failed(sys6(SYS_rt_sigaction, sig, (long)action, 0, KERNEL_SIGSET_BYTES, 0, 0));
}

static void on_fault(int sig)
{
	const struct action none = { 0 };

	if (armed)
		__builtin_longjmp(place, 1);
	act(sig, &none);
}

bool guard_open(void)
{
	const struct action action = { (u64)(uintptr_t)on_fault, SA_NODEFER | RESTORER,
		                       (u64)(uintptr_t)dynopt_guard_return, 0 };
	u64 unblocked = 0;

	for (u32 i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (!act(signals[i], &action))
			return false;
		unblocked |= 1ull << (signals[i] - 1);
	}
	return !sys_failed(sys6(SYS_rt_sigprocmask, SIG_UNBLOCK, (long)&unblocked, 0,
	                        KERNEL_SIGSET_BYTES, 0, 0));
}

__attribute__((noinline)) bool guard_run(void (*work)(void *ctx), void *ctx)
{
	if (__builtin_setjmp(place)) {
		armed = false;
		return false;
	}
	__atomic_store_n(&armed, true, __ATOMIC_SEQ_CST);
	work(ctx);
	__atomic_store_n(&armed, false, __ATOMIC_SEQ_CST);
	return true;
}
