/* SPDX-License-Identifier: MIT */
/*
 * lib.h - what the kernels share: a seeded generator and the one argument.
 *
 * Each kernel is one file with one main(), takes "how many rounds", and prints a
 * checksum of all it computed, so that a wrong translation cannot pass.
 */
#ifndef BENCH_KERNELS_LIB_H
#define BENCH_KERNELS_LIB_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static inline uint32_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33);
}

static inline long argument(int argc, char **argv, int at, long otherwise)
{
	return argc > at ? strtol(argv[at], NULL, 10) : otherwise;
}

static inline void *get_memory(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	if (!memory) {
		fprintf(stderr, "out of memory\n");
		exit(1);
	}
	return memory;
}

#endif
