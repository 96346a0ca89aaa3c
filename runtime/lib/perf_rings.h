/* SPDX-License-Identifier: MIT */
/*
 * perf_rings.h - one event on all CPUs, with a ring on each, inherited by threads that are made later.
 */
#ifndef DYNOPT_PERF_RINGS_H
#define DYNOPT_PERF_RINGS_H

#include "perf_record.h"

#include <linux/perf_event.h>

#define PERF_CPUS_MAX 256

struct perf_rings {
	struct {
		int fd;
		struct perf_event_mmap_page *page;
	} at[PERF_CPUS_MAX];
	u32 n;
	u32 pages; /* of each ring */
	int pid;
	struct perf_layout layout;
	u64 lost; /* records that there was no room for, or that were not what was asked for */
};

/* Opens attr, user mode only, for the threads of `pid`. 0, or -errno: nothing is open then. pages: a power of 2. */
long perf_rings_open(struct perf_rings *rings, const struct perf_event_attr *attr, int pid,
                     u32 pages);
/* So much of what the event counts, or with attr.freq so often in a second; but not for threads that there are already, except the first. */
void perf_rings_period(const struct perf_rings *rings, u64 period);
/* For all threads. */
void perf_rings_rest(const struct perf_rings *rings, bool rest);
/* Hands over the samples of the process that have come in since. */
void perf_rings_read(struct perf_rings *rings,
                     void (*take)(void *ctx, const struct perf_sample *sample), void *ctx);
void perf_rings_close(struct perf_rings *rings);

#endif
