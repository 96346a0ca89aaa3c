/* SPDX-License-Identifier: MIT */
/*
 * sampler.h - where the program's threads spend their time: instruction addresses, as far as the kernel lets us see them.
 *
 * One of STATUS_SAMPLERS is open at a time. The agent opens, reads and closes it.
 */
#ifndef DYNOPT_SAMPLER_H
#define DYNOPT_SAMPLER_H

#include "perf_record.h"
#include "status_file.h"

#define SAMPLER_FULL \
	64 /* samples of a processor, at least, that there is room for until they are read */

struct sample {
	u64 rip;
	bool timed; /* stands for a period of CPU time; else it is of an event that says nothing of time */
	const struct perf_sample *more; /* branches, registers; NULL: none */
};

typedef void sampler_take_fn(void *ctx, const struct sample *sample);

struct sampler {
	const char *name;
	/* Begins to sample `pid`, whose only thread is the first one. 0 or -errno. */
	long (*open)(int pid);
	/* So much CPU time for each sample, or as near as it can come to that: returned. */
	u64 (*period)(u64 ns);
	/* No samples for a while, or again; NULL: they never come more often than they are wanted. */
	void (*rest)(bool rest);
	/* Hands over what has come in since, in no order, each until take() returns; what there was no room for is lost. 0, or -errno: it has ended by itself. */
	long (*read)(sampler_take_fn *take, void *ctx);
	void (*close)(void);
};

/* One for each row of STATUS_SAMPLERS. */
extern const struct sampler sampler_lbr, sampler_walk, sampler_ip, sampler_timer;

/* Opens the one of that name, or with "" the first that works. 0, or -errno of the last one that was tried: then *kind is STATUS_SAMPLER_none. */
long sampler_open(const char *name, int pid, u32 *kind); /* kind: enum status_sampler */
u64 sampler_period(u64 ns);
/* CPU time of the program that a sample takes, about, by what it takes to enter the kernel here. */
u64 sampler_cost(void);
/* A rest that takes the kernel too long, as there are so many threads, is the last one. */
void sampler_rest(bool rest);
long sampler_read(sampler_take_fn *take, void *ctx);
void sampler_close(void);

#endif
