/* SPDX-License-Identifier: MIT */
/*
 * sampler.h - where the program's threads spend their time: instruction addresses, as far as the kernel lets us see them.
 *
 * Sampler `ip`: the software event cpu-clock of perf_event_open(2), user mode only, one event and one ring for each CPU, inherited
 * by threads that are made later. Needs no hardware counter, and no privilege while perf_event_paranoid is at most 2.
 */
#ifndef DYNOPT_SAMPLER_H
#define DYNOPT_SAMPLER_H

#include "port.h"

/* Begins to sample `pid`, whose only thread is the first one. 0, or -errno of the first CPU that refused. */
long sampler_open(int pid, u64 period_ns);
/* The same with another period, for the threads there are. */
void sampler_period(u64 period_ns);
/* Hands over what has come in since, in no order. Samples that the kernel had no room for are lost. */
void sampler_read(void (*take)(void *ctx, u64 rip), void *ctx);
void sampler_close(void);

#endif
