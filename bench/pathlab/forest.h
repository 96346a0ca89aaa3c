/* SPDX-License-Identifier: MIT */
/*
 * forest.h - trees of blocks as traces describe them (engine/trace.h), grown from a recorded path and walked by it.
 *
 * A tree grows while the path goes through it: what the path does next becomes a child of the node it is in, so that
 * counts are exact and know the way by which a place was reached. The shapes are those lift.c makes of a
 * trace: a node ends at its branch, in front of what stays in original text, or where it falls back into a loop; a
 * direct call is gone into where rules and marks allow it. Invariant: node 0 is the root; parents stand in front of
 * their children.
 */
#ifndef DYNOPT_PATHLAB_FOREST_H
#define DYNOPT_PATHLAB_FOREST_H

#include "runs.h"

#define NO_NODE 0xffffffffu
#define NO_TREE 0xffffffffu

enum way_kind {
	WAY_NONE,
	WAY_OPEN,  /* the path has not gone there yet; an exit */
	WAY_CHILD,
	WAY_BACK,
	WAY_EXIT,
};

struct way {
	place target;
	u64 count;  /* how often the path went this way */
	u64 linked; /* of these: out of the tree, to where another tree (or this one) begins */
	u32 node;
	u8 kind; /* WAY_... */
};

enum node_end {
	END_BRANCH, /* jmp, jcc, loop: ways */
	END_CALL,   /* a call that is gone into: ways[0] */
	END_RETURN, /* from an inlined call: ways[0] */
	END_LEAVE, /* a return in frame 0, an indirect jump: no ways, control is in original text */
	END_FALL, /* goes on in ways[0], in the middle of the run */
	END_CUT, /* in front of an instruction that stays in original text, where ways[0] leads */
};

struct node {
	place start;
	struct way ways[2]; /* next, taken */
	u64 count;
	u64 weight; /* count when it was grown */
	u64 odd; /* an inlined call that returned elsewhere, a signal */
	u32 parent, frame, run, n; /* n instructions of the run */
	u8 end; /* END_... */
	bool chosen;
};

struct frame {
	place ret, callee;
	u32 parent, depth, node; /* node that calls */
};

struct tree {
	place site;
	struct node *nodes;
	struct frame *frames;
	u32 n_nodes, nodes_room, n_frames, frames_room;
	u64 entries, by_hop,
		weight; /* arrivals from outside; of these through the site; entries when it was grown */
	u64 insns; /* original instructions executed in it */
	u32 hop; /* jumps executed on the way in from original text: 1, 2 or 3 */
	bool growing, loop, dead;
	bool full, crowded; /* the rules' limits have cut it; have kept it from growing */
	bool stops; /* it ends where a loop of another tree begins */
};

struct rules {
	u32 depth; /* calls inlined into one another */
	u32 blocks, insns; /* of one tree */
	double side; /* least share of its parent's executions that makes a child worth having */
	double least; /* least share of all executed instructions that makes a tree worth having */
	double worth; /* what passes are taken to save of a tree's instructions; trees that cost more go */
	u32 rounds, trees; /* of choosing heads; trees in all */
	bool back; /* loops are closed within trees */
	bool linked; /* exits lead to other trees directly */
	bool stop; /* trees end where a loop of another tree begins */
	bool full; /* the same, but only trees that would be larger than the rules allow */
	bool direct; /* a site is the next instruction of its block that needs no slot, if there is one */
	bool tables; /* jumps through the notes' jump tables lead to other trees directly */
	bool turn; /* loops that are entered in their middle are closed where the code jumps back */
	bool leave; /* calls that are left inside too often are not gone into */
};

enum arrival {
	ARRIVE_LOOP = 1,
	ARRIVE_CALL = 2,
	ARRIVE_RETURN = 4,
	ARRIVE_INDIRECT = 8,
	ARRIVE_EXIT = 16,
};
#define ARRIVE_KINDS 6

struct forest {
	struct runs *runs;
	struct rules rules;
	struct tree *trees;
	u32 n_trees, trees_room;
	struct map *tree_at;
	u32 stamp; /* of run->stamp: which trees exist */
	u64 *own; /* instructions executed in original text since the path arrived at this run from afar */
	u8 *arrival; /* run: ARRIVE_... it was a candidate for */
	u32 runs_known;
	/* Sums of the last walk. */
	u64 insns, inside, leaves;
	u64 hops_behind
		[ARRIVE_KINDS]; /* jumps on the way into trees, by how the path came: ARRIVE_ bit + 1, 0: none */
};

void forest_init(struct forest *f, struct runs *runs, const struct rules *rules);
void forest_free(struct forest *f);
/* A tree that begins at `site` and grows with the next walk. */
struct tree *forest_plant(struct forest *f, place site, bool loop);
/* The jump table through which a run ends, if translations may jump through it; else NULL. */
struct text_table *forest_table(const struct forest *f, const struct run *run);
/* Walks the whole path: counts, grows what is growing. */
void forest_walk(struct forest *f);
/* Depth of a node's frame. */
static inline u32 node_depth(const struct tree *tree, const struct node *node)
{
	return tree->frames[node->frame].depth;
}

#endif
