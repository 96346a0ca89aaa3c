/* SPDX-License-Identifier: MIT */
/*
 * model.h - a machine whose text is written while CPUs run it.
 *
 * CPUs do not write text and do not meet, so instead of drawing interleavings the model keeps the set of
 * all places where some CPU may stand: at first every original instruction, then whatever a step leads to. After
 * every write step (a byte, or a whole edit where the applier is atomic) each place of the set whose instruction has a
 * byte there is looked at again, and all of them after each plan. That covers every interleaving of any number of CPUs.
 *
 * Each place stands for an original address (itself; the site of a hop; the origin table of a code). A step must do
 * what the original does there: nothing (a jump to a place of the same meaning), or the very instruction, and every
 * outcome must mean what the original's outcome means. Original direct jumps are invisible. A direct call of the
 * original's may lead to a translation of its callee. A jump through the shadow of a jump
 * table may take each of its entries, as they are at that moment.
 */
#ifndef DYNOPT_TESTS_MODEL_H
#define DYNOPT_TESTS_MODEL_H

#include "code.h"
#include "plan.h"
#include "program.h"

#define FAR_BASE (TEXT_BASE + TEXT_SIZE)
#define FAR_SIZE 0x100
#define CACHE_BASE (FAR_BASE + FAR_SIZE)
#define CACHE_SIZE 0x4000
#define MAX_SHADOWS 128
#define MEMORY_SIZE (TEXT_SIZE + FAR_SIZE + CACHE_SIZE)

/* The shadow of a table (code.h), in the memory of the model. */
struct shadow {
	const struct table *table;
	u64 addr; /* 0: no more */
	u8 owner;
};

struct model {
	const struct program *program;
	u64 visible[TEXT_SIZE]; /* of each instruction, the next one that is no direct jump */
	u8 memory[MEMORY_SIZE]; /* from TEXT_BASE on */
	u64 means[MEMORY_SIZE]; /* original address for a CPU there; 0: nobody may stand there */
	u8 owner[MEMORY_SIZE]; /* whose place it is; 0: the original's */
	u8 standing[MEMORY_SIZE];
	u64 todo[MEMORY_SIZE];
	u32 n_todo;
	struct shadow shadows[MAX_SHADOWS];
	u32 n_shadows;
	u64 busy, busy_end; /* being written byte by byte */
	const char *wrong; /* NULL, or the first thing that was wrong */
	u64 wrong_at;
	u64 n_checks; /* places looked at */
};

/* Starts with a CPU on every instruction of the program, which must outlive the model. */
void model_init(struct model *m, const struct program *p);

/* What a hop's places and a code at `addr` mean, and whose they are. */
void model_means_hop(struct model *m, const struct hop *hop, u64 meaning, u8 owner);
void model_means_code(struct model *m, const struct code *code, u64 addr, u8 owner);

void model_means_shadow(struct model *m, const struct table *table, u64 addr, u8 owner);

/* Looks at every place where a CPU may stand, and where steps lead. False if something was wrong. */
bool model_check(struct model *m);

/* Live edits that are written byte by byte, as those are that nobody can see yet. */
enum torn { TORN_NOTHING, TORN_ALL, TORN_ENTRIES };

/* Applies the first n edits, checking after each step. */
bool model_apply(struct model *m, const struct plan *plan, u32 n, enum torn torn);

/*
 * Every CPU in one of the owner's places runs until it is outside; then they mean nothing any more. Wrong if one may
 * stay for ever, or if somebody can still arrive.
 */
bool model_drain(struct model *m, u8 owner);

/* The places mean nothing any more, whoever stands there. */
void model_forget(struct model *m, u8 owner);

#endif
