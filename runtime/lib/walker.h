/* SPDX-License-Identifier: MIT */
/*
 * walker.h - walks (walk.h) in the agent: from samples, in the program's memory.
 *
 * Memory is the program's own, each page asked for by process_vm_readv(2) first, which refuses what is not there and what is a device's; a fault ends the walk (guard.h).
 * No page of the program is written to. Copies of its instructions may be executed, on what the walk knows (walk_native.h).
 */
#ifndef DYNOPT_WALKER_H
#define DYNOPT_WALKER_H

#include "perf_record.h"
#include "runs.h"

/* The registers that a sample must have, as perf_event_attr.sample_regs_user, and how much of its stack is of use. */
#define WALKER_REGS 0xff03ffu
#define WALKER_STACK 512u

struct walker_sums {
	u64 walks, runs, insns;
	u64 samples; /* that were taken for walks alone */
	u64 stood; /* walks for which a thread stood still */
	u64 cpu_ns; /* with reading the samples */
};

/* As world.code in walk.h. */
typedef u32 walker_code_fn(void *ctx, u64 addr, u8 *out, u32 size);

/* Before walks of one time: which of the program's pages can be read is asked anew; what was read of its code is used as long as `modules` is the same number. */
void walker_round(u32 modules);
/* Adds what a walk from this sample has seen; nothing if it has no registers. */
void walker_take(const struct perf_sample *sample, walker_code_fn *code, struct runs *runs,
                 struct walker_sums *sums);
/* From the code callback: up to `size` bytes as they are in memory; how many there are. */
u32 walker_read(u64 addr, u8 *out, u32 size);

#endif
