/* SPDX-License-Identifier: MIT */
/*
 * ways.c - see ways.h.
 */
#include "ways.h"

#define WALK_BYTES 8000u /* of code, that one goes through: 2,000 instructions (walker.c) */

u32 ways_walks(const struct runs *runs)
{
	u64 bytes = 0;
	u32 at = 0;

	for (const struct run *run; (run = runs_next(runs, &at));)
		bytes += run->start && run->last > run->start ? (run->last - run->start) * run->n
		                                              : 0;
	return bytes < (u64)WAYS_WALKS * WALK_BYTES ? (u32)(bytes / WALK_BYTES) : WAYS_WALKS;
}

/* Before samples of this run ask for more. */
static u64 wanted_anyway(const struct ways *ways)
{
	u64 told = ways->told_samples / WAYS_ONE_OF;

	if (!ways->told || told > WAYS_WALKS)
		return WAYS_WALKS;
	return told > WAYS_TOLD ? told : WAYS_TOLD;
}

u32 ways_due(const struct ways *ways)
{
	u64 all = wanted_anyway(ways);
	u64 wanted =
		(all > ways->told_walks ? all - ways->told_walks : 0) + ways->samples / WAYS_ONE_OF;
	u64 n = wanted > ways->walks ? wanted - ways->walks : 0;

	return n < WAYS_LEAST ? 0 : n < WAYS_MOST ? (u32)n : WAYS_MOST;
}

bool ways_known(const struct ways *ways, u64 samples, u64 walks, u32 part)
{
	u64 enough = ways->told ? WAYS_TOLD / 2 : WAYS_WALKS;

	return (ways->told && ways->told_samples >= WAYS_TOLD_SAMPLES) ||
	       ways->told_walks + walks >= enough / part || samples >= WAYS_SAMPLES / part;
}
