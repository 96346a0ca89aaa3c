/* SPDX-License-Identifier: MIT */
/*
 * limit.c - see limit.h. A timer of the agent's own CPU time, whose signal is the only one that it does not block; its handlers are its own (agent_start.c).
 * Whoever else sends that signal is not heard.
 */
#include "limit.h"

#include "sys.h"

#include <signal.h>
#include <sys/time.h>

#define KERNEL_SIGSET_BYTES 8
#define RESTORER 0x04000000 /* SA_RESTORER */
#define LONGEST_NS 1000000000000000u

static void (*limit_over)(void);

__attribute__((visibility("hidden"))) void dynopt_limit_return(void);
__asm__(".pushsection .text\n"
        ".globl dynopt_limit_return\n.hidden dynopt_limit_return\n"
        ".type dynopt_limit_return, @function\n"
        "dynopt_limit_return:\n"
        "mov $15, %eax\n" /* rt_sigreturn */
        "syscall\n"
        ".size dynopt_limit_return, . - dynopt_limit_return\n"
        ".popsection\n");

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	if (info->si_code == SI_KERNEL)
		limit_over();
}

void limit_open(void (*over)(void))
{
	/* As the kernel has it. */
	const struct {
		u64 handler, flags, restorer, mask;
	} action = { (u64)(uintptr_t)on_signal, SA_SIGINFO | RESTORER,
		     (u64)(uintptr_t)dynopt_limit_return, ~(u64)0 };
	const u64 unblocked = 1ull << (SIGPROF - 1);

	limit_over = over;
	if (!sys_failed(
		    sys6(SYS_rt_sigaction, SIGPROF, (long)&action, 0, KERNEL_SIGSET_BYTES, 0, 0)))
		sys6(SYS_rt_sigprocmask, SIG_UNBLOCK, (long)&unblocked, 0, KERNEL_SIGSET_BYTES, 0,
		     0);
}

void limit_set(u64 ns)
{
	u64 us = (ns < LONGEST_NS ? ns : LONGEST_NS) / 1000 + 1;
	const struct itimerval timer = { .it_value = { (long)(us / 1000000),
		                                       (long)(us % 1000000) } };

	sys6(SYS_setitimer, ITIMER_PROF, (long)&timer, 0, 0, 0, 0);
}
