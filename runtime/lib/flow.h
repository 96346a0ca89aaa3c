/* SPDX-License-Identifier: MIT */
/*
 * flow.h - from samples at instructions to how often a function's blocks and branches are executed.
 *
 *     samples -> samples for each instruction of a block -> counts that obey the flow of control
 *
 * What samples say of single blocks is noisy and contradicts itself: what comes into a block must go out of it. Counts of blocks and
 * edges are fitted to both. Where branches were seen to be taken or not (runs.h) often enough, their shares are
 * what was seen. A function is looked at once for each struct flows; the same samples give the same counts.
 */
#ifndef DYNOPT_FLOW_H
#define DYNOPT_FLOW_H

#include "runs.h"
#include "text.h"
#include "trees.h"

#define FLOW_SEEN 16 /* times that a branch was seen: then its shares are not guessed */
#define FLOW_FUNCTIONS 512
#define FLOW_HINTS 2048 /* a power of 2 */
#define FLOW_ALIGN 16 /* of blocks: that of what an arena hands out */
#define FLOW_SHARE 1000u /* what the shares of a branch add up to */

/* How many samples hit the instruction at addr. */
typedef u32 grow_heat_fn(const void *ctx, u64 addr);
/* The same; *next: up to there no other instruction behind it was hit. */
typedef u32 flow_heat_fn(const void *ctx, u64 addr, u64 *next);

/* Ends behind a branch, a call, whatever else is not plain, or in front of where somebody jumps to. */
struct flow_block {
	_Alignas(FLOW_ALIGN) u64 start;
	u64 end; /* exclusive */
	u64 last,
		target; /* the last instruction; where it branches to or what it calls, if that is known */
	u64 count; /* executions, in FLOW_ONE-ths of a sample per instruction */
	u64 outside; /* of these, not from another block of the function */
	u32 samples;
	u16 n_insns;
	u16 taken; /* of a conditional branch at the end: taken, of FLOW_SHARE, and 1; else 0 */
	u8 role; /* of the last instruction */
	u32 seen; /* times that the branch at the end was seen, if often enough; else 0 */
	bool bounded; /* the following are known: flow_at_most() */
	u16 next_most, taken_most;
};

struct flow {
	u64 start, end;
	struct flow_block *blocks; /* by address; behind the last one an empty one */
	u32 n_blocks;
	u64 samples;
	u64 mark; /* of the arena, when it was made */
};

struct flows {
	const struct text *text;
	flow_heat_fn *heat;
	const void *ctx; /* of heat */
	const struct runs *runs; /* run-time addresses; NULL: none were seen */
	u64 base; /* load bias */
	void *decoder;
	bool thorough; /* places are tried where few samples are */
	struct arena *arena; /* holds what is known; released by flows_release() */
	struct flow known[FLOW_FUNCTIONS];
	u32 n_known;
	u16 order[FLOW_FUNCTIONS]; /* of these, by address */
	struct flow_hint {
		u16 function, block;
	} found[FLOW_HINTS]; /* by address: what the last question of its kind has found */
	struct trees trees; /* that were grown from them */
};

#define FLOW_ONE 65536u

/* The function around addr, in proven text; NULL if there is none or the arena is full. */
const struct flow *flow_of(struct flows *flows, u64 addr);
/* Releases the arena to `mark`, and forgets what was made since. */
void flows_release(struct flows *flows, u64 mark);
/* The block that holds addr; NULL. */
const struct flow_block *flow_block_at(const struct flow *flow, u64 addr);
/* The same, of the function around addr. It is found fastest right behind block `before`, if that is not NULL. */
const struct flow_block *flow_block_of(struct flows *flows, u64 addr,
                                       const struct flow_block *before);
/*
 * Of the executions of a block that ends with a branch, how many go on behind it and how many take it, at most, in FLOW_SHARE-ths: where
 * branches were not seen, few samples, and few instructions that could have been hit, leave much open.
 */
void flow_at_most(const struct flows *flows, const struct flow_block *block, u32 *next, u32 *taken);

#endif
