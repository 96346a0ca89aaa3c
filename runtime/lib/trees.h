/* SPDX-License-Identifier: MIT */
/*
 * trees.h - trees that were grown from samples, kept as long as the flows that they follow from.
 *
 * A head's tree says whether it is warm, then what its translation saves, then it is what is translated: it is grown once. What is kept
 * lies in the flows' arena, and is forgotten where they are released.
 */
#ifndef DYNOPT_TREES_H
#define DYNOPT_TREES_H

#include "arena.h"

#define TREES_LISTS 256u /* a power of 2 */
#define TREES_MOST 1024u

struct flows;
struct grown;
struct grow_sum;

/* All zero: none. */
struct trees {
	struct tree_kept *lists[TREES_LISTS]; /* by site, the last ones first */
	u32 n;
};

/* Nothing is kept where there is no room, or one of the site is kept already. */
void trees_keep(struct flows *flows, u64 site, bool inline_calls, const struct grown *grown,
                const struct grow_sum *sum);
/* False: there is none. */
bool trees_find(const struct flows *flows, u64 site, bool inline_calls, struct grown *out,
                struct grow_sum *sum);
/* Forgets those that were kept since the arena was at `mark`. */
void trees_release(struct trees *trees, const struct arena *arena, u64 mark);

#endif
