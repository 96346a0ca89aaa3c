// SPDX-License-Identifier: MIT
// Handlers installed by the bare system call, with the program's own restorer: nobody
// stands between, and still the context may be read and changed, the handler may leave
// by siglongjmp, and the system call and libc's sigaction see each other's settings.
#include "t.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>

struct kernel_action {
	void (*handler)(int, siginfo_t *, void *);
	unsigned long flags;
	void (*restorer)(void);
	unsigned long mask;
};

void own_restorer(void);
__asm__(".text\n.globl own_restorer\n.type own_restorer,@function\nown_restorer:\n\t.cfi_startproc\n\t"
        "mov $15, %eax\n\tsyscall\n\t.cfi_endproc\n\t.size own_restorer, .-own_restorer\n");

uint64_t raw_loop(const uint64_t *from, uint64_t n);
__asm__(".text\n\t.p2align 4\n.globl raw_loop\n.type raw_loop,@function\nraw_loop:\n\t.cfi_startproc\n\t"
        "xor %eax, %eax\n"
        "1:\tadd (%rdi), %rax\n\t"
        "add $8, %rdi\n\t"
        "dec %rsi\n\t"
        "jnz 1b\n\t"
        "ret\n\t.cfi_endproc\n\t.size raw_loop, .-raw_loop\n");

static uint64_t good[32];
static char *guard;
static sigjmp_buf jump;
static volatile int n_signals, leave;

static void handler(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	n_signals++;
	if (sig == SIGUSR1)
		return;
	CHECK(info->si_addr == guard && uc->uc_mcontext.gregs[REG_RDI] == (greg_t)guard);
	if (leave)
		siglongjmp(jump, 1);
	uc->uc_mcontext.gregs[REG_RDI] = (greg_t)good;
}

static void set(int sig, unsigned long flags)
{
	struct kernel_action action = { handler, flags | SA_SIGINFO | 0x04000000, own_restorer, 0 };

	CHECK(!syscall(SYS_rt_sigaction, sig, &action, NULL, 8));
}

int main(void)
{
	struct kernel_action seen;
	struct sigaction got, libc_set = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	uint64_t sum = t_hot(200);

	guard = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(guard != MAP_FAILED);
	for (unsigned i = 0; i < 32; i++)
		good[i] = i;
	set(SIGUSR1, 0);
	set(SIGSEGV, 0);
	for (int i = 0; i < 300; i++) {
		CHECK(raw_loop((uint64_t *)guard, 32) == 496);
		CHECK(!raise(SIGUSR1));
		sum = t_mix(sum, t_hot(3));
	}
	CHECK(n_signals == 600);
	leave = 1;
	for (volatile int i = 0; i < 300; i++) {
		if (!sigsetjmp(jump, 1)) {
			raw_loop((uint64_t *)guard, 32);
			CHECK(0);
		}
	}
	CHECK(n_signals == 900);
	CHECK(!sigaction(SIGUSR1, NULL, &got) && got.sa_sigaction == handler);
	CHECK(!sigaction(SIGUSR2, &libc_set, NULL));
	CHECK(!sigaction(SIGUSR1, &libc_set, &got) && got.sa_sigaction == handler);
	CHECK(!syscall(SYS_rt_sigaction, SIGUSR1, NULL, &seen, 8));
	CHECK(!raise(SIGUSR1) && n_signals == 901);
	/* Saved and put back through the system call, the handler still runs. */
	set(SIGUSR1, 0);
	CHECK(!syscall(SYS_rt_sigaction, SIGUSR1, &seen, NULL, 8));
	CHECK(!raise(SIGUSR1) && n_signals == 902);
	return t_ok(sum);
}
