/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * rotate.c - the pass that has loops end with their test.
 *
 * A way back at the end of a block without a branch is a jump, executed each time round. Where the loop's first branch is copied there,
 * with all that leads to it, the branch leads back: to the block behind the first branch, which is the loop's head from then on. What was
 * in front of it is executed where control comes into the loop.
 */
#include "cost.h"
#include "loops.h"

#define LEAST_BACK (COST_ENTRY / 2) /* flow; a jump saved so seldom is not worth the code */

/* The block on the way to `from` behind the first branch on it; LOOP_NONE. */
static u32 behind_test(const struct ir_tree *tree, const struct loop *loop)
{
	u32 behind = LOOP_NONE;

	for (u32 b = loop->from; b != loop->head; b = tree->blocks[b].parent)
		if (tree->blocks[tree->blocks[b].parent].taken.kind != EDGE_NONE)
			behind = b;
	return behind;
}

enum status pass_rotate(struct pass *pass)
{
	struct ir_tree *tree = pass->tree;
	enum status status = loops_make_room(pass);

	for (u32 head = tree->n_blocks; !status && head-- > 0;) {
		struct loop_copy what = { .rest = LOOP_NONE };
		struct loop loop;

		if (!loop_find(tree, head, &loop) || loop.edge->flow < LEAST_BACK ||
		    tree->blocks[loop.from].taken.kind != EDGE_NONE)
			continue;
		what.rest = behind_test(tree, &loop);
		what.all = tree->blocks[head].freq;
		what.first = what.all > loop.edge->flow ? what.all - loop.edge->flow : 0;
		if (what.rest != LOOP_NONE &&
		    tree->blocks[what.rest].frame == tree->blocks[head].frame)
			(void)loop_copy(pass, &loop, &what);
	}
	return status ? status : ir_verify(tree, pass->fail);
}
