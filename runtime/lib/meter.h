/* SPDX-License-Identifier: MIT */
/*
 * meter.h - CPU time that the program has used, what its samples stand for, and whether sampling should rest.
 *
 *     the program's clock, samples that have come in -> CPU time for each; or a rest
 *
 * perf_event_open(2) changes the period of an event, but not of those that threads have inherited before: theirs stays what it was. So where
 * samples come more often than they are wanted, all of them are switched off for as long as it takes until they have come as rarely.
 */
#ifndef DYNOPT_METER_H
#define DYNOPT_METER_H

#include "port.h"

#define METER_LEAST 16 /* samples from which it is told how often they come */
#define METER_MORE 3 /* one of so many parts more often than they are wanted is no reason to rest */

struct meter {
	u64 cpu_ns; /* of the program */
	u64 stands_ns; /* what a sample stands for, in the mean */
	u64 from_ns; /* when counting began, by the program's clock */
	u64 until_ns; /* how long it rests; 0: it does not */
	u64 n; /* samples since then */
};

/* So often from now on. */
void meter_want(struct meter *meter, u64 wanted_ns);
/* n samples have come in since it was asked last, and the program's clock stands at clock_ns (0: there is none). Should sampling rest? */
bool meter_rests(struct meter *meter, u64 clock_ns, u64 n, u64 wanted_ns);

#endif
