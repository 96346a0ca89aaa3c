/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * layout.h - which block stands behind which, and which way of a branch pays for a jump.
 *
 * Asked by the encoder, which does it, and by the cost model, which counts it: both see the same code.
 */
#ifndef DYNOPT_ENGINE_LAYOUT_H
#define DYNOPT_ENGINE_LAYOUT_H

#include "ir.h"

#define LAYOUT_NONE 0xffffffffu

static inline bool layout_leads_to(const struct ir_edge *edge, u32 block)
{
	return edge->kind == EDGE_CHILD && edge->block == block;
}

/* The block to stand behind this one: of two children the one that runs more often, else `next`; LAYOUT_NONE: none. */
u32 layout_follower(const struct ir_block *block);

/*
 * A conditional branch neither of whose ways follows: one way is the branch's, the other a jump's behind it. Is the branch
 * to be inverted, so that `taken` pays?
 */
bool layout_inverts(const struct ir_block *block);

#endif
