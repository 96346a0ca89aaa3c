// SPDX-License-Identifier: MIT
// GCC's nested functions: their addresses are trampolines on an executable stack, which
// call into hot code and are called back from libc.
#include "t.h"

static T_NOINLINE uint64_t apply(uint64_t (*f)(uint64_t), uint64_t x)
{
	for (unsigned i = 0; i < 4; i++)
		x = f(x);
	return x;
}

static T_NOINLINE uint64_t with_nested(uint64_t seed)
{
	uint64_t count = 0;
	uint32_t words[50];
	uint64_t step(uint64_t x)
	{
		count++;
		return t_switch(x + seed, (unsigned)x & 7);
	}
	int compare(const void *a, const void *b)
	{
		count++;
		return t_compare(a, b);
	}

	for (unsigned i = 0; i < 50; i++)
		words[i] = (uint32_t)t_mix(seed, i);
	seed = apply(step, seed);
	qsort(words, 50, 4, compare);
	return t_mix(seed + words[7], count);
}

int main(void)
{
	uint64_t sum = 1;

	for (unsigned i = 0; i < 2000; i++)
		sum = with_nested(sum);
	return t_ok(sum);
}
