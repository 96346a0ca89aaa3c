/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * align.c - the pass that has loops begin where the processor fetches.
 *
 * A loop that is small and goes round often is placed so that its head's first byte is the first of CACHE_ALIGN. What is filled up is
 * executed by who falls into the loop, once, and never by who goes round. The tree's own head stands so in any case.
 */
#include "cache.h"
#include "layout.h"
#include "limits.h"
#include "pass.h"

#define ROUNDS 64 /* at least, for each time that control comes into the loop */

static void add_back(const struct ir_edge *edge, u64 *back)
{
	if (edge->kind == EDGE_BACK)
		back[edge->block] += edge->flow;
}

static bool stays(const struct ir_edge *edge, u32 head, const u8 *in_loop)
{
	return edge->kind == EDGE_BACK ? edge->block == head
	                               : edge->kind == EDGE_CHILD && in_loop[edge->block];
}

/* Bytes of the blocks from which control comes back to the head; children stand behind their parents. */
static u32 loop_bytes(const struct ir_tree *tree, u32 head, u8 *in_loop)
{
	u32 bytes = 0;

	memset(in_loop, 0, tree->n_blocks);
	for (u32 b = tree->n_blocks; b-- > head;) {
		const struct ir_block *block = &tree->blocks[b];

		in_loop[b] = stays(&block->next, head, in_loop) ||
		             stays(&block->taken, head, in_loop);
		for (u32 i = 0; in_loop[b] && i < block->n; i++) {
			const struct insn *insn = &tree->ops[block->first + i];

			bytes += insn->role == ROLE_JCC ? JCC_REL32_LEN : insn->len;
		}
	}
	return bytes;
}

enum status pass_align(struct pass *pass)
{
	struct ir_tree *tree = pass->tree;
	u64 *back = arena_alloc(pass->arena, tree->n_blocks, sizeof(*back));
	u8 *in_loop = arena_alloc(pass->arena, tree->n_blocks, 1);

	if (!back || !in_loop)
		return failed(pass->fail, STATUS_WORKSPACE, tree->head, pass->arena->size);
	for (u32 b = 0; b < tree->n_blocks; b++) {
		add_back(&tree->blocks[b].next, back);
		add_back(&tree->blocks[b].taken, back);
	}
	for (u32 b = 1; b < tree->n_blocks; b++) {
		struct ir_block *block = &tree->blocks[b];
		const struct ir_block *parent = &tree->blocks[block->parent];
		u64 in = layout_leads_to(&parent->next, b) ? parent->next.flow : parent->taken.flow;

		if (back[b] >= ROUNDS * in && back[b] &&
		    loop_bytes(tree, b, in_loop) <= LIMIT_ALIGN_LOOP && pass_may(pass))
			block->align = CACHE_ALIGN;
	}
	return STATUS_OK;
}
