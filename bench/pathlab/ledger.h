/* SPDX-License-Identifier: MIT */
/*
 * ledger.h - instructions that translations save and add as the engine writes them today: lift, frames, encode, stubs,
 * hops and links, and nothing else. What is counted here, callgrind can count too (docs/gains.md).
 */
#ifndef DYNOPT_PATHLAB_LEDGER_H
#define DYNOPT_PATHLAB_LEDGER_H

#include "forest.h"

/* X(name): executed instructions saved, in the order of the table. */
#define LEDGER_SAVED(X) \
	X(nops) \
	X(jumps)     /* direct jumps whose target follows */ \
	X(calls)     /* calls and returns that are gone */ \
	X(rsp_moves) /* sub and add rsp in inlined calls */ \
	X(tables)    /* distances that jumps through tables need not add */
/* Executed instructions added. */
#define LEDGER_ADDED(X) \
	X(added_jumps) /* at ends of nodes, as encode.c lays them out */ \
	X(stubs)       /* on the way out of inlined calls */ \
	X(rsp_leas)    /* around calls that need more than the red zone */ \
	X(hops)        /* on the way in */

struct ledger {
#define X(name) u64 name;
	LEDGER_SAVED(X)
	LEDGER_ADDED(X)
#undef X
	u64 insns, inside; /* executed by the original; of these in trees */
	u64 entries, exits, linked; /* of trees; exits that led to another tree directly */
	u64 stub_exits;
};

void ledger_sum(const struct forest *f, struct ledger *sum);
/* Adds what one tree saves and adds, the way into it included. */
void ledger_add(const struct forest *f, const struct tree *tree, struct ledger *sum);
/* Instructions saved, and added. */
u64 ledger_saved(const struct ledger *sum);
u64 ledger_added(const struct ledger *sum);
/* Executed instructions with translations. */
u64 ledger_translated(const struct ledger *sum);
/* The child that follows a node in the code, as encode.c chooses it; NO_NODE. */
u32 ledger_follower(const struct node *node);

#endif
