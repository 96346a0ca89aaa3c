/* SPDX-License-Identifier: MIT */
/*
 * waits.h - loads in loops for which a program waits.
 *
 * A load that misses the caches keeps its thread waiting, and the sample falls on the instruction behind it, or on the first that uses what was loaded. So where
 * one instruction of a loop has far more samples than the loop's others, and a load stands right in front of it or gives it what it needs, that load is delinquent.
 */
#ifndef DYNOPT_WAITS_H
#define DYNOPT_WAITS_H

#include "flow.h"

#define WAITS_SAMPLES 32 /* on one instruction, at least */
#define WAITS_TIMES 8 /* so many times those of the loop's other instructions in the mean */

struct wait {
	u64 load; /* module address of the load */
	u32 samples; /* that wait for it */
};

/* The load in [start, end), a function of proven text, that is waited for most. False: none. Deterministic. */
bool waits_find(const struct text *text, u64 start, u64 end, grow_heat_fn *heat, const void *ctx,
                void *decoder, struct wait *out);

#endif
