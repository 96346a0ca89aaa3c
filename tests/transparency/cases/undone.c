// SPDX-License-Identifier: MIT
// What undone.sh runs: threads that compute and compare, one in a loop that never leaves,
// one that loads and unloads a library, timer signals, children; until told to end. Each
// result is checked, so one wrong step in a thousand rounds of undo and apply is seen.
#ifdef LIB
#include "t.h"
uint64_t lib_work(unsigned n);
uint64_t lib_work(unsigned n)
{
	return t_hot_from(5, n);
}
#else
#include "t_proc.h"
#include "t_text.h"
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#include <ucontext.h>

static volatile int stop;
static volatile unsigned n_signals, n_rounds[4];
static volatile uint64_t n_turns;
static uint64_t expected, expected_lib;

static void handler(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	CHECK(t_text_original((uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP]));
	__atomic_add_fetch(&n_signals, 1, __ATOMIC_RELAXED);
}

static void *computing(void *n)
{
	while (!stop) {
		CHECK(t_hot(30) == expected);
		n_rounds[(uintptr_t)n]++;
	}
	return NULL;
}

/* One loop for the whole run; every turn adds what it must. */
static void *staying(void *unused)
{
	uint64_t sum = 1, check = 1;

	while (!stop) {
		sum = t_switch(sum, (unsigned)(sum >> 3) & 7);
		switch ((unsigned)(check >> 3) & 7) {
		case 2:
			check = check + (check >> 7);
			break;
		default:
			check = t_switch(check, (unsigned)(check >> 3) & 7);
		}
		CHECK(sum == check);
		n_turns++;
	}
	return unused;
}

static void *loading(void *n)
{
	sigset_t usr1;

	/* Its library comes and goes, so the handler does not ask about addresses in it. */
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	CHECK(!pthread_sigmask(SIG_BLOCK, &usr1, NULL));
	while (!stop) {
		void *lib = dlopen("./lib1.so", RTLD_NOW);
		uint64_t (*lib_work)(unsigned);

		CHECK(lib);
		*(void **)&lib_work = dlsym(lib, "lib_work");
		CHECK(lib_work && lib_work(20) == expected_lib && !dlclose(lib));
		n_rounds[(uintptr_t)n]++;
	}
	return NULL;
}

static void *forking(void *n)
{
	while (!stop) {
		pid_t child = fork();

		CHECK(child >= 0);
		if (!child)
			_exit(t_hot(30) == expected ? 9 : 1);
		CHECK(t_wait(child) == 9);
		n_rounds[(uintptr_t)n]++;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static void *(*const bodies[])(void *) = { computing, computing, loading, forking };
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerspec every = { { 0, 1000000 }, { 0, 1000000 } },
			  never = { { 0, 0 }, { 0, 0 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	pthread_t threads[5];
	timer_t timer;
	char byte;
	int fd;

	CHECK(argc == 2);
	t_text_read();
	expected = t_hot(30);
	expected_lib = t_hot_from(5, 20);
	CHECK(!sigaction(SIGUSR1, &action, NULL));
	for (uintptr_t i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, bodies[i], (void *)i));
	CHECK(!pthread_create(&threads[4], NULL, staying, NULL));
	CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	CHECK(!timer_settime(timer, 0, &every, NULL));
	while (!n_turns || !n_rounds[0] || !n_rounds[1] || !n_rounds[2] || !n_rounds[3])
		sched_yield();
	fd = open(argv[1], O_RDONLY);
	CHECK(fd >= 0);
	while (read(fd, &byte, 1) != 1)
		CHECK(errno == EINTR);
	CHECK(!timer_settime(timer, 0, &never, NULL));
	stop = 1;
	for (int i = 0; i < 5; i++)
		CHECK(!pthread_join(threads[i], NULL));
	return t_ok(t_mix(expected, expected_lib));
}
#endif
