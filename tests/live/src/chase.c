/* SPDX-License-Identifier: MIT */
/*
 * chase.c - follows a ring of pointers in no order for two seconds of CPU time: each load waits for memory, and the loop does little else. Says "ok".
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PLACES (1u << 22) /* 32 MiB */

__attribute__((noinline)) static uint64_t chase(void **at, unsigned n)
{
	uint64_t sum = 0;

	while (n-- > 0) {
		at = *at;
		sum = (sum ^ (uintptr_t)at) * 3 + n;
	}
	return sum ^ (uintptr_t)at;
}

int main(void)
{
	void **ring = malloc(PLACES * sizeof(*ring));
	uint32_t *order = malloc(PLACES * sizeof(*order)), state = 1;
	uint64_t sum = 0;

	if (!ring || !order)
		return 1;
	for (uint32_t i = 0; i < PLACES; i++)
		order[i] = i;
	for (uint32_t i = PLACES - 1; i > 0; i--) {
		uint32_t k, swap = order[i];

		state = state * 1664525u + 1013904223u;
		k = (uint32_t)(((uint64_t)state * (i + 1)) >> 32);
		order[i] = order[k];
		order[k] = swap;
	}
	for (uint32_t i = 0; i < PLACES; i++)
		ring[order[i]] = &ring[order[(i + 1) % PLACES]];
	for (clock_t end = clock() + 2 * CLOCKS_PER_SEC; clock() < end;)
		sum += chase(&ring[order[sum % PLACES]], 1u << 20);
	printf(sum == 1 ? "no\n" : "ok\n");
	return 0;
}
