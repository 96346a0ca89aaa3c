/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * straight.c - the pass that leaves out what does nothing but lead on.
 *
 * Direct jumps: the block's edge says where they lead, and the encoder adds a jump where it has to; a branch to a jump becomes a
 * branch to its target. NOPs: loop heads are aligned by them, and those on a path are executed; endbr64 is for indirect
 * branches, of which none leads into a translation. pause and prefetches are no NOPs.
 */
#include "compact.h"

/* Behind 66 the target has 16 bits for some processors: the encoder refuses what it cannot make anew. */
static bool is_jump(const struct insn *insn)
{
	for (u32 i = 0; i < insn->opcode_at; i++)
		if (insn->bytes[i] == 0x66)
			return false;
	return insn->role == ROLE_JMP;
}

/* A jump out or back is made by the encoder in any case: with others in its block it may as well stand for itself. */
static bool is_needless(const struct ir_block *block, const struct insn *insn, bool alone)
{
	return (insn->flags & INSN_NOP) ||
	       (is_jump(insn) && (alone || block->next.kind == EDGE_CHILD));
}

static bool all_gone(const struct ir_block *block, const u8 *gone)
{
	for (u32 i = block->first; i < block->first + block->n; i++)
		if (!gone[i])
			return false;
	return true;
}

/* Must block b keep its last instruction? In a loop of nothing else one has to stay. Heads come before what leads back to them. */
static bool keeps_last(const struct ir_tree *tree, u32 b, const u8 *gone)
{
	const struct ir_block *block = &tree->blocks[b];

	if (block->next.kind != EDGE_BACK)
		return false;
	if (block->next.block != b)
		return all_gone(&tree->blocks[block->next.block], gone);
	for (u32 i = block->first; i < block->first + block->n; i++)
		if (!is_needless(block, &tree->ops[i], true))
			return false;
	return true;
}

enum status pass_straight(struct pass *pass)
{
	struct ir_tree *tree = pass->tree;
	u8 *gone = arena_alloc(pass->arena, tree->n_ops, 1);

	if (!gone)
		return failed(pass->fail, STATUS_WORKSPACE, tree->head, pass->arena->size);
	for (u32 b = 0; b < tree->n_blocks; b++) {
		const struct ir_block *block = &tree->blocks[b];
		u32 end = block->first + block->n - keeps_last(tree, b, gone);
		bool alone = true;

		for (u32 i = block->first; i < end; i++) {
			gone[i] = is_needless(block, &tree->ops[i], alone) && pass_may(pass);
			alone &= gone[i];
		}
	}
	return compact_ops(pass, gone);
}
