/* SPDX-License-Identifier: MIT */
/*
 * callbacks.c - qsort and bsearch with comparison functions of the program: the hot
 * loop is in libc, the hot body in here, and no build of this program alone can bring
 * the two together.
 */
#include "lib.h"

enum { N = 1 << 18 };

struct entry {
	uint32_t key, group;
};

static int by_key(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static int by_group(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return by_key(a, b);
}

int main(int argc, char **argv)
{
	long rounds = argument(argc, argv, 1, 1);
	struct entry *list = get_memory(N, sizeof(*list));
	uint64_t state = 1, sum = 0;

	for (long r = 0; r < rounds; r++) {
		for (uint32_t i = 0; i < N; i++)
			list[i] = (struct entry){ next_random(&state), next_random(&state) % 1000 };
		qsort(list, N, sizeof(*list), by_group);
		sum += list[N / 3].key;
		qsort(list, N, sizeof(*list), by_key);
		for (uint32_t i = 0; i < N; i++) {
			struct entry want = { next_random(&state), 0 };
			struct entry *found = bsearch(&want, list, N, sizeof(*list), by_key);

			sum = sum * 31 + (found ? found->group + 1 : 0);
		}
	}
	printf("%016llx\n", (unsigned long long)sum);
	return 0;
}
