// SPDX-License-Identifier: MIT
// Coroutines on 64 KiB stacks, by swapcontext and by a switch written by hand, in the
// middle of hot work, with signals arriving on those stacks.
#include "t_text.h"
#include <signal.h>
#include <time.h>
#include <ucontext.h>

enum { N_COROUTINES = 8, N_TURNS = 400, STACK = 64 * 1024 };

static ucontext_t back, context[N_COROUTINES];
static uint64_t sums[N_COROUTINES];
static int current;
static volatile unsigned n_signals;

static T_NOINLINE void yield_library(void)
{
	CHECK(!swapcontext(&context[current], &back));
}

void switch_stack(void **save, void *to);
__asm__(".text\n\t.p2align 4\n.globl switch_stack\n.type switch_stack,@function\n"
        "switch_stack:\n\t.cfi_startproc\n\t"
        "push %rbp\n\tpush %rbx\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\tpush %r15\n\t"
        "mov %rsp, (%rdi)\n\t"
        "mov %rsi, %rsp\n\t"
        "pop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %rbx\n\tpop %rbp\n\t"
        "ret\n\t.cfi_endproc\n\t.size switch_stack, .-switch_stack\n");

static void *main_stack, *stacks[N_COROUTINES];

static T_NOINLINE void yield_own(void)
{
	switch_stack(&stacks[current], main_stack);
}

static uint64_t turn(uint64_t sum, int id, void (*yield)(void))
{
	sum = t_hot_from(sum, 5);
	for (unsigned i = 0; i < 3; i++) {
		sum = t_switch(sum, (unsigned)(sum >> 5) & 7);
		if (i == (unsigned)id % 3)
			yield();
		sum = t_mix(sum, i);
	}
	return sum;
}

static void library_body(int id)
{
	for (unsigned i = 0; i < N_TURNS; i++)
		sums[id] = turn(sums[id], id, yield_library);
}

static void own_body(void)
{
	int id = current;

	for (;;)
		sums[id] = turn(sums[id], id, yield_own);
}

static void handler(int sig, siginfo_t *info, void *uc)
{
	(void)sig;
	(void)info;
	CHECK(t_text_original((uintptr_t)((ucontext_t *)uc)->uc_mcontext.gregs[REG_RIP]));
	n_signals++;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerspec every = { { 0, 173000 }, { 0, 173000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	volatile uint64_t after_library = 0;
	timer_t timer;

	t_text_read();
	CHECK(!sigaction(SIGALRM, &action, NULL));
	CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	CHECK(!timer_settime(timer, 0, &every, NULL));
	for (int i = 0; i < N_COROUTINES; i++) {
		CHECK(!getcontext(&context[i]));
		context[i].uc_stack.ss_sp = malloc(STACK);
		context[i].uc_stack.ss_size = STACK;
		context[i].uc_link = &back;
		makecontext(&context[i], (void (*)(void))library_body, 1, i);
		sums[i] = (uint64_t)i;
	}
	for (unsigned n = 0; n < N_TURNS + 1; n++)
		for (current = 0; current < N_COROUTINES; current++)
			CHECK(!swapcontext(&back, &context[current]));
	for (int i = 0; i < N_COROUTINES; i++) {
		void **top = (void **)((char *)context[i].uc_stack.ss_sp + STACK) - 1;

		after_library = t_mix(after_library, sums[i]);
		*--top = (void *)own_body; /* returns into it with an aligned call's stack */
		stacks[i] = top - 6;
		memset(stacks[i], 0, 48);
		sums[i] = (uint64_t)i;
	}
	for (unsigned n = 0; n < N_TURNS + 1; n++)
		for (current = 0; current < N_COROUTINES; current++)
			switch_stack(&main_stack, stacks[current]);
	while (n_signals < 100)
		for (current = 0; current < N_COROUTINES; current++)
			switch_stack(&main_stack, stacks[current]);
	CHECK(!timer_settime(timer, 0, &never, NULL));
	return t_ok(after_library);
}
