/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * align.c - the pass that keeps loops in few cache lines.
 *
 * Processors fetch by lines of 64 bytes, decoded instructions, too. Who goes round a loop of 40 bytes that begins in the middle of one
 * fetches two each time, and behind a branch that was predicted wrong waits for both: the search loop of zstd is 3 to 4 % of its
 * time (docs/runtime.md, "Translations in time"). This pass says which loops are worth it; the encoder, which knows their bytes, moves those
 * that need a line more where they fall. Who falls into such a loop executes the NOPs in front of it, once, who goes round never. A tree's own
 * head begins a line in any case.
 */
#include "layout.h"
#include "pass.h"

#define ROUNDS 4 /* at least, for each time that control comes into the loop */

static void add_back(const struct ir_edge *edge, u64 *back)
{
	if (edge->kind == EDGE_BACK)
		back[edge->block] += edge->flow;
}

enum status pass_align(struct pass *pass)
{
	struct ir_tree *tree = pass->tree;
	u64 *back = arena_alloc(pass->arena, tree->n_blocks, sizeof(*back));

	if (!back)
		return failed(pass->fail, STATUS_WORKSPACE, tree->head, pass->arena->size);
	for (u32 b = 0; b < tree->n_blocks; b++) {
		add_back(&tree->blocks[b].next, back);
		add_back(&tree->blocks[b].taken, back);
	}
	for (u32 b = 1; b < tree->n_blocks; b++) {
		struct ir_block *block = &tree->blocks[b];
		const struct ir_block *parent = &tree->blocks[block->parent];
		u64 in = layout_leads_to(&parent->next, b) ? parent->next.flow : parent->taken.flow;

		if (back[b] >= ROUNDS * in && back[b] && pass_may(pass))
			block->aligned = true;
	}
	return STATUS_OK;
}
