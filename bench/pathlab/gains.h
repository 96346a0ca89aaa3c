/* SPDX-License-Identifier: MIT */
/*
 * gains.h - what passes could still save in trees: executions of instructions, by kind of saving and by the rule for
 * memory that allows it.
 *
 * These are bounds from looking at single instructions on the paths of a tree, not results of a pass: two kinds may
 * claim the same instruction. What leaves the tree needs everything, but what the ABI calls dead at a return.
 */
#ifndef DYNOPT_PATHLAB_GAINS_H
#define DYNOPT_PATHLAB_GAINS_H

#include "forest.h"

/* clang-format off */
#define GAINS(X) \
	X(pushes_inlined)  /* saves and restores of callee-saved registers in inlined calls, both on the path */ \
	X(pushes_unused)   /* of these: the register is not written in between */ \
	X(pushes_root)     /* the same in the function in which the tree begins */ \
	X(dead)            /* results that nobody reads on any way */ \
	X(sinkable)        /* results that only some ways read: executions on the others */ \
	X(copies)          /* register moves whose readers could read the source */ \
	X(tests_known)     /* compare and branch whose outcome the path has seen already */ \
	X(loads_private)   /* loads of a value that a register holds: stack slots */ \
	X(loads_plain)     /* the same, data-race-free memory of functions marked PLAIN */ \
	X(loads_ordered)   /* the same, own stores only, no load in between: any memory */ \
	X(loads_unproved)  /* the same as loads_plain in functions without the mark: not allowed */ \
	X(again_private)   /* loads of what the path has loaded or stored before, but no register holds any more */ \
	X(again_plain) \
	X(again_ordered) \
	X(invariant)       /* loads of private slots that a tree with a loop never writes, but for one an entry */ \
	X(gone_private)    /* of loads_...: into the very register that holds the value */ \
	X(gone_plain) \
	X(gone_ordered) \
	/* for comparison: all there are */ \
	X(moves) X(pushes) X(stack_accesses) X(private_accesses) X(plain_accesses) X(all_loads) X(all_stores) X(compares)
/* clang-format on */

struct gains {
#define X(name) u64 name;
	GAINS(X)
#undef X
};

void gains_sum(const struct forest *f, struct gains *gains);

#endif
