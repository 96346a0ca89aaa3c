// SPDX-License-Identifier: MIT
// Code that runs without libc's thread pointer: the FS base is moved away while hot code
// runs and signals come, and a thread made by the bare system call has none at all.
// Nothing that dynopt puts between may use thread-local data.
#include "t_text.h"
#include <asm/prctl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>

static volatile unsigned n_signals, n_raw;
static volatile int raw_ended, raw_bad;
static uint64_t expected;

__attribute__((noinline)) static long raw4(long nr, long a, long b, long c, long d)
{
	long result;
	register long r10 __asm__("r10") = d;

	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
	                 : "rcx", "r11", "memory");
	return result;
}

static void handler(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;

	(void)sig;
	(void)info;
	CHECK(t_text_original((uintptr_t)uc->uc_mcontext.gregs[REG_RIP]));
	n_signals++;
}

static T_NOINLINE uint64_t quiet(unsigned n)
{
	uint64_t sum = 1;

	for (unsigned i = 0; i < n; i++) {
		sum = t_switch(sum, (unsigned)(sum >> 3 ^ i) & 7);
		sum = t_depth(sum, i & 7);
	}
	return sum;
}

static T_NOINLINE uint64_t without_fs(unsigned want)
{
	unsigned long base;
	uint64_t bad = 0;

	CHECK(!raw4(SYS_arch_prctl, ARCH_GET_FS, (long)&base, 0, 0));
	raw4(SYS_arch_prctl, ARCH_SET_FS, 0, 0, 0);
	while (n_signals < want)
		bad += quiet(3000) != expected;
	raw4(SYS_arch_prctl, ARCH_SET_FS, (long)base, 0, 0);
	return bad;
}

/* Runs on a stack and nothing else. */
__attribute__((used)) void raw_body(void);
void raw_body(void)
{
	for (int i = 0; i < 50; i++) {
		raw_bad += quiet(3000) != expected;
		raw4(SYS_tgkill, raw4(SYS_getpid, 0, 0, 0, 0), raw4(SYS_gettid, 0, 0, 0, 0),
		     SIGUSR2, 0);
		n_raw++;
	}
	__atomic_store_n(&raw_ended, 1, __ATOMIC_SEQ_CST);
	raw4(SYS_futex, (long)&raw_ended, FUTEX_WAKE, 1, 0);
	for (;;)
		raw4(SYS_exit, 0, 0, 0, 0);
}

long raw_clone(unsigned long flags, void *stack);
__asm__(".text\n\t.p2align 4\n.globl raw_clone\n.type raw_clone,@function\nraw_clone:\n\t"
        ".cfi_startproc\n\t"
        "xor %edx, %edx\n\txor %r10d, %r10d\n\txor %r8d, %r8d\n\t"
        "mov $56, %eax\n\t"
        "syscall\n\t"
        "test %rax, %rax\n\t"
        "jnz 1f\n\t"
        "call raw_body\n\t"
        "ud2\n"
        "1:\tret\n\t"
        ".cfi_endproc\n\t.size raw_clone, .-raw_clone\n");

int main(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerspec every = { { 0, 97000 }, { 0, 97000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	uint64_t sum = t_hot(50);
	timer_t timer;

	t_text_read();
	expected = quiet(3000);
	CHECK(!sigaction(SIGUSR1, &action, NULL) && !sigaction(SIGUSR2, &action, NULL));
	CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	CHECK(!timer_settime(timer, 0, &every, NULL));
	CHECK(without_fs(500) == 0);
	CHECK(!timer_settime(timer, 0, &never, NULL));
	CHECK(t_hot(50) == sum);
	CHECK(raw_clone(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
	                        CLONE_SYSVSEM,
	                stack + sizeof(stack)) > 0);
	while (!__atomic_load_n(&raw_ended, __ATOMIC_SEQ_CST))
		raw4(SYS_futex, (long)&raw_ended, FUTEX_WAIT, 0, 0);
	CHECK(n_raw == 50 && raw_bad == 0);
	return t_ok(t_mix(sum, expected));
}
