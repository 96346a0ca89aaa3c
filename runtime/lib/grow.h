/* SPDX-License-Identifier: MIT */
/*
 * grow.h - a trace without a profile: the tree of blocks that follow from a site.
 *
 * Breadth first, both ways of a branch, until the budgets below; a way that leads to another site ends
 * there, for that site has a translation of its own to which the exit will be linked. Deterministic.
 */
#ifndef DYNOPT_GROW_H
#define DYNOPT_GROW_H

#include "text.h"
#include "trace.h"

#define GROW_BLOCKS 24
#define GROW_INSNS 160

struct grown {
	struct trace trace;
	struct trace_block blocks[GROW_BLOCKS];
};

/* Is there a translation that starts at addr? */
typedef bool grow_site_fn(const void *ctx, u64 addr);

void grow_trace(const struct text *text, u64 site, grow_site_fn *is_site, const void *ctx,
                void *decode_scratch, struct grown *out);

#endif
