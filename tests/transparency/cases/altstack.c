// SPDX-License-Identifier: MIT
// Recursion down to the stack's guard page, again and again, with a SIGSEGV handler on an
// alternate stack that jumps out, in the main thread and in others. The alternate stack is
// small: nothing of dynopt may need more room there than the plain run.
#include "t_text.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/resource.h>
#include <ucontext.h>

static __thread sigjmp_buf jump;
static __thread volatile unsigned depth;
static __thread char *low;
enum { SMALL = 12 * 1024 };

static void handler(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	const greg_t *r = uc->uc_mcontext.gregs;
	char here;

	(void)sig;
	CHECK(&here >= low && &here < low + SMALL);
	CHECK(t_text_original((uintptr_t)r[REG_RIP]));
	CHECK((uintptr_t)info->si_addr + 65536 > (uintptr_t)r[REG_RSP]);
	siglongjmp(jump, 1);
}

static T_NOINLINE uint64_t down(uint64_t x)
{
	volatile uint64_t frame[16];

	depth++;
	for (unsigned i = 0; i < 16; i++)
		frame[i] = x + i;
	x = down(t_mix(x, frame[x & 15])) + frame[3];
	return t_switch(x, x & 7);
}

static void use_stack(void)
{
	stack_t stack = { .ss_sp = malloc(SMALL), .ss_size = SMALL };

	low = stack.ss_sp;
	CHECK(low && !sigaltstack(&stack, NULL));
}

static void *overflow(void *rounds)
{
	stack_t off = { .ss_flags = SS_DISABLE };
	volatile unsigned first = 0;

	use_stack();
	for (volatile intptr_t i = 0; i < (intptr_t)rounds; i++) {
		depth = 0;
		if (!sigsetjmp(jump, 1)) {
			down((uint64_t)i);
			CHECK(0);
		}
		CHECK(depth > 100);
		if (!first)
			first = depth;
		CHECK(depth + 2 > first && depth < first + 2);
	}
	CHECK(!sigaltstack(&off, NULL));
	free(low);
	return NULL;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	struct rlimit limit = { 1 << 20, 1 << 20 };
	uint64_t sum = t_hot(100);
	pthread_attr_t attr;
	pthread_t threads[4];

	t_text_read();
	CHECK(!setrlimit(RLIMIT_STACK, &limit));
	CHECK(!sigaction(SIGSEGV, &action, NULL));
	overflow((void *)50);
	CHECK(!pthread_attr_init(&attr) && !pthread_attr_setstacksize(&attr, 256 * 1024));
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 4; i++)
			CHECK(!pthread_create(&threads[i], &attr, overflow, (void *)20));
		for (int i = 0; i < 4; i++)
			CHECK(!pthread_join(threads[i], NULL));
	}
	overflow((void *)50);
	return t_ok(t_mix(sum, t_hot(100)));
}
