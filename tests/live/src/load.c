/* SPDX-License-Identifier: MIT */
/*
 * load.c FOLDER CYCLES - works in three threads, one of which never leaves its loop, until the runtime has undone and applied
 * all translations CYCLES times; every result is compared with the first one of its kind.
 *
 * Progress is read from the status file that the agent writes to FOLDER. Without dynopt it ends at once.
 * Prints "ok CYCLES rounds>0", or what was wrong; exit code 0 or 1.
 */
#include "cycles.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS 2

static volatile int stop, wrong;
static volatile unsigned long spins;

static int by_value(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return x < y ? -1 : x > y;
}

/* An interpreter: a jump through a jump table for each of its instructions. */
static unsigned long interpret(const unsigned char *at, unsigned n)
{
	unsigned long a = 1, b = 2, c = 3;

	while (n--) {
		switch (*at++ & 7) {
		case 0:
			a += b;
			break;
		case 1:
			b ^= a << 3;
			break;
		case 2:
			c += a * b;
			break;
		case 3:
			a = a * 7 + c;
			break;
		case 4:
			b -= c;
			break;
		case 5:
			c ^= b >> 5;
			break;
		case 6:
			a ^= 0x5555;
			break;
		case 7:
			b *= 11;
			break;
		}
	}
	return a ^ b ^ c;
}

static unsigned long sum_up(unsigned seed)
{
	int numbers[512];
	unsigned long sum = seed;
	char text[32];

	for (int i = 0; i < 512; i++) {
		seed = seed * 1103515245u + 12345u;
		numbers[i] = (int)(seed >> 3);
	}
	qsort(numbers, 512, sizeof(numbers[0]), by_value);
	for (int i = 0; i < 512; i++)
		sum = sum * 31 + (unsigned)numbers[i];
	sum += interpret((const unsigned char *)numbers, sizeof(numbers));
	snprintf(text, sizeof(text), "%lu", sum);
	return sum + strlen(text);
}

static void *work(void *seed)
{
	unsigned long first = sum_up((unsigned)(unsigned long)seed), rounds = 0;

	do {
		if (sum_up((unsigned)(unsigned long)seed) != first)
			wrong = 1;
		rounds++;
	} while (!stop);
	return (void *)rounds;
}

/* No call, no exit: undo must reach it all the same, and it must go on counting. */
static void *spin(void *unused)
{
	unsigned long n = 0;

	(void)unused;
	do
		spins = ++n;
	while (!stop);
	return (void *)n;
}

int main(int argc, char **argv)
{
	unsigned long wanted = argc > 2 ? strtoul(argv[2], NULL, 10) : 0, rounds, sum = 0;
	pthread_t threads[WORKERS + 1];
	void *result;

	for (unsigned long i = 0; i < WORKERS; i++)
		pthread_create(&threads[i], NULL, work, (void *)(i + 1));
	pthread_create(&threads[WORKERS], NULL, spin, NULL);
	while (argc > 2 && cycles_done(argv[1]) < wanted) {
		unsigned long before = spins;

		if (sum_up(7) != sum_up(7))
			wrong = 1;
		while (spins == before)
			sched_yield();
	}
	stop = 1;
	for (int i = 0; i <= WORKERS; i++) {
		pthread_join(threads[i], &result);
		rounds = (unsigned long)result;
		sum += rounds > 0;
	}
	if (wrong || sum != WORKERS + 1) {
		puts(wrong ? "a result was wrong" : "a thread did nothing");
		return 1;
	}
	printf("ok %lu\n", wanted);
	return 0;
}
