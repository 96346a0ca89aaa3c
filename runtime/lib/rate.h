/* SPDX-License-Identifier: MIT */
/*
 * rate.h - how often the program is sampled: as often as something comes of it.
 *
 *     what is known, and can be paid -> CPU time between two samples
 */
#ifndef DYNOPT_RATE_H
#define DYNOPT_RATE_H

#include "port.h"

#define RATE_FIRST_NS 1000000u /* until something is read */
#define RATE_NEXT_NS 2000000u /* then */
#define RATE_RARE_NS \
	4000000u /* while the budget is waited for, or after a look that has changed nothing */
#define RATE_QUIET_NS 10000000u /* where nothing new is to be expected */
#define RATE_PART \
	192 /* one of so many parts of the program's time goes into samples until something is read, at most: where that makes them rarer, all others become rarer with them */
#define RATE_QUIET_AFTER_NS 5000000000u /* that long without a look or a change of phase, */
#define RATE_SETTLED 2 /* or so many looks that have changed nothing, one after the other */

struct rate {
	bool all; /* for tests: as often as ever */
	bool read; /* a module was */
	bool paid; /* what could be done next can be paid, or is not known yet */
	bool saves_up; /* what could be done is known, and left to a later run: more samples would only take from that */
	u64 sample_ns; /* what a sample costs */
	u32 unchanged; /* looks since one that has changed something */
	u64 look_ns,
		phase_ns; /* since the last look, or the start, and since the last change of phase */
};

u64 rate_period(const struct rate *rate);

#endif
