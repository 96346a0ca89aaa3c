/* SPDX-License-Identifier: MIT */
/*
 * remember.h - what earlier runs of this program have sampled, for this run to begin with, and what is kept of it for the next.
 *
 *     folder (options.remember) / NAME-BUILD.samples -> taken when the run is worth it -> heat, runs -> written at the program's end
 *
 * A sample file (samples.h) that begins with how long the last runs were (budget.h). Once there is plenty, each run halves what it finds there, so earlier ones count
 * less and less. It is taken when so much CPU time is expected of this run that work for it is worth it: else only the run's length is noted, in place.
 *
 * A file NAME-BUILD.fault beside it says that a translation was wrong (fault.h): while it is there the program is not translated.
 *
 * Folder and file must be this user's, others may not write them, and neither may be a symbolic link. What they say decides which code is
 * translated, never into what: a wrong file costs time. Files are replaced whole, by rename; of two runs at once the one that ends last is remembered.
 */
#ifndef DYNOPT_REMEMBER_H
#define DYNOPT_REMEMBER_H

#include "heat.h"
#include "runs.h"
#include "ways.h"

#define REMEMBER_PLENTY \
	(2 * WAYS_TOLD_SAMPLES) /* samples; fewer are all kept, as half would not do */

/* Has a translation of this build once faulted where the original does not? Asked before anything is translated. */
bool remember_faulted(void);
/* It has, now. */
struct fault;
void remember_fault(const struct fault *fault);

/* Once modules are known: looks for the file of samples, if there is to be one. Nothing of it is read but its first line. */
void remember_begin(void);
/* CPU time that is expected of this run in all, once it has used cpu_ns. */
u64 remember_expect(u64 cpu_ns);
/* What earlier runs have left of their budget, once what they sampled is taken; what they owe, always. */
s64 remember_left_ns(void);
/* Other modules are loaded: there may be samples of these. */
void remember_more(void);
/* CPU time that each sample that was taken stands for, in the mean; 0: none was. */
u64 remember_sample_ns(void);
/* Adds what is remembered of modules that are loaded when this run has become worth it, and later of others; how many samples that were. `worth_ns`: of expected CPU time. */
u64 remember_take(u64 cpu_ns, u64 worth_ns, struct heat_table *heat, struct runs *runs);
/* At the end. `change_ns`: of the budget (budget.h); `enough`: is what was sampled to be kept, and not the run's length alone? */
void remember_keep(u64 cpu_ns, s64 change_ns, bool enough, const struct heat_table *heat,
                   const struct runs *runs);

#endif
