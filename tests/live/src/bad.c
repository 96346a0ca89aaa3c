/* SPDX-License-Identifier: MIT */
/*
 * bad.c - a program to which bad things happen (bad.sh). It works, checks every result against the first, and says "ok" and how many
 * threads it had.
 *
 *     bad short              ends at once
 *     bad wait READY GO      writes its number to the pipe READY, works, and goes on until there is a line in GO
 *     bad threads N          N threads at once, as many as there can be; each works while text may be replaced
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STACK_BYTES (64 << 10)
#define ROUNDS 200

static uint64_t expected;
static volatile int wrong;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held until all are there */

__attribute__((noinline)) static uint64_t step(uint64_t x)
{
	return x & 1 ? x * 3 + 1 : x / 2;
}

__attribute__((noinline)) static uint64_t work(uint64_t x)
{
	for (int i = 0; i < 5000; i++) {
		x = step(x) + (uint64_t)i;
		if (x % 5 == 0)
			x ^= x << 7;
	}
	return x;
}

static void *worker(void *rounds)
{
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	for (intptr_t i = 0; i < (intptr_t)rounds; i++)
		wrong |= work(27) != expected;
	return NULL;
}

static int threads(int n)
{
	pthread_t *all = calloc((size_t)n, sizeof(*all));
	pthread_attr_t attr;
	int made = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_mutex_lock(&gate);
	while (made < n && pthread_create(&all[made], &attr, worker, (void *)2) == 0)
		made++;
	pthread_mutex_unlock(&gate);
	for (int i = 0; i < ROUNDS; i++)
		wrong |= work(27) != expected;
	for (int i = 0; i < made; i++)
		pthread_join(all[i], NULL);
	return made;
}

static void wait_for(const char *ready, const char *answer)
{
	FILE *out = fopen(ready, "w"), *in;
	char line[16];

	if (!out)
		exit(2);
	fprintf(out, "%d\n", (int)getpid());
	fclose(out);
	in = fopen(answer, "r");
	if (!in || !fgets(line, sizeof(line), in))
		exit(2);
	fclose(in);
	for (int i = 0; i < ROUNDS; i++)
		wrong |= work(27) != expected;
}

int main(int argc, char **argv)
{
	int n = 1;

	expected = work(27);
	if (argc > 3 && strcmp(argv[1], "wait") == 0)
		wait_for(argv[2], argv[3]);
	else if (argc > 2 && strcmp(argv[1], "threads") == 0)
		n = threads(atoi(argv[2]));
	if (wrong) {
		puts("wrong");
		return 1;
	}
	printf("ok %d\n", n);
	return 0;
}
