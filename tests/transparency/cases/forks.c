// SPDX-License-Identifier: MIT
// fork in the middle of hot work, thousands of children and grandchildren: each computes
// the same, from translated code as from original code, also when several threads of the
// parent are hot; atfork handlers and stdio buffers do what they always do.
#include "t_proc.h"
#include <pthread.h>
#include <signal.h>

static volatile int stop, n_before, n_parent, n_child;
static uint64_t expected;

static T_NOINLINE uint64_t forking(uint64_t x, unsigned depth, unsigned *n_forks)
{
	x = t_switch(x, (unsigned)(x >> 7) & 7);
	if (depth) {
		x = forking(x, depth - 1, n_forks) + depth;
		return t_mix(x, depth);
	}
	++*n_forks;
	for (;;) {
		int status;
		pid_t child = fork();

		CHECK(child >= 0);
		if (!child) {
			pid_t grandchild;

			CHECK(t_hot(20) == expected);
			if (*n_forks % 4)
				_exit((int)(x & 0x7f));
			grandchild = fork();
			CHECK(grandchild >= 0);
			if (!grandchild) {
				CHECK(t_hot(20) == expected);
				_exit((int)(x & 0x3f));
			}
			CHECK(t_wait(grandchild) == (int)(x & 0x3f));
			_exit((int)(x & 0x7f));
		}
		CHECK(waitpid(child, &status, 0) == child);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == (int)(x & 0x7f));
		return t_mix(x, 1);
	}
}

static void *hot(void *unused)
{
	while (!stop)
		CHECK(t_hot(20) == expected);
	return unused;
}

static void before(void)
{
	n_before++;
}

static void in_parent(void)
{
	n_parent++;
}

static void in_child(void)
{
	n_child++;
}

static void buffers(void)
{
	pid_t child;

	printf("once\n");
	fflush(stdout);
	printf("twice\n");
	child = fork();
	CHECK(child >= 0);
	if (!child)
		exit(0); /* writes its copy of the buffer */
	CHECK(t_wait(child) == 0);
	fflush(stdout);
}

int main(void)
{
	uint64_t sum = 3;
	unsigned n_forks = 0;
	pthread_t threads[3];
	pid_t child;

	expected = t_hot(20);
	buffers();
	for (unsigned i = 0; i < 150; i++)
		sum = forking(sum, i % 30, &n_forks);
	/* A line of descendants, each the child of the one before. */
	for (int depth = 0;; depth++) {
		child = fork();
		CHECK(child >= 0);
		if (child) {
			CHECK(t_wait(child) == 0);
			if (depth)
				_exit(0);
			break;
		}
		CHECK(t_hot(20) == expected);
		if (depth == 30)
			_exit(0);
	}
	CHECK(!pthread_atfork(before, in_parent, in_child));
	for (int i = 0; i < 3; i++)
		CHECK(!pthread_create(&threads[i], NULL, hot, NULL));
	for (unsigned i = 0; i < 100; i++) {
		child = fork();
		CHECK(child >= 0);
		if (!child) {
			CHECK(t_threads() == 1 && n_child == 1 && n_before == (int)i + 1);
			CHECK(t_hot(20) == expected);
			_exit(5);
		}
		CHECK(t_wait(child) == 5);
	}
	CHECK(n_before == 100 && n_parent == 100 && n_child == 0);
	stop = 1;
	for (int i = 0; i < 3; i++)
		CHECK(!pthread_join(threads[i], NULL));
	return t_ok(sum);
}
