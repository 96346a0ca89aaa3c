/* SPDX-License-Identifier: MIT */
/*
 * kept.h - what was sampled, to and from the lines of a sample file (samples.h): run-time addresses here, link-time addresses there.
 */
#ifndef DYNOPT_KEPT_H
#define DYNOPT_KEPT_H

#include "heat.h"
#include "runs.h"
#include "samples.h"

/* What became of samples, of single addresses, in a file. */
struct kept_sums {
	u64 taken;
	u64 left; /* of modules that are not loaded, or of which another build is */
};

/* Of which files samples were taken, by the number of their record; all zero: of none. */
struct kept_modules {
	bool taken[WORLD_MODULES];
};

/*
 * Adds a file's; it does not say how much CPU time each stands for: RATE_FIRST_NS, at least. With `told` as earlier runs' (heat_tell()), those of modules that are loaded and not among these yet.
 * False: *line is wrong, and nothing was added.
 */
bool kept_read(const char *text, u64 size, struct heat_table *heat, struct runs *runs,
               struct kept_sums *sums, struct kept_modules *told, u32 *line);
struct kept_shares {
	u32 samples, runs; /* one of so many is written */
	bool nameless; /* modules whose build is not known are not left out: lines say their names alone */
};
void kept_write(struct sample_file *file, const struct heat_table *heat, const struct runs *runs,
                const struct kept_shares *shares);

#endif
