// SPDX-License-Identifier: MIT
// Far more different handlers than programs usually have, set for several signals and
// from several threads: each signal runs the handler that was set last, and questions are
// answered with it.
#include "t.h"
#include <pthread.h>
#include <signal.h>

enum { N_HANDLERS = 5000, EACH = 16, N_THREADS = 4 };

extern char many_handlers[];
static volatile uint64_t ran[65];

/* Handler i tells its number and jumps on. */
void many_ran(int sig, uint64_t number);
__attribute__((used)) void many_ran(int sig, uint64_t number)
{
	ran[sig] = number;
}
__asm__(".text\n\t.p2align 4\n"
        ".globl many_handlers\n.type many_handlers,@function\nmany_handlers:\n\t"
        ".cfi_startproc\n\t"
        ".set many_number, 0\n\t"
        ".rept 5000\n\t"
        "mov $many_number, %esi\n\t"
        "jmp many_ran\n\t"
        ".p2align 4\n\t"
        ".set many_number, many_number + 1\n\t"
        ".endr\n\t"
        ".cfi_endproc\n\t.size many_handlers, .-many_handlers\n");

static void (*handler(unsigned i))(int)
{
	void *p = many_handlers + (size_t)i * EACH;
	void (*f)(int);

	memcpy(&f, &p, sizeof(f));
	return f;
}

static void one(int sig, unsigned i)
{
	struct sigaction set, got;

	memset(&set, 0, sizeof(set));
	set.sa_handler = handler(i);
	CHECK(!sigaction(sig, &set, NULL));
	ran[sig] = ~0ul;
	CHECK(!pthread_kill(pthread_self(), sig) && ran[sig] == i);
	CHECK(!sigaction(sig, NULL, &got) && got.sa_handler == set.sa_handler);
	set.sa_handler = handler((i + 7) % N_HANDLERS);
	CHECK(!sigaction(sig, &set, &got) && got.sa_handler == handler(i));
	CHECK(!pthread_kill(pthread_self(), sig) && ran[sig] == (i + 7) % N_HANDLERS);
}

static void *setting(void *n)
{
	unsigned me = (unsigned)(uintptr_t)n;

	for (unsigned i = 0; i < N_HANDLERS; i++)
		one(SIGRTMIN + (int)me, (i * 31 + me * 1000) % N_HANDLERS);
	return NULL;
}

int main(void)
{
	pthread_t threads[N_THREADS];
	uint64_t sum = t_hot(50);

	for (unsigned i = 0; i < N_HANDLERS; i++)
		one(i & 1 ? SIGUSR1 : SIGUSR2, i);
	for (uintptr_t i = 0; i < N_THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, setting, (void *)i));
	for (int i = 0; i < N_THREADS; i++)
		CHECK(!pthread_join(threads[i], NULL));
	/* What was set long ago is still what it was. */
	CHECK(!raise(SIGUSR1) && ran[SIGUSR1] == (N_HANDLERS - 1 + 7) % N_HANDLERS);
	CHECK(!raise(SIGUSR2) && ran[SIGUSR2] == (N_HANDLERS - 2 + 7) % N_HANDLERS);
	return t_ok(sum);
}
