/* SPDX-License-Identifier: MIT */
/*
 * hot.c - a program that is watched while it runs: it does the same work until its text has changed under it, and then some
 * more, in several threads and in a child; every result must be the first one.
 *
 * Says "ok translated", or "ok text" if nothing has changed within a minute, or the seconds named.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORK_BYTES 64

typedef uint64_t step_fn(uint64_t);

static uint64_t twist(uint64_t x)
{
	return x * 6364136223846793005u + 1442695040888963407u;
}

static uint64_t fold(uint64_t x)
{
	return x ^ x >> 29;
}

static step_fn *volatile const steps[] = { twist, fold };

__attribute__((noinline)) static uint64_t work(uint64_t x)
{
	for (int i = 0; i < 200000; i++) {
		switch (x & 7) {
		case 0:
			x += 3;
			break;
		case 1:
			x ^= x << 7;
			break;
		case 2:
			x = steps[0](x);
			break;
		case 3:
			x -= 0x1234567;
			break;
		case 4:
			x = steps[1](x);
			break;
		case 5:
			x = x << 9 | x >> 55;
			break;
		case 6:
			x *= 5;
			break;
		default:
			x = ~x;
			break;
		}
		if (x % 5 == 0)
			x++;
	}
	return x;
}

static unsigned char before[WORK_BYTES * 8];
static uint64_t expected;
static int wrong, n_more = 200;

static int changed(void)
{
	return memcmp(before, (const void *)(uintptr_t)work, sizeof(before)) != 0;
}

static void *more(void *unused)
{
	for (int i = 0; i < n_more; i++)
		if (work(42) != expected)
			__atomic_store_n(&wrong, 1, __ATOMIC_RELAXED);
	return unused;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* hot [SECONDS [MORE]]: how long to wait for a change; how much to do then */
int main(int argc, char **argv)
{
	double end = now() + (argc > 1 ? atoi(argv[1]) : 60);
	pthread_t threads[3];
	int status;

	if (argc > 2)
		n_more = atoi(argv[2]);
	memcpy(before, (const void *)(uintptr_t)work, sizeof(before));
	expected = work(42);
	while (!changed() && now() < end)
		if (work(42) != expected)
			wrong = 1;
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, more, NULL);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	if (fork() == 0) {
		more(NULL);
		exit(wrong);
	}
	wait(&status);
	if (wrong || status) {
		printf("wrong results\n");
		return 1;
	}
	printf("ok %s\n", changed() ? "translated" : "text");
	return 0;
}
