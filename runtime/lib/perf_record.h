/* SPDX-License-Identifier: MIT */
/*
 * perf_record.h - records of a ring of perf_event_open(2), one after the other.
 *
 *     ring, what the event was asked for -> records
 *
 * The kernel writes the ring, but it lies in memory that the program shares: sizes and counts in it are claims. Nothing is read outside of
 * the ring and of the record, and each step moves on, whatever the ring says.
 */
#ifndef DYNOPT_PERF_RECORD_H
#define DYNOPT_PERF_RECORD_H

#include "port.h"

#define PERF_BRANCHES_MAX 64 /* more than any processor keeps */
#define PERF_REGS_MAX 24
#define PERF_STACK_MAX 1024

/* What samples hold, as the event was opened: PERF_SAMPLE_..., of those that perf_layout_known() knows. */
struct perf_layout {
	u64 type;
	u64 regs; /* with PERF_SAMPLE_REGS_USER: the mask */
};

struct perf_ring {
	const u8 *data;
	u64 size; /* a power of 2 */
};

struct perf_branch {
	u64 from, to;
};

/* What the layout leaves out is 0. */
struct perf_sample {
	u64 ip;
	u32 pid, tid;
	u32 cpu;
	u64 value; /* that the event had counted */
	u64 addr, weight, source; /* of the memory access; source: PERF_MEM_... */
	struct perf_branch branches[PERF_BRANCHES_MAX]; /* newest first */
	u32 n_branches;
	u32 n_regs; /* 0: none were taken */
	u64 regs[PERF_REGS_MAX]; /* those of the mask, lowest bit first */
	u32 n_stack; /* bytes from the stack pointer on */
	u8 stack[PERF_STACK_MAX];
};

enum perf_kind {
	PERF_KIND_SAMPLE,
	PERF_KIND_LOST, /* there was no room for .lost records */
	PERF_KIND_OTHER, /* throttling and whatever else the kernel tells */
	PERF_KIND_BROKEN, /* a sample that is not what was asked for: passed over */
	PERF_KIND_LOOSE, /* a record's end cannot be found: all the rest is passed over */
};

struct perf_found {
	enum perf_kind kind;
	u64 lost;
	struct perf_sample sample;
};

bool perf_layout_known(const struct perf_layout *layout);

/* The record at *at, which moves behind it. False: nothing is left in front of `head`. */
bool perf_next(const struct perf_ring *ring, const struct perf_layout *layout, u64 *at, u64 head,
               struct perf_found *out);

#endif
