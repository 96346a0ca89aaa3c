// SPDX-License-Identifier: MIT
// Threads of the program's own making, switched by a timer signal: the handler leaves
// through swapcontext in the middle of hot code and comes back to it much later, on
// another turn.
#include "t_text.h"
#include <signal.h>
#include <time.h>
#include <ucontext.h>

enum { N_FIBERS = 6, N_TURNS = 300, STACK = 128 * 1024 };

static ucontext_t fibers[N_FIBERS], scheduler;
static volatile int current = -1, n_switches;
static uint64_t sums[N_FIBERS];
static volatile int done[N_FIBERS];

static void handler(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	uintptr_t sp = (uintptr_t)uc->uc_mcontext.gregs[REG_RSP], low;

	(void)sig;
	(void)info;
	if (current < 0)
		return;
	/* It may come on the scheduler's stack, in the middle of the switch. */
	low = (uintptr_t)fibers[current].uc_stack.ss_sp;
	if (sp < low || sp >= low + STACK)
		return;
	CHECK(t_text_original((uintptr_t)uc->uc_mcontext.gregs[REG_RIP]));
	n_switches++;
	CHECK(!swapcontext(&fibers[current], &scheduler));
}

static uint64_t quiet(uint64_t sum, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		sum = t_switch(sum, (unsigned)(sum >> 3 ^ i) & 7);
		sum = t_depth(sum, i & 7);
		if ((i & 63) == 0)
			sum = t_mix(sum, (uint64_t)t_float(sum, 4));
	}
	return sum;
}

static void body(int id)
{
	for (unsigned i = 0; i < N_TURNS; i++)
		sums[id] = quiet(sums[id], 200);
	done[id] = 1;
}

static void interruptible(int how)
{
	sigset_t alarm;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	CHECK(!sigprocmask(how, &alarm, NULL));
}

/* Starts and ends uninterrupted: swapcontext still reads the context in which the handler would save. */
static void fiber(int id)
{
	interruptible(SIG_UNBLOCK);
	body(id);
	interruptible(SIG_BLOCK);
}

/* Each fiber computes what it would have without being interrupted. */
static void run_all(void)
{
	volatile int left = N_FIBERS;

	for (int i = 0; i < N_FIBERS; i++) {
		CHECK(!getcontext(&fibers[i]));
		fibers[i].uc_stack.ss_sp = malloc(STACK);
		fibers[i].uc_stack.ss_size = STACK;
		fibers[i].uc_link = &scheduler;
		sigemptyset(&fibers[i].uc_sigmask);
		sigaddset(&fibers[i].uc_sigmask, SIGALRM);
		makecontext(&fibers[i], (void (*)(void))fiber, 1, i);
		sums[i] = (uint64_t)i;
		done[i] = 0;
	}
	while (left) {
		for (volatile int i = 0; i < N_FIBERS; i++) {
			if (done[i])
				continue;
			interruptible(SIG_BLOCK); /* the scheduler itself is not */
			current = i;
			CHECK(!swapcontext(&scheduler, &fibers[i]));
			current = -1;
			left -= done[i];
		}
	}
	for (int i = 0; i < N_FIBERS; i++)
		free(fibers[i].uc_stack.ss_sp);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerspec every = { { 0, 150000 }, { 0, 150000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	uint64_t expected[N_FIBERS], sum = t_hot(20);
	timer_t timer;

	t_text_read();
	for (int i = 0; i < N_FIBERS; i++) {
		sums[i] = (uint64_t)i;
		body(i);
		expected[i] = sums[i];
	}
	CHECK(!sigaction(SIGALRM, &action, NULL));
	CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	CHECK(!timer_settime(timer, 0, &every, NULL));
	do {
		run_all();
		for (int i = 0; i < N_FIBERS; i++)
			CHECK(sums[i] == expected[i]);
	} while (n_switches < 1000);
	CHECK(!timer_settime(timer, 0, &never, NULL));
	return t_ok(sum);
}
