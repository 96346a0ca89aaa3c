/* SPDX-License-Identifier: MIT */
/*
 * rank.h - what the status file says of functions: sums over all, and the hottest.
 */
#ifndef DYNOPT_RANK_H
#define DYNOPT_RANK_H

#include "port.h"
#include "status_file.h"

/* Adds a function's samples to the sums, by what has become of them. */
void rank_count(const struct status_function *f, struct status_heat *sums);
/* Keeps it if it is among the STATUS_FUNCTIONS hottest, of which *n are in `all`, hottest first. */
void rank_keep(struct status_function *all, u32 *n, const struct status_function *f);

#endif
