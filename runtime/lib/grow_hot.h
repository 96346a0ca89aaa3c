/* SPDX-License-Identifier: MIT */
/*
 * grow_hot.h - the tree of blocks from a site along the ways that samples say are taken.
 *
 * The way that is taken most goes first, until the tree is as large as it may be or what is left is rare. Calls are gone into, but for
 * those that are left from inside more often than going in saves. Deterministic.
 */
#ifndef DYNOPT_GROW_HOT_H
#define DYNOPT_GROW_HOT_H

#include "grow.h"

/* What is expected of a tree for each time it is entered, in GROW_ONE-ths. */
#define GROW_ONE 65536u
struct grow_sum {
	u64 insns; /* executed in it */
	u64 heads; /* executions of its first block: loops come back */
};
/* How often a tree is entered whose first block is executed `heads` times by itself (of flow.h's counts). */
u64 grow_entries(const struct grow_sum *sum, u64 heads);
/* The samples that fall into a tree whose first block is executed `heads` times by itself (of flow.h's counts). */
u64 grow_samples(const struct grow_sum *sum, u64 heads);

void grow_hot(struct flows *flows, u64 site, bool inline_calls, struct grown *out,
              struct grow_sum *sum);
/*
 * The same, of a site whose first block is executed `heads` times by itself; false: even if all calls were worth going into, fewer than `least` samples
 * would fall into it, and nothing is said of it.
 */
bool grow_warm(struct flows *flows, u64 site, bool inline_calls, u64 heads, u64 least,
               struct grown *out, struct grow_sum *sum);

#endif
