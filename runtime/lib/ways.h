/* SPDX-License-Identifier: MIT */
/*
 * ways.h - how much is known of where control goes: how many walks are wanted for that, and whether a module can be looked at for the first time.
 *
 *     samples and walks, of this run and of earlier ones -> walks that are due, is enough known?
 */
#ifndef DYNOPT_WAYS_H
#define DYNOPT_WAYS_H

#include "runs.h"

#define WAYS_WALKS 64 /* in modules that are read */
#define WAYS_TOLD \
	16 /* the same, where earlier runs have told of samples; with half of them a look is worth it */
#define WAYS_ONE_OF 16 /* samples, for which there is one more; of earlier runs, one in all */
#define WAYS_LEAST 8 /* at a time, as going where a thread is takes as long as a walk */
#define WAYS_MOST 16
#define WAYS_SAMPLES 64 /* in place of walks, since the module was read */
#define WAYS_TOLD_SAMPLES 400 /* the same, if earlier runs have taken them */

struct ways {
	bool told; /* earlier runs have told of samples, */
	u64 told_samples;
	u32 told_walks; /* and of as many ways as so many walks find */
	u64 samples, walks; /* of this run */
};

/* How many walks it takes to see these runs; WAYS_WALKS at most. */
u32 ways_walks(const struct runs *runs);
/* Walks to be made now. */
u32 ways_due(const struct ways *ways);
/* Does what is known do for the first look at a module, since which was read so many samples were taken, and walks made? `part`: one of so many of them do. */
bool ways_known(const struct ways *ways, u64 samples, u64 walks, u32 part);

#endif
