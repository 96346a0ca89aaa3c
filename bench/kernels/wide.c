/* SPDX-License-Identifier: MIT */
/*
 * wide.c - loops that a compiler vectorizes for the baseline of the architecture,
 * 16 bytes at a time, on a machine that may do 32 or 64: sums of products, a histogram of
 * bits, saturating mixing of bytes. Integers only, so that every width gives the same.
 */
#include "lib.h"

enum { N = 1 << 14 };

static uint32_t dot(const uint16_t *a, const uint16_t *b)
{
	uint32_t sum = 0;

	for (int i = 0; i < N; i++)
		sum += (uint32_t)a[i] * b[i];
	return sum;
}

static uint64_t count_bits(const uint64_t *words)
{
	uint64_t sum = 0;

	for (int i = 0; i < N; i++)
		sum += (uint64_t)__builtin_popcountll(words[i]);
	return sum;
}

static void blend(uint8_t *restrict to, const uint8_t *restrict from, unsigned int weight)
{
	for (int i = 0; i < N; i++)
		to[i] = (uint8_t)((to[i] * (256 - weight) + from[i] * weight) >> 8);
}

int main(int argc, char **argv)
{
	long rounds = argument(argc, argv, 1, 1);
	uint16_t *a = get_memory(N, sizeof(*a)), *b = get_memory(N, sizeof(*b));
	uint64_t *words = get_memory(N, sizeof(*words));
	uint8_t *to = get_memory(N, 1), *from = get_memory(N, 1);
	uint64_t state = 1, sum = 0;

	for (int i = 0; i < N; i++) {
		a[i] = (uint16_t)next_random(&state);
		b[i] = (uint16_t)next_random(&state);
		words[i] = (uint64_t)next_random(&state) << 32 | next_random(&state);
		from[i] = (uint8_t)next_random(&state);
	}
	for (long r = 0; r < rounds; r++) {
		blend(to, from, (unsigned int)r % 256);
		a[r % N] = to[(r * 7) % N];
		words[r % N] ^= sum;
		sum = sum * 31 + dot(a, b) + count_bits(words);
	}
	printf("%016llx\n", (unsigned long long)sum);
	return 0;
}
