/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * unroll.c - the passes that have a whole loop stand twice.
 *
 * The way back that is taken most often leads to a copy of the loop. Unrolled, the copy's ways back lead to the head: what is there
 * already in the second half is not made again, and what waits need not be there in front of every way back. Peeled, they lead to the
 * copy: the first round stands apart, and what it has made of what the loop does not change is there in all others (same.c), which is how
 * work that does not change leaves a loop. Loops with others in them stay.
 */
#include "limits.h"
#include "loops.h"

/* Does a loop begin under its head? */
static bool has_inner(const struct ir_tree *tree, u32 head)
{
	bool under[LIMIT_TREE_BLOCKS] = { 0 };

	under[head] = true;
	for (u32 b = head + 1; b < tree->n_blocks; b++) {
		const struct ir_block *block = &tree->blocks[b];

		under[b] = under[block->parent];
		if (under[b] && ((block->next.kind == EDGE_BACK && block->next.block > head) ||
		                 (block->taken.kind == EDGE_BACK && block->taken.block > head)))
			return true;
	}
	return false;
}

/* `own`: is the copy a loop of its own? Else the two are one. */
static enum status copy_loops(struct pass *pass, bool own)
{
	struct ir_tree *tree = pass->tree;
	enum status status = loops_make_room(pass);

	for (u32 head = tree->n_blocks; !status && head-- > 0;) {
		struct loop_copy what = { .rest = LOOP_NONE, .own = own };
		struct loop loop;
		u64 freq = tree->blocks[head].freq;

		if (!loop_find(tree, head, &loop) || !loop.back || loop.back * 2 < freq ||
		    loop.back >= freq || has_inner(tree, head))
			continue;
		what.all = own ? freq - loop.back + loop.edge->flow : freq + loop.edge->flow;
		what.first = own ? freq - loop.back : freq;
		(void)loop_copy(pass, &loop, &what);
	}
	return status ? status : ir_verify(tree, pass->fail);
}

enum status pass_unroll(struct pass *pass)
{
	return copy_loops(pass, false);
}

enum status pass_peel(struct pass *pass)
{
	return copy_loops(pass, true);
}
