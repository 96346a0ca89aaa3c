/* SPDX-License-Identifier: MIT */
/*
 * phase.h - has a program begun to do something else?
 *
 *     samples' addresses -> two windows, one behind the other -> how much of the time is spent elsewhere
 *
 * Counts by pieces of code, PHASE_PLACES of them by a hash; addresses of translations are those they come from, so that being translated is no change.
 */
#ifndef DYNOPT_PHASE_H
#define DYNOPT_PHASE_H

#include "port.h"

#define PHASE_WINDOW 128u /* samples */
#define PHASE_PLACES 64u
#define PHASE_MOVED \
	64u /* of a window's samples that are elsewhere: what chance makes of two windows of the same phase stays below */

struct phase {
	u8 before[PHASE_PLACES], now[PHASE_PLACES];
	u32 n; /* samples of `now` */
	bool has_before;
};

/* True when a window is full and PHASE_MOVED of its samples are where those of the one before were not. */
bool phase_add(struct phase *phase, u64 origin);

#endif
