/* SPDX-License-Identifier: MIT */
/*
 * pick.c - see pick.h.
 *
 * What a look takes is known when it is over. Beforehand it goes by what was hit: where samples fall there are heads, and trees that grow from them.
 */
#include "pick.h"

#define NS_PER_HIT 25000u
#define NS_PER_BYTE 35u

u64 pick_guess(u32 hits)
{
	return (u64)hits * NS_PER_HIT / (PICK_MOST + 1) * PICK_MOST;
}

bool pick_add(struct pick *pick, struct batch_range range, u64 samples, u32 hits)
{
	if (pick->n == PICK_RANGES)
		return false;
	pick->ranges[pick->n] = range;
	pick->weights[pick->n++] =
		(struct pick_weight){ samples, (u64)hits * NS_PER_HIT +
		                                       (range.end - range.start) * NS_PER_BYTE };
	return true;
}

static u32 coolest(const struct pick *pick)
{
	u32 found = 0;

	for (u32 i = 1; i < pick->n; i++)
		if (pick->weights[i].samples < pick->weights[found].samples)
			found = i;
	return found;
}

static void leave_out(struct pick *pick, u32 at)
{
	for (pick->n--; at < pick->n; at++) {
		pick->ranges[at] = pick->ranges[at + 1];
		pick->weights[at] = pick->weights[at + 1];
	}
}

u64 pick_cost(const struct pick *pick)
{
	u64 cost_ns = 0;

	for (u32 i = 0; i < pick->n; i++)
		cost_ns += pick->weights[i].cost_ns;
	return cost_ns;
}

bool pick_afford(struct pick *pick, u64 left_ns, u64 *need_ns)
{
	u64 cost_ns = pick_cost(pick), kept = 0, out = 0;

	for (u32 i = 0; i < pick->n; i++)
		kept += pick->weights[i].samples;
	*need_ns = cost_ns;
	while (pick->n && cost_ns > left_ns) {
		u32 at = coolest(pick);

		cost_ns -= pick->weights[at].cost_ns;
		kept -= pick->weights[at].samples;
		out += pick->weights[at].samples;
		leave_out(pick, at);
		if (kept >= PICK_MOST * out)
			*need_ns = cost_ns;
	}
	return pick->n && kept >= PICK_MOST * out;
}
