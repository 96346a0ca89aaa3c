// SPDX-License-Identifier: MIT
// A stack that ends in front of, in, and behind a call, word by word, with a SIGSEGV handler on an alternate
// stack that jumps out. What is called has more than a page of its own, so where it first touches the stack
// is not where the call has pushed its return address.
#include "t_text.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { PAGE = 4096, PAGES = 8, WORDS = 160, DEEP = 3 * PAGE };

static sigjmp_buf jump;
static char *guard, *alternate;
static volatile unsigned n_faults, n_done;

static void handler(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	char *at = info->si_addr, here;

	(void)sig;
	CHECK(&here >= alternate && &here < alternate + 16 * PAGE);
	CHECK(at >= guard && at < guard + PAGES * PAGE);
	CHECK(t_text_original((uintptr_t)uc->uc_mcontext.gregs[REG_RIP]));
	n_faults++;
	siglongjmp(jump, 1);
}

static T_NOINLINE uint64_t deep(uint64_t x)
{
	volatile unsigned char frame[DEEP];

	frame[x % 64] = (unsigned char)x;
	return t_mix(x, frame[x % 64]);
}

T_NOINLINE uint64_t calls(uint64_t x)
{
	for (unsigned i = 0; i < 3; i++)
		x = deep(x + i) ^ i;
	return x;
}

// calls(x) with the stack pointer at `top`.
uint64_t calls_on(char *top, uint64_t x);
__asm__(".text\n"
        ".globl calls_on\n"
        ".type calls_on, @function\n"
        "calls_on:\n"
        "	push %rbp\n"
        "	mov %rsp, %rbp\n"
        "	mov %rdi, %rsp\n"
        "	mov %rsi, %rdi\n"
        "	call calls\n"
        "	mov %rbp, %rsp\n"
        "	pop %rbp\n"
        "	ret\n"
        ".size calls_on, . - calls_on\n");

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t stack = { .ss_size = 16 * PAGE };
	volatile uint64_t sum = t_hot(50);
	char *end;

	guard = mmap(NULL, (PAGES + 2) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	alternate =
		mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(guard != MAP_FAILED && alternate != MAP_FAILED);
	end = guard + PAGES * PAGE;
	CHECK(!mprotect(end, 2 * PAGE, PROT_READ | PROT_WRITE));
	stack.ss_sp = alternate;
	CHECK(!sigaltstack(&stack, NULL) && !sigaction(SIGSEGV, &action, NULL));
	t_text_read();
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 100; i++)
			sum = t_mix(sum, calls(sum));
		for (volatile int word = 0; word < WORDS; word++) {
			if (sigsetjmp(jump, 1))
				continue;
			sum = t_mix(sum, calls_on(end + word * 8, 7));
			n_done++;
		}
	}
	CHECK(n_faults > 3 && n_done == 0);
	return t_ok(n_faults);
}
