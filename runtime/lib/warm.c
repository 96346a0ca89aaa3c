/* SPDX-License-Identifier: MIT */
/*
 * warm.c - see warm.h.
 */
#include "warm.h"

#define HEADS (TEXT_FUNCTION | TEXT_LOOP | TEXT_RETURN)
#define WARM 8 /* samples that a translation would have taken over */
#define WARM_THOROUGH 2
#define WARMER 2 /* powers of 2 */
#define LONG 128 /* instructions of a path; what loops on it add is theirs, who are heads, too */
#define ENTRIES_UNIT 256 /* of flow.h's counts, in traces */
#define ARRIVALS \
	8 /* one of so many executions, at least: others come from the block in front, which begins a path as well */

bool warm_may_begin(u16 marks)
{
	return (marks & TEXT_INSN) && (marks & TEXT_REACHED) &&
	       !(marks & (TEXT_NO_PATCH | TEXT_NO_TRANSLATE));
}

bool warm_is_head(u16 marks)
{
	return warm_may_begin(marks) && (marks & HEADS);
}

/* How often control comes to a block, and from where it may not have been in a path that began further in front. */
static u64 arrivals_at(const struct flows *flows, const struct flow_block *block)
{
	u16 marks = text_marks(flows->text, block->start);

	return marks & (TEXT_LOOP | TEXT_RETURN) ? block->count : block->outside;
}

static u64 least(const struct flows *flows)
{
	return flows->thorough ? WARM_THOROUGH : WARM;
}

/* How many samples would have been in a translation that begins here; if that is enough, its tree is kept. */
static u64 warmth(struct flows *flows, u64 addr, bool inline_calls)
{
	const struct flow_block *block = flow_block_of(flows, addr, NULL);
	struct grown grown;
	struct grow_sum sum;
	u64 arrivals, n;

	if (!block || block->start != addr)
		return 0;
	arrivals = arrivals_at(flows, block);
	if (arrivals < least(flows) * FLOW_ONE / LONG || arrivals < block->count / ARRIVALS)
		return 0;
	if (!grow_warm(flows, addr, inline_calls, arrivals, least(flows), &grown, &sum))
		return 0;
	n = grow_samples(&sum, arrivals);
	if (n >= least(flows))
		trees_keep(flows, addr, inline_calls, &grown, &sum);
	return n;
}

bool warm_enough(struct flows *flows, u64 addr, bool inline_calls)
{
	return warmth(flows, addr, inline_calls) >= least(flows);
}

bool warm_again(struct flows *flows, u64 addr, bool inline_calls, u8 *judged)
{
	u64 n = warmth(flows, addr, inline_calls);
	u8 level = n ? (u8)(64 - __builtin_clzll(n)) : 0;

	if (n < WARM || (*judged && level < *judged + WARMER))
		return false;
	*judged = level;
	return true;
}

void warm_grow(struct flows *flows, u64 site, bool inline_calls, struct grown *out)
{
	const struct flow_block *block;
	struct grow_sum sum;
	u64 entries;

	if (!trees_find(flows, site, inline_calls, out, &sum)) {
		grow_hot(flows, site, inline_calls, out, &sum);
		trees_keep(flows, site, inline_calls, out, &sum);
	}
	block = flow_block_of(flows, site, NULL);
	entries = block ? grow_entries(&sum, arrivals_at(flows, block)) / ENTRIES_UNIT : 0;
	out->trace.entries = entries < 0xffffffffu ? (u32)entries : 0xffffffffu;
}
