/* SPDX-License-Identifier: MIT */
/*
 * trial.h - one machine state, run through original text and translation, and what differs then.
 *
 * The guest is armed, the translation placed, the tree's states and this case's are made: states_tree(), states_case().
 * Where calls are inlined, what is dead behind them need not be the same (oracle_frames.h).
 */
#ifndef DYNOPT_FUZZ_TRIAL_H
#define DYNOPT_FUZZ_TRIAL_H

#include "guest.h"
#include "states.h"

struct trial {
	struct guest guest;
	struct states states;
	u64 head, entry; /* module addresses of the original and of the translation */
	bool loose; /* what is dead need not be the same, wherever it is */
	struct outcome original, translation;
	bool compared; /* the last run's outcomes say something about each other */
	bool stack_ended; /* they do not, for it met the end of the stack where calls are inlined */
	u32 steps; /* of the original, stepped */
	bool misread; /* stepped: what it did is not what decode_insn() says */
};

/* Runs both sides to their ends. The first difference in words, NULL if there is none. */
const char *trial_run(struct trial *t, u64 budget);
/* The same instruction by instruction. */
const char *trial_step(struct trial *t, u64 budget);
/* Says more of what trial_run() (stepped: trial_step()) found. */
void trial_print(struct trial *t, bool stepped);

#endif
