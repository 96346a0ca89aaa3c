/* SPDX-License-Identifier: MIT */
/*
 * still.h - a thread that stands where a sample has found it, for as long as the agent looks at it. Nothing is done to the thread.
 *
 *     an event of one thread that wakes the agent -> the agent runs on that thread's processor, in its place -> registers and memory of one moment
 *
 * The kernel prefers who was asleep: where the sample's interrupt wakes the agent, and the agent may run on no processor but that one, it does so before the thread's next
 * instruction, and the thread waits. It is not forced to: another processor may take the thread over, and other threads go on. still_stands() tells.
 */
#ifndef DYNOPT_STILL_H
#define DYNOPT_STILL_H

#include "perf_record.h"

/* Can threads of the program be sampled so? 0 or -errno; nothing is sampled yet. */
long still_open(int tid);
/* From here to still_end() the agent is asleep, or where the thread is. False: `tid` is gone, goes before others (SCHED_FIFO and its like), or the kernel does not let us. */
bool still_begin(int tid);
/* The next sample, with registers and stack; NULL: none came within so many ms. */
const struct perf_sample *still_next(u32 ms);
/* Has the thread stood still since that sample was taken, by its CPU time? */
bool still_stands(void);
/* The agent may run where it could before. */
void still_end(void);
void still_close(void);

#endif
