/* SPDX-License-Identifier: MIT */
/*
 * phases.c - one loop whose branches and callback flip. In odd phases the first callback is
 * called and the tests go one way, in even phases the second and the other way, while
 * the code stays the same: a profile of the whole run says "half and half" everywhere, an
 * optimizer that follows the program can be right all the time.
 *
 * Usage: phases ROUNDS-PER-PHASE PHASES
 */
#include "lib.h"

enum { N = 4096 };

struct item {
	uint32_t kind, value;
};

typedef uint32_t (*combine)(uint32_t sum, uint32_t value);

static uint32_t __attribute__((noinline)) mix(uint32_t sum, uint32_t value)
{
	return (sum ^ value) * 31;
}

static uint32_t __attribute__((noinline)) rotate(uint32_t sum, uint32_t value)
{
	return (sum << 5 | sum >> 27) + value;
}

static uint32_t __attribute__((noinline)) walk(const struct item *items, combine *by_kind, uint32_t sum)
{
	for (int i = 0; i < N; i++) {
		const struct item *item = &items[i];

		if (item->kind != 0)
			sum += item->value >> 3;
		else
			sum ^= item->value << 1;
		sum = by_kind[item->kind](sum, item->value);
		if (item->value & 1)
			sum -= item->value;
		else
			sum ^= sum >> 7;
		if (item->value > 1u << 30)
			sum += 17;
	}
	return sum;
}

/* One in 64 is of the other kind, so that no phase is pure. */
static void prepare(struct item *items, uint32_t kind, uint64_t *state)
{
	for (int i = 0; i < N; i++) {
		uint32_t k = next_random(state) % 64 == 0 ? !kind : kind;

		items[i].kind = k;
		items[i].value = (next_random(state) & (k ? ~1u : (1u << 30) - 1)) | (k ? 1u << 30 : 1);
	}
}

int main(int argc, char **argv)
{
	long rounds = argument(argc, argv, 1, 1), phases = argument(argc, argv, 2, 4);
	static combine by_kind[] = { mix, rotate };
	struct item *items = get_memory(N, sizeof(*items));
	uint64_t state = 1;
	uint32_t sum = 0;

	for (long phase = 0; phase < phases; phase++) {
		prepare(items, (uint32_t)phase % 2, &state);
		for (long r = 0; r < rounds; r++)
			sum = walk(items, by_kind, sum);
		printf("%ld %08x\n", phase, sum);
	}
	return 0;
}
