// SPDX-License-Identifier: MIT
// Several threads load, call and unload the same and different libraries at the same
// time, while others run hot code and take signals.
#ifdef LIB
#include "t.h"
uint64_t lib_work(unsigned n);
uint64_t lib_work(unsigned n)
{
	return t_hot_from(LIB, n);
}
#else
#include "t_text.h"
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <ucontext.h>

static volatile int stop;
static volatile unsigned n_signals;
static uint64_t expected[5];

static void handler(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
	__atomic_add_fetch(&n_signals, 1, __ATOMIC_RELAXED);
}

static void *loading(void *number)
{
	unsigned me = (unsigned)(uintptr_t)number;

	for (unsigned i = 0; i < 120; i++) {
		unsigned which = 1 + (me + i / 2) % 4;
		char name[] = "./lib0.so";
		uint64_t (*lib_work)(unsigned);
		void *lib;

		name[5] = (char)('0' + which);
		lib = dlopen(name, RTLD_NOW | (i & 1 ? RTLD_GLOBAL : RTLD_LOCAL));
		CHECK(lib);
		*(void **)&lib_work = dlsym(lib, "lib_work");
		CHECK(lib_work && lib_work(20) == expected[which]);
		CHECK(lib_work(20) == expected[which]);
		CHECK(!dlclose(lib));
	}
	return NULL;
}

static void *hot(void *unused)
{
	while (!stop)
		CHECK(t_hot(20) == expected[0]);
	return unused;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerspec every = { { 0, 500000 }, { 0, 500000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	pthread_t threads[6];
	timer_t timer;

	expected[0] = t_hot(20);
	for (uint64_t i = 1; i < 5; i++)
		expected[i] = t_hot_from(i, 20);
	CHECK(!sigaction(SIGUSR1, &action, NULL));
	CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	CHECK(!timer_settime(timer, 0, &every, NULL));
	for (uintptr_t i = 0; i < 6; i++)
		CHECK(!pthread_create(&threads[i], NULL, i < 4 ? loading : hot, (void *)i));
	for (int i = 0; i < 6; i++) {
		CHECK(!pthread_join(threads[i], NULL));
		if (i == 3)
			stop = 1;
	}
	CHECK(!timer_settime(timer, 0, &never, NULL));
	CHECK(n_signals > 0);
	return t_ok(expected[0]);
}
#endif
