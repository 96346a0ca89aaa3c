/* SPDX-License-Identifier: MIT */
/*
 * mutate.h - small changes to an entry's hot bytes, decided by a random state alone.
 *
 * Every change is logged and stays inside one hot range, so that mutate_undo()
 * restores the entry without copying all of it.
 */
#ifndef DYNOPT_FUZZ_MUTATE_H
#define DYNOPT_FUZZ_MUTATE_H

#include "corpus.h"

#define MUTATIONS_MAX 16

struct mutations {
	u32 n;
	struct hot changed[MUTATIONS_MAX];
};

/* Changes the entry in 1 to MUTATIONS_MAX places. */
void mutate(struct entry *e, u64 *rnd, struct mutations *done);
void mutate_undo(struct entry *e, const struct mutations *done);

#endif
