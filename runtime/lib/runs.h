/* SPDX-License-Identifier: MIT */
/*
 * runs.h - which ways control has been seen to go: straight on from one address to another, and then to a third.
 *
 *     branch stacks, walks -> runs -> how often each branch was taken
 *
 * A table; when it is full, all counts are halved and what falls to nothing makes room. All zero is an empty one.
 */
#ifndef DYNOPT_RUNS_H
#define DYNOPT_RUNS_H

#include "port.h"

#define RUNS_MAX 16383u
#define RUNS_LISTS 4096u /* a power of 2 */

struct run {
	u64 start; /* where control came to; 0: not known */
	u64 last; /* the instruction from which it went elsewhere, or with `to` 0: that it has reached */
	u64 to; /* where that led to; 0: not known */
	u32 n; /* times */
	u16 next; /* in its list, or among free ones: index and 1; 0: none */
};

struct runs {
	struct run at[RUNS_MAX];
	u16 lists[RUNS_LISTS]; /* by where `last` is */
	u16 free;
	u32 touched; /* of at[], from its start; the rest was never used */
};

void runs_add(struct runs *runs, u64 start, u64 last, u64 to, u32 n);
/* What a processor keeps of the last branches before `ip`, newest first; addresses that are 0 are not known. */
struct perf_branch;
void runs_add_stack(struct runs *runs, const struct perf_branch *branches, u32 n, u64 ip);
/* The next one in no order, from *at on, which begins as 0; NULL: that was all. */
const struct run *runs_next(const struct runs *runs, u32 *at);
/* Those whose `last` is in [from, to). */
void runs_each(const struct runs *runs, u64 from, u64 to,
               void (*each)(void *ctx, const struct run *run), void *ctx);

#endif
