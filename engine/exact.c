/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * exact.c - translations for where nobody makes good what is owed: with no library in the program, and in pages that many
 * processes share.
 *
 * Invariant: no state but the exact one, at any instruction, and no address of a process. So passes that owe something
 * are left out, whatever passes there will be, jumps through tables have no shadows, and trees end in front of calls: what a call
 * leads to is taken out of the trace, for without pass_frames() a call cannot be in a translation.
 */
#include "translate.h"

#define WITHOUT (~(1u << PASS_rotate | 1u << PASS_same | 1u << PASS_known | 1u << PASS_straight))

/* The blocks of frame 0 that no block of another frame stands in front of. */
static enum status cut_calls(const struct text *text, struct trace *trace, struct arena *arena,
                             struct failure *fail)
{
	struct trace_block *blocks;
	struct ir_tree tree;
	u32 *number, n = 0;
	enum status status = lift_trace(text, trace, arena, &tree, fail);

	if (status || tree.n_frames <= 1)
		return status;
	blocks = arena_alloc(arena, tree.n_blocks, sizeof(*blocks));
	number = arena_alloc(arena, tree.n_blocks, sizeof(*number));
	if (!blocks || !number)
		return failed(fail, STATUS_WORKSPACE, tree.head, arena->size);
	for (u32 i = 0; i < tree.n_blocks; i++) {
		const struct ir_block *block = &tree.blocks[i];
		bool root = block->parent == IR_NO_PARENT;

		number[i] = IR_NO_PARENT;
		if (block->frame || (!root && number[block->parent] == IR_NO_PARENT))
			continue;
		blocks[n] = (struct trace_block){ block->start,
			                          root ? TRACE_NO_PARENT : number[block->parent],
			                          block->weight, block->branch };
		number[i] = n++;
	}
	*trace = (struct trace){ blocks, n, trace->entries };
	return STATUS_OK;
}

enum status translate_exact(const struct text *text, const struct trace *trace, struct arena *arena,
                            struct code *code, struct failure *fail)
{
	static const struct translate_options options = { WITHOUT, 0xffffffffu, true };
	u64 before = arena_mark(arena);
	struct trace cut = *trace;
	enum status status = cut_calls(text, &cut, arena, fail);

	if (!status)
		status = translate_with(text, &cut, &options, arena, code, fail);
	if (status)
		arena_release(arena, before);
	return status;
}
