/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * owe.h - work that a pass lets wait: what is owed where, and how that is written into a tree.
 *
 * A pass marks, for each instruction that waits (an item), in front of which instructions it is owed, in front of which it is done,
 * and on which ways out. owe_write() leaves the instructions out, puts copies where they are done, and gives every instruction and
 * every way out a state that says what is owed there.
 */
#ifndef DYNOPT_ENGINE_OWE_H
#define DYNOPT_ENGINE_OWE_H

#include "pass.h"

#define OWE_MOST 64 /* items: a bit each */

struct owe_item {
	struct ir_pending pending;
	u32 op; /* in tree.ops */
};

struct owe {
	struct pass *pass;
	struct owe_item *items; /* OWE_MOST */
	u32 n;
	u64 *owed; /* op: items owed in front of it */
	u64 *done; /* op: items done in front of it, the last item first */
	u64 *next, *taken; /* block: owed on its ways out */
	u8 *gone; /* op: is left out */
};

/* False: no room. */
__must_check bool owe_init(struct owe *owe, struct pass *pass);
/* Results come first in a state, all else comes last. */
__must_check enum status owe_write(struct owe *owe);

#endif
