/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * ir_verify.c - are the invariants of ir.h kept?
 *
 * Runs behind lift and behind every pass; what it lets through, the encoder need not doubt.
 * Nothing is taken for granted but the array bounds n_blocks and n_ops.
 */
#include "ir.h"

/* What a block's last instruction asks of its edges. */
struct shape {
	bool next, taken; /* does control go on this way? */
	bool valid; /* may it be in a tree at all? */
};
static const struct shape shapes[] = {
	[ROLE_PLAIN] = { .next = true, .valid = true },
	[ROLE_JMP] = { .next = true, .valid = true },
	[ROLE_JCC] = { .next = true, .taken = true, .valid = true },
	[ROLE_COUNT] = { .next = true, .taken = true, .valid = true },
	[ROLE_CALL] = { .next = true, .valid = true },
	[ROLE_CALL_INDIRECT] = { 0 },
	[ROLE_JMP_INDIRECT] = { .valid = true },
	[ROLE_RET] = { .valid = true },
	[ROLE_SYSCALL] = { 0 },
	[ROLE_TRAP] = { 0 },
	[ROLE_SYSTEM] = { 0 },
};

static enum status bad(const struct ir_tree *tree, u32 block, enum status status,
                       struct failure *fail)
{
	return failed(fail, status, tree->blocks[block].start, block);
}

static bool is_ancestor(const struct ir_tree *tree, u32 ancestor, u32 block)
{
	while (block != ancestor && block && tree->blocks[block].parent < block)
		block = tree->blocks[block].parent;
	return block == ancestor;
}

static bool leads_to(const struct ir_edge *edge, u32 block)
{
	return edge->kind == EDGE_CHILD && edge->block == block;
}

/*
 * Parents precede, and one edge of the parent alone leads here; other blocks' edges are checked
 * by edge_valid().
 */
static bool family_valid(const struct ir_tree *tree, u32 b)
{
	const struct ir_block *block = &tree->blocks[b], *parent;

	if (b == 0)
		return block->parent == IR_NO_PARENT;
	if (block->parent >= b)
		return false;
	parent = &tree->blocks[block->parent];
	return leads_to(&parent->next, b) != leads_to(&parent->taken, b);
}

/* The frame in which control goes on behind a block. */
static u32 frame_behind(const struct ir_tree *tree, u32 b)
{
	const struct ir_block *block = &tree->blocks[b];
	const struct insn *last = &tree->ops[block->first + block->n - 1];

	return last->role == ROLE_RET && block->frame ? tree->frames[block->frame].parent
	                                              : block->frame;
}

/* Frames nest, and a block is in its parent's but behind a call or a return. */
static bool frame_valid(const struct ir_tree *tree, u32 b)
{
	const struct ir_block *block = &tree->blocks[b], *parent;
	const struct insn *last;

	if (b == 0)
		return block->frame == 0;
	if (block->frame &&
	    (block->frame >= tree->n_frames || tree->frames[block->frame].parent >= block->frame))
		return false;
	parent = &tree->blocks[block->parent];
	last = &tree->ops[parent->first + parent->n - 1];
	if (last->role == ROLE_CALL)
		return block->frame && tree->frames[block->frame].parent == parent->frame &&
		       tree->frames[block->frame].call == last->addr &&
		       tree->frames[block->frame].ret == last->addr + last->len;
	return block->frame == frame_behind(tree, block->parent);
}

static bool edge_valid(const struct ir_tree *tree, u32 from, const struct ir_edge *edge)
{
	switch (edge->kind) {
	case EDGE_NONE:
		return !edge->target && !edge->block;
	case EDGE_EXIT:
		return !edge->block;
	case EDGE_CHILD:
		return edge->block < tree->n_blocks && tree->blocks[edge->block].parent == from &&
		       tree->blocks[edge->block].start == edge->target;
	case EDGE_BACK:
		return edge->block < tree->n_blocks && is_ancestor(tree, edge->block, from) &&
		       tree->blocks[edge->block].start == edge->target &&
		       tree->blocks[edge->block].frame == frame_behind(tree, from);
	default:
		return false;
	}
}

static enum status check_order(const struct ir_tree *tree, u32 b, u32 first, struct failure *fail)
{
	const struct ir_block *block = &tree->blocks[b];
	u64 addr = block->start;

	if (block->first != first || block->n == 0 || block->n > tree->n_ops - first)
		return bad(tree, b, STATUS_IR_ORDER, fail);
	for (u32 i = 0; i < block->n; i++) {
		const struct insn *insn = &tree->ops[first + i];

		if (insn->addr != addr || insn->len == 0 || insn->len > INSN_MAX_LEN)
			return bad(tree, b, STATUS_IR_ORDER, fail);
		addr += insn->len;
	}
	return STATUS_OK;
}

static enum status check_terminator(const struct ir_tree *tree, u32 b, struct failure *fail)
{
	const struct ir_block *block = &tree->blocks[b];
	const struct insn *last = &tree->ops[block->first + block->n - 1];
	const struct shape *shape;
	bool inlined_ret = last->role == ROLE_RET && block->frame;
	u64 next;

	for (const struct insn *insn = &tree->ops[block->first]; insn < last; insn++) {
		if (insn->role != ROLE_PLAIN)
			return bad(tree, b, STATUS_IR_TERMINATOR, fail);
	}
	if (last->role > ROLE_SYSTEM || !shapes[last->role].valid)
		return bad(tree, b, STATUS_IR_TERMINATOR, fail);
	shape = &shapes[last->role];
	if ((shape->next || inlined_ret) != (block->next.kind != EDGE_NONE) ||
	    shape->taken != (block->taken.kind != EDGE_NONE))
		return bad(tree, b, STATUS_IR_TERMINATOR, fail);
	next = last->role == ROLE_JMP || last->role == ROLE_CALL ? last->target
	       : inlined_ret                                     ? tree->frames[block->frame].ret
	                                                         : last->addr + last->len;
	if (((shape->next || inlined_ret) && block->next.target != next) ||
	    (shape->taken && block->taken.target != last->target))
		return bad(tree, b, STATUS_IR_TERMINATOR, fail);
	return STATUS_OK;
}

enum status ir_verify(const struct ir_tree *tree, struct failure *fail)
{
	enum status status;
	u32 first = 0;

	if (!tree->n_blocks)
		return failed(fail, STATUS_IR_BLOCK, tree->head, 0);
	if (tree->head != tree->blocks[0].start)
		return bad(tree, 0, STATUS_IR_BLOCK, fail);
	for (u32 b = 0; b < tree->n_blocks; b++) {
		const struct ir_block *block = &tree->blocks[b];

		if (!family_valid(tree, b))
			return bad(tree, b, STATUS_IR_BLOCK, fail);
		status = check_order(tree, b, first, fail);
		if (status)
			return status;
		if (!frame_valid(tree, b))
			return bad(tree, b, STATUS_IR_BLOCK, fail);
		if (!edge_valid(tree, b, &block->next) || !edge_valid(tree, b, &block->taken))
			return bad(tree, b, STATUS_IR_EDGE, fail);
		status = check_terminator(tree, b, fail);
		if (status)
			return status;
		first += block->n;
	}
	if (first != tree->n_ops)
		return bad(tree, tree->n_blocks - 1, STATUS_IR_ORDER, fail);
	return STATUS_OK;
}
