/* SPDX-License-Identifier: MIT */
/*
 * jitdump.h - translations with names, as perf reads them: DIR/jit-PID.dump (perf inject --jit) and /tmp/perf-PID.map. With option perf.
 */
#ifndef DYNOPT_JITDUMP_H
#define DYNOPT_JITDUMP_H

#include "world.h"

/* Makes both files, and the mapping by which perf finds the first: by a thread of the program, before anything is translated. */
void jitdump_start(void);
/* Writes what an image has at a loading, once it is live: by the agent. */
void jitdump_add(const struct image *image, const struct mapping *mapping);

#endif
