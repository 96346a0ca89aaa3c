/* SPDX-License-Identifier: MIT */
/*
 * threads.c - four seconds of CPU time in two threads that are there from the start, while the first one waits. Says "ok".
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

static double used(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *work(void *sum)
{
	while (used() < 4)
		for (uint32_t i = 0; i < 1u << 20; i++)
			*(volatile uint64_t *)sum = *(volatile uint64_t *)sum * 3 + i;
	return NULL;
}

int main(void)
{
	uint64_t sums[2] = { 0, 0 };
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, work, &sums[i]))
			return 1;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	printf(sums[0] + sums[1] == 1 ? "no\n" : "ok\n");
	return 0;
}
