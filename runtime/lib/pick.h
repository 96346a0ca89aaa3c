/* SPDX-License-Identifier: MIT */
/*
 * pick.h - which of a module's hot functions are looked at now.
 *
 *     hot functions, their samples, what is left of the agent's time -> the hottest, as many as that will do for
 *
 * Functions are judged together, and a look that leaves out most of what is hot judges what it has too low: it waits instead.
 */
#ifndef DYNOPT_PICK_H
#define DYNOPT_PICK_H

#include "batch.h"

#define PICK_RANGES 256u /* functions in one batch */
#define PICK_MOST 2 /* times the samples of the functions that are left for later, at least */

struct pick {
	struct batch_range ranges[PICK_RANGES]; /* ascending */
	struct pick_weight {
		u64 samples, cost_ns;
	} weights[PICK_RANGES];
	u32 n;
	u64 unknown; /* samples in no known function */
};

/* A function in which `hits` addresses have samples; false: there is no room. */
bool pick_add(struct pick *pick, struct batch_range range, u64 samples, u32 hits);
/* What pick_afford() will want of functions of which no more is known than that they have so many such addresses, in all. */
u64 pick_guess(u32 hits);
/* What a look at all of them takes. */
u64 pick_cost(const struct pick *pick);
/* Leaves out the coolest until the others' look takes left_ns at most; false: that is too few of them, or there are none. *need_ns: what would do, at most. */
bool pick_afford(struct pick *pick, u64 left_ns, u64 *need_ns);

#endif
