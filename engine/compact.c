/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * compact.c - see compact.h. Invariant: an edge that led to an empty block leads to where that block led, so that each block
 * still has one way in besides its back-edges.
 */
#include "compact.h"

/* Where an edge really leads: blocks that have nothing in them are passed through. */
static struct ir_edge resolve(const struct ir_tree *tree, struct ir_edge edge)
{
	for (u32 i = 0; i <= tree->n_blocks; i++) {
		bool inner = edge.kind == EDGE_CHILD || edge.kind == EDGE_BACK;
		const struct ir_edge *next = &tree->blocks[inner ? edge.block : 0].next;

		if (!inner || tree->blocks[edge.block].n)
			break;
		edge.target = next->target;
		edge.block = next->block;
		edge.state = next->state;
		edge.kind = edge.kind == EDGE_BACK && next->kind == EDGE_CHILD ? (u8)EDGE_BACK
		                                                               : next->kind;
	}
	return edge;
}

/* Numbers for the blocks that are reached, in order; IR_NO_PARENT for the others. Returns how many there are. */
static u32 number_blocks(struct ir_tree *tree, u32 *number)
{
	u32 n = 1;

	for (u32 b = 1; b < tree->n_blocks; b++)
		number[b] = IR_NO_PARENT;
	number[0] = 0;
	for (u32 b = 0; b < tree->n_blocks; b++) {
		for (u32 way = 0; way < 2 && number[b] != IR_NO_PARENT; way++) {
			struct ir_edge *edge = way ? &tree->blocks[b].taken : &tree->blocks[b].next;

			if (edge->kind != EDGE_CHILD)
				continue;
			number[edge->block] = n++;
			tree->blocks[edge->block].parent = b;
		}
	}
	return n;
}

/* False: it leads to a block that is not reached, round and round through empty ones. */
static bool renumber(struct ir_edge *edge, const u32 *number)
{
	if (edge->kind == EDGE_CHILD || edge->kind == EDGE_BACK) {
		edge->block = number[edge->block];
		return edge->block != IR_NO_PARENT;
	}
	return true;
}

enum status compact_blocks(struct pass *pass)
{
	struct ir_tree *tree = pass->tree;
	struct ir_block *blocks = arena_alloc(pass->arena, tree->n_blocks, sizeof(*blocks));
	u32 *number = arena_alloc(pass->arena, tree->n_blocks, sizeof(*number)), n;

	if (!blocks || !number)
		return failed(pass->fail, STATUS_WORKSPACE, tree->head, pass->arena->size);
	for (u32 b = 0; b < tree->n_blocks; b++) {
		tree->blocks[b].next = resolve(tree, tree->blocks[b].next);
		tree->blocks[b].taken = resolve(tree, tree->blocks[b].taken);
	}
	n = number_blocks(tree, number);
	for (u32 b = 0; b < tree->n_blocks; b++) {
		struct ir_block *block = &blocks[number[b]];

		if (number[b] == IR_NO_PARENT)
			continue;
		*block = tree->blocks[b];
		if (!renumber(&block->next, number) || !renumber(&block->taken, number))
			return failed(pass->fail, STATUS_IR_EDGE, block->start, b);
		if (b)
			block->parent = number[block->parent];
	}
	tree->blocks = blocks;
	tree->n_blocks = n;
	return STATUS_OK;
}

enum status compact_ops(struct pass *pass, const u8 *gone)
{
	struct ir_tree *tree = pass->tree;
	struct insn *ops = arena_alloc(pass->arena, tree->n_ops, sizeof(*ops));
	u16 *state = arena_alloc(pass->arena, tree->n_ops, sizeof(*state));
	u32 n = 0;

	if (!ops || !state)
		return failed(pass->fail, STATUS_WORKSPACE, tree->head, pass->arena->size);
	for (u32 b = 0; b < tree->n_blocks; b++) {
		struct ir_block *block = &tree->blocks[b];
		u32 first = n;

		for (u32 i = block->first; i < block->first + block->n; i++) {
			if (gone[i])
				continue;
			state[n] = tree->op_state ? tree->op_state[i] : 0;
			ops[n++] = tree->ops[i];
		}
		block->first = first;
		block->n = n - first;
	}
	tree->ops = ops;
	tree->op_state = tree->op_state ? state : NULL;
	tree->n_ops = n;
	return compact_blocks(pass);
}
