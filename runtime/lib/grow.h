/* SPDX-License-Identifier: MIT */
/*
 * grow.h - the tree of blocks that follow from a site, where nothing is known of what is executed (with samples: grow_hot.h).
 *
 * Breadth first, both ways of a branch, until the budgets below; a way that leads to another site ends
 * there, for that site has a translation of its own to which the exit will be linked. A direct call of a small function goes on in it
 * and behind it; in there sites do not count, for leaving such a frame is dear. Deterministic.
 */
#ifndef DYNOPT_GROW_H
#define DYNOPT_GROW_H

#include "flow.h"
#include "text.h"
#include "trace.h"

#define GROW_BLOCKS 64 /* with samples, and without; docs/gains.md, "Limits" */
#define GROW_BLOCKS_BLIND 40
#define GROW_INSNS 512
#define GROW_INSNS_BLIND 200
/* Functions that are gone into: how long from their entry to a return, and how deep in one another. */
#define GROW_CALLEE_INSNS 32
#define GROW_DEPTH 3

struct grown {
	struct trace trace;
	struct trace_block blocks[GROW_BLOCKS];
};

/* Is there a translation that starts at addr? */
typedef bool grow_site_fn(const void *ctx, u64 addr);
struct grow_rules {
	bool inline_calls;
	grow_site_fn *is_site;
	const void *ctx;
};

void grow_trace(const struct text *text, u64 site, const struct grow_rules *rules,
                void *decode_scratch, struct grown *out);

#endif
