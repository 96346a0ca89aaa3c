/* SPDX-License-Identifier: MIT */
/*
 * phases.c - one loop whose dominant callback and branches flip. In even phases the first
 * visitor is called and most items are plain, in odd phases the second and most items are
 * packed, while the code stays the same: a profile of the whole run says "half and half"
 * everywhere, an optimizer that follows the program can be right all the time.
 *
 * Usage: phases ROUNDS-PER-PHASE PHASES [FIRST-PHASE]
 */
#include "lib.h"

enum { N = 4096, RARE = 64 };

struct item {
	uint32_t flags, value;
};

enum { PACKED = 1, SHIFTED = 2, SIGNED = 4 };

struct totals {
	uint64_t sum, weight, odd, n_packed;
};

typedef void (*visitor)(struct totals *totals, uint32_t value);

static void visit_sum(struct totals *totals, uint32_t value)
{
	totals->sum += value;
}

static void visit_weight(struct totals *totals, uint32_t value)
{
	totals->weight += value >> 4;
}

/* The long way round for an item that is not as expected: too big to become a select. */
static uint32_t unpack(struct totals *totals, uint32_t value)
{
	uint32_t low = value & 0xffff, high = value >> 16;

	totals->n_packed++;
	if (low > high)
		totals->odd += low - high;
	return (low * 37 + high * 11) ^ (low >> 3);
}

static uint32_t plain(struct totals *totals, uint32_t value)
{
	if (value & 1)
		totals->odd++;
	return value ^ value >> 9;
}

static void __attribute__((noinline)) walk(const struct item *items, const visitor *visitors,
                                           struct totals *totals)
{
	for (int i = 0; i < N; i++) {
		uint32_t flags = items[i].flags, value = items[i].value;

		if (flags & PACKED)
			value = unpack(totals, value);
		else
			value = plain(totals, value);
		if (flags & SHIFTED)
			value = value << 3 | value >> 29;
		if (flags & SIGNED)
			totals->odd ^= value;
		visitors[flags & PACKED](totals, value);
	}
}

/* One in RARE is of the other kind, so that no phase is pure. */
static void prepare(struct item *items, uint32_t kind, uint64_t *state)
{
	for (int i = 0; i < N; i++) {
		uint32_t k = next_random(state) % RARE == 0 ? !kind : kind;

		items[i].flags = k ? PACKED | SHIFTED | SIGNED : 0;
		items[i].value = next_random(state);
	}
}

int main(int argc, char **argv)
{
	long rounds = argument(argc, argv, 1, 1), phases = argument(argc, argv, 2, 4);
	long first = argument(argc, argv, 3, 0);
	static const visitor visitors[] = { visit_sum, visit_weight };
	struct item *items = get_memory(N, sizeof(*items));
	struct totals totals = { 0 };
	uint64_t state = 1;

	for (long phase = first; phase < first + phases; phase++) {
		prepare(items, (uint32_t)phase % 2, &state);
		for (long r = 0; r < rounds; r++)
			walk(items, visitors, &totals);
		printf("%ld %016llx\n", phase,
		       (unsigned long long)(totals.sum ^ totals.weight ^ totals.odd ^
		                            totals.n_packed));
	}
	return 0;
}
