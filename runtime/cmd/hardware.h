/* SPDX-License-Identifier: MIT */
/*
 * hardware.h - which event of this processor's performance counters the sampler `lbr` can use.
 *
 *     names (hardware.c) -> libpfm4 -> numbers for perf_event_open -> tried
 */
#ifndef DYNOPT_RUNTIME_HARDWARE_H
#define DYNOPT_RUNTIME_HARDWARE_H

#include "base.h"

#include <linux/perf_event.h>

struct hardware_event {
	const char *name; /* in libpfm4's words, or the kernel's */
	u32 type;
	u64 config, config1;
};

enum hardware_answer {
	HARDWARE_WORKS,
	HARDWARE_NO_COUNTERS, /* the kernel knows none: a virtual machine that is not given any, most often */
	HARDWARE_REFUSED, /* by perf_event_open: *error says how */
	HARDWARE_NO_STACK, /* counters, but none that keeps branches */
};

/* The first event that opens with branch stacks. */
enum hardware_answer hardware_branches(struct hardware_event *event, int *error);

/* One row of the table, encoded by libpfm4 and not tried; for tests. False: libpfm4 does not know the name, said in *why. */
u32 hardware_rows(void);
bool hardware_encode(u32 row, struct hardware_event *event, const char **why);

#endif
