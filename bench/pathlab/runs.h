/* SPDX-License-Identifier: MIT */
/*
 * runs.h - a recorded path as a sequence of runs, in the engine's terms.
 *
 *     stream of blocks (path.h) -> files -> engine's text -> runs
 *
 * A run is what is executed from an arrival up to and with the next instruction that may transfer control; so the next run
 * begins where that transfer led. The recorder's blocks are pieces of runs. Invariant: the run of path.runs[i] ends
 * where that of path.runs[i + 1] begins, except where a signal or something that is in no file came between.
 */
#ifndef DYNOPT_PATHLAB_RUNS_H
#define DYNOPT_PATHLAB_RUNS_H

#include "path.h"
#include "text.h"

#define NO_MODULE 0xffu
#define MODULES_MAX 64

/* Where code is: the module in the upper byte, the link-time address below. Code of no file: its address. */
typedef u64 place;

static inline place place_of(u32 module, u64 addr)
{
	return (u64)module << 56 | addr;
}
static inline u32 place_module(place at)
{
	return (u32)(at >> 56);
}
static inline u64 place_addr(place at)
{
	return at & 0xffffffffffffff;
}

struct module {
	char *path;
	const char *name; /* without folders */
	const u8 *bytes;
	u64 size;
	struct elf_view view;
	struct text text; /* no marks at all if the engine refuses the module */
};

/* One instruction; `known` if the engine has a full model of it, else only len, role and target are set. */
struct op {
	struct insn insn;
	u16 marks;
	bool known;
};

struct run {
	place start;
	const struct op **ops;
	u32 n;
	u8 role; /* of the last instruction */
	/* The tree that is entered in this run, and in front of which op: for walkers, valid while stamp is theirs. */
	u32 stamp, tree, at;
};

struct runs {
	struct module modules[MODULES_MAX];
	u32 n_modules;
	struct run *runs;
	u32 n_runs, runs_room;
	struct path {
		u32 *runs; /* run numbers */
		u64 n, room;
	} paths[PATH_THREADS_MAX]; /* of each thread */
	u64 n_path; /* runs in all of them */
	u64 torn; /* runs that did not reach their end */
	void *decoder;
	struct map *run_at, *op_at;
};

/* Reads a stream, at most `limit` runs; ends the program with a message if it is damaged. */
void runs_read(struct runs *runs, const char *file, u64 limit);
/* The number of the run that starts there. */
u32 runs_at(struct runs *runs, place start);

static inline const struct op *run_last(const struct run *run)
{
	return run->ops[run->n - 1];
}
static inline const struct text *runs_text(const struct runs *runs, place at)
{
	u32 module = place_module(at);

	return module < runs->n_modules && runs->modules[module].text.marks
	               ? &runs->modules[module].text
	               : NULL;
}

#endif
