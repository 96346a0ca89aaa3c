/* SPDX-License-Identifier: MIT */
/*
 * walks.h - from where the agent walks (walker.h), and when.
 *
 *     a thread that stands still (still.h), or a sample's registers -> a walk -> runs
 */
#ifndef DYNOPT_WALKS_H
#define DYNOPT_WALKS_H

#include "perf_record.h"
#include "runs.h"

/* What there is for walks at one time. */
struct walks_plan {
	int tid; /* of a thread in whose way something is to be learned */
	u32 n; /* walks */
	u64 until_ns; /* CPU time of the agent's */
};

/* Is anything to be learned from code that lies at rip? Not of a module that is not read: it may never be. */
bool walks_from(u64 rip);
/* Before those of one time. */
void walks_begin(void);
/* As many as are planned, as long as the thread runs and nobody asks the agent for anything. */
void walks_make(const struct walks_plan *plan, struct runs *runs);
/* One from a sample that has registers; the program has gone on since. */
void walks_from_sample(const struct perf_sample *sample, struct runs *runs);

#endif
