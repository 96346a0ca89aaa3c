/* SPDX-License-Identifier: MIT */
/*
 * cuts.h - what keeps the path out of trees: where trees end, and where there are none.
 */
#ifndef DYNOPT_PATHLAB_CUTS_H
#define DYNOPT_PATHLAB_CUTS_H

#include <stdio.h>
#include "forest.h"

/* clang-format off */
/* Exits of trees, executions by reason. */
#define CUTS(X) \
	X(cut_call_indirect) /* in front of a call through a pointer */ \
	X(cut_call_foreign)  /* of a call to no function of this module: PLT */ \
	X(cut_call_marks)    /* of a call that marks forbid to go into */ \
	X(cut_call_rules)    /* of a call that the rules leave: depth, recursion, left too often, no room */ \
	X(cut_system)        /* of a system call or trap */ \
	X(cut_unknown)       /* of an instruction that is not proven, has no model, or may not be inlined */ \
	X(leave_return)      /* behind a return of the function in which the tree began */ \
	X(leave_indirect)    /* behind an indirect jump */ \
	X(exit_branch)       /* by a way that is not in the tree */
/* Instructions executed in original text, by what the place they follow from lacks. */
#define OUTSIDE(X) \
	X(outside_unproven)  /* a proven boundary that control flow is seen to reach */ \
	X(outside_site)      /* an instruction that may be patched */ \
	X(outside_dropped)   /* a tree worth having */ \
	X(outside_before)    /* nothing: executed before its tree's site is reached, or the tree was left early */ \
	X(outside_small)     /* heat: under .least, or never a head */ \
	X(outside_file)      /* a file, or text that the engine accepts */
/* clang-format on */

struct cuts {
#define X(name) u64 name;
	CUTS(X) OUTSIDE(X)
#undef X
};

void cuts_sum(struct forest *f, struct cuts *cuts);
/* A line for each place where much is executed in original text: share, module, address, reason, how it is arrived at. */
void cuts_list(struct forest *f, FILE *out);

#endif
