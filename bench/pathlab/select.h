/* SPDX-License-Identifier: MIT */
/*
 * select.h - which trees a path deserves: heads, and what of a grown tree is kept.
 *
 * Rounds: places where much is still executed in original text become heads (loops in the first round, then also
 * functions, places behind calls, targets of indirect jumps, exits of trees), their trees grow, and are cut to
 * the rules' limits, hottest nodes first. In the end trees that are not worth having go.
 */
#ifndef DYNOPT_PATHLAB_SELECT_H
#define DYNOPT_PATHLAB_SELECT_H

#include "forest.h"

/* Ends with a walk, so that all counts are those of the trees that are left. */
void select_trees(struct forest *f);
/* Cuts one grown tree to its best part. False: nothing is left. */
bool select_nodes(struct forest *f, struct tree *tree);

/* Instructions executed by who leaves through a stub inside so many inlined calls (engine/stub.c). */
static inline u32 stub_insns_inside(u32 depth)
{
	return 6 + 4 * depth;
}

#endif
