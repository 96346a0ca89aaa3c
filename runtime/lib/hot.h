/* SPDX-License-Identifier: MIT */
/*
 * hot.h - finds out what is hot and has it translated, a batch at a time.
 *
 *     samples -> heat by address -> hot functions -> batches -> live text
 */
#ifndef DYNOPT_HOT_H
#define DYNOPT_HOT_H

#include "world.h"

/* In the agent, once the program's modules are known. False with world->cause set if nothing can be sampled. */
bool hot_start(void);
/* Each tick: what it is remembered by, once; samples. */
void hot_begin_warm(void);
void hot_take(void);
/* Do they make a look worth it? Who is not to be patched now must not look. */
bool hot_is_due(void);
/* Has translated what is worth it and the budget allows. */
void hot_look(void);
/* Wall time in which there may come as many samples as there is room for. */
u32 hot_full_ms(void);
/* CPU time that the agent may use now. */
u64 hot_credit(void);
/* Other modules are loaded. */
void hot_modules(void);
/* Withdrawn, or nothing left of the program: no more samples. */
void hot_stop(void);
/* Once, at the program's end: writes options.keep_samples, and what it is remembered by. */
void hot_keep(void);

/*
 * For the report: the functions with most samples, hottest first, at most STATUS_FUNCTIONS; and what all samples come to.
 */
u32 hot_functions(struct status_function *out, struct status_heat *sums);

#endif
