/* SPDX-License-Identifier: MIT */
/*
 * constants.c - values that are fixed when the program starts and asked for again in every
 * iteration: a convolution whose size and coefficients come from the command line, a
 * format whose fields are looked up in a table of options. Known only at run time.
 */
#include "lib.h"

enum { N = 1 << 14, MAX_TAPS = 16 };

struct options {
	long taps, stride, clamp, verbose;
	int32_t coefficient[MAX_TAPS];
};

static void __attribute__((noinline)) filter(const struct options *o, int32_t *restrict to,
                                             const int32_t *restrict from)
{
	for (long i = 0; i + o->taps * o->stride < N; i++) {
		int32_t sum = 0;

		for (long k = 0; k < o->taps; k++)
			sum += o->coefficient[k] * from[i + k * o->stride];
		if (o->clamp && sum > 1 << 20)
			sum = 1 << 20;
		if (o->verbose)
			printf("%d\n", sum);
		to[i] = sum;
	}
}

int main(int argc, char **argv)
{
	long rounds = argument(argc, argv, 1, 1);
	struct options o = { argument(argc, argv, 2, 3),
		             argument(argc, argv, 3, 1),
		             argument(argc, argv, 4, 1),
		             argument(argc, argv, 5, 0),
		             { 0 } };
	int32_t *a = get_memory(N, sizeof(*a)), *b = get_memory(N, sizeof(*b));
	uint64_t state = 1, sum = 0;

	if (o.taps < 1 || o.taps > MAX_TAPS || o.stride < 1 || o.stride > N / MAX_TAPS)
		return 2;
	for (long k = 0; k < o.taps; k++)
		o.coefficient[k] = (int32_t)(next_random(&state) % 7) - 3;
	for (int i = 0; i < N; i++)
		a[i] = (int32_t)(next_random(&state) % 1000);
	for (long r = 0; r < rounds; r++) {
		filter(&o, b, a);
		a[r % N] = b[(r * 5) % (N / 2)] & 1023;
		sum = sum * 31 + (uint32_t)b[r % (N / 2)];
	}
	printf("%016llx\n", (unsigned long long)sum);
	return 0;
}
