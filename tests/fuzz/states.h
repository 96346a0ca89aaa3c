/* SPDX-License-Identifier: MIT */
/*
 * states.h - random machine states and memory for a tree, and what a run left behind.
 *
 * Random registers alone would fault at the first access: what the tree uses as a base is a pointer
 * into an arena (less the displacement), what it uses as an index is small, memory holds pointers too; the share that
 * is wild makes the faults. A case is a few changes of its tree's state, so most of a case costs nothing.
 */
#ifndef DYNOPT_FUZZ_STATES_H
#define DYNOPT_FUZZ_STATES_H

#include "guest.h"
#include "limits.h"
#include "native.h"

#define CHANGES 16
#define RED_ZONE 128

/* How a tree uses a register. */
struct reg_role {
	bool base, index, count, target;
	u32 n_disps;
	s64 disps[4];
};

struct states {
	const struct guest *g;
	struct reg_role roles[16];
	u64 pool[NATIVE_XSAVE_MAX / 4]; /* words that vector registers start with */
	bool framed; /* calls are inlined: the stack belongs to rsp alone, as everywhere but in tests */
	u64 ret_addrs[TREES_MAX * (LIMIT_TREE_BLOCKS + 1)]; /* of inlined calls */
	u32 n_returns;
	bool jumps, returns; /* jumps: indirectly */
	u64 places[16]; /* addresses in text: heads, exits */
	u32 n_places;
	struct {
		u8 *at;
		u64 word;
	} changes[CHANGES]; /* of memory, for the case */
};

/* Fills areas[].first and what else belongs to the trees. */
void states_tree(struct states *s, const struct guest *g, const struct ir_tree *trees, u32 n,
                 u64 rnd);
/* Fills native.in but for rip, and the case's changes. */
void states_case(struct states *s, u64 *rnd);
/* Sets all areas to the case's content. */
void states_memory(const struct states *s);

enum outcome_kind {
	OUTCOME_AT, /* arrived at an instruction outside of the tree */
	OUTCOME_FAULT, /* a trap or fault at an instruction */
	OUTCOME_SPENT, /* the loop budget is spent */
	OUTCOME_ENDLESS, /* neither; not compared */
	OUTCOME_ENOUGH, /* steps are spent */
	OUTCOME_KINDS
};

struct outcome {
	u32 kind;
	u64 at; /* original address; as the guest sees it */
	struct native_stop stop; /* OUTCOME_FAULT */
	struct native_state state;
};

/* Of the run that just ended. */
void outcome_take(struct outcome *out, const struct guest *g);
/* The first difference in words, NULL if there is none; of the flags, those in `flags` count. */
const char *outcome_differs(const struct outcome *a, const struct outcome *b, u64 flags);
/* Flags that the instructions from `at` on, a guest address, surely read before they are written. */
u64 flags_live(const struct guest *g, u64 at);
/* Keeps / compares what is in memory behind a run. */
void memory_keep(const struct guest *g);
const char *memory_differs(const struct states *s);
/*
 * The same for inlined calls, where what is dead may differ: the stack below the red zone of `sp`, where rsp is now;
 * return addresses of inlined calls below `sp`; bytes of the stack that `dead` says so of, unless that is NULL.
 */
const char *memory_differs_framed(const struct states *s, u64 sp, const u8 *dead);
void memory_print(const struct guest *g);
void outcome_print(const struct outcome *a, const struct outcome *b);

#endif
