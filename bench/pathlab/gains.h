/* SPDX-License-Identifier: MIT */
/*
 * gains.h - what passes could still save in trees: executions of instructions, by kind of saving and by the rule for
 * memory that allows it.
 *
 * These are bounds from looking at single instructions on the paths of a tree, not results of a pass: two kinds may
 * claim the same instruction, and where a register is needed to keep a value, it is taken to be free unless said
 * otherwise. What leaves the tree needs everything, but what the ABI calls dead at a return.
 */
#ifndef DYNOPT_PATHLAB_GAINS_H
#define DYNOPT_PATHLAB_GAINS_H

#include "forest.h"

#define GAINS(X) \
	X(pushes_inlined) /* callee-saved registers saved and restored in inlined calls, both ends on the path */ \
	X(pushes_unused) /* of these: the register is not written in between */ \
	X(pushes_root) /* the same in the function in which the tree begins */ \
	X(dead) /* results that nobody reads on any way */ \
	X(sinkable) /* results that only colder ways read: executions on the others */ \
	X(copies) /* register moves whose readers could read the source */ \
	X(tests_known) /* compare and branch whose outcome the path has seen already */ \
	X(loads_private) /* loads of a value that a register holds: stack slots */ \
	X(loads_plain) /* the same, data-race-free memory of functions marked PLAIN */ \
	X(loads_ordered) /* the same, own stores only, no load in between: any memory */ \
	X(loads_unproved) /* the same as loads_plain in functions without the mark: not allowed */ \
	X(gone_private) /* of these loads: into the very register that holds the value */ \
	X(gone_plain) \
	X(gone_ordered) \
	X(moves) \
	X(pushes) X(stack_accesses) X(all_loads) X(all_stores) \
		X(compares) /* for comparison: all there are */

struct gains {
#define X(name) u64 name;
	GAINS(X)
#undef X
};

void gains_sum(const struct forest *f, struct gains *gains);

#endif
