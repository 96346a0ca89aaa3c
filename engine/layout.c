/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * layout.c - see layout.h.
 */
#include "layout.h"

u32 layout_follower(const struct ir_block *block)
{
	bool next = block->next.kind == EDGE_CHILD, taken = block->taken.kind == EDGE_CHILD;

	if (next && taken)
		taken = block->taken.flow > block->next.flow;
	if (taken)
		return block->taken.block;
	return next ? block->next.block : LAYOUT_NONE;
}

bool layout_inverts(const struct ir_block *block)
{
	return block->next.flow > block->taken.flow;
}
