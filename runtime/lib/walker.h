/* SPDX-License-Identifier: MIT */
/*
 * walker.h - walks (walk.h) in the agent: from samples, in the program's memory.
 *
 * Memory is read by process_vm_readv(2), which refuses what is not there and what is a device's. No page of the program is written to,
 * and no instruction of its is executed here.
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
	u64 cpu_ns; /* with reading the samples */
};

/* As world.code in walk.h. */
typedef u32 walker_code_fn(void *ctx, u64 addr, u8 *out, u32 size);

/*
 * Before samples are read. What was read of the program's memory earlier is used for WALKER_FRESH_NS of its CPU time, about as much as lies between two ticks where it
 * runs alone; what was read of its code as long as `modules` is the same number.
 */
#define WALKER_FRESH_NS 50000000u
void walker_round(u64 cpu_ns, u32 modules);
/* Adds what a walk from this sample has seen; nothing if it has no registers. */
void walker_take(const struct perf_sample *sample, walker_code_fn *code, struct runs *runs,
                 struct walker_sums *sums);
/* From the code callback: up to `size` bytes as they are in memory; how many there are. */
u32 walker_read(u64 addr, u8 *out, u32 size);

#endif
