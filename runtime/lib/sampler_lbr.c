/* SPDX-License-Identifier: MIT */
/*
 * sampler_lbr.c - sampler `ip`, which tells where time is spent, and beside it the branches that the processor has kept (Intel LBR, AMD BRS and
 * LBRv2) whenever so many of an event have been counted. Which event has them is the processor's matter: its numbers come from `dynopt run`, which asks
 * libpfm4. They are told as run-time addresses, newest first.
 */
#include "sampler_ip.h"

#include "sys.h"
#include "world.h"

#include <errno.h>

#define RING_PAGES 16
#define FIRST_PERIOD_NS 1000000u

static struct {
	struct perf_rings rings;
	bool by_rate; /* the kernel chooses the period */
	sampler_take_fn *take;
	void *ctx;
} lbr;

/* Samples in a second, or events between two samples, of which there may be one each nanosecond. */
static u64 period_of(u64 ns)
{
	return lbr.by_rate ? 1000000000u / (ns ? ns : 1) : ns;
}

static long open_branches(int pid)
{
	const struct options *options = &world->options;
	struct perf_event_attr attr = {
		.type = (u32)options->branch_type,
		.config = options->branch_config,
		.config1 = options->branch_config1,
		.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_BRANCH_STACK,
		.branch_sample_type = PERF_SAMPLE_BRANCH_USER | PERF_SAMPLE_BRANCH_ANY,
		.freq = 1,
	};
	long result;

	lbr.by_rate = true;
	attr.sample_freq = period_of(FIRST_PERIOD_NS);
	result = perf_rings_open(&lbr.rings, &attr, pid, RING_PAGES);
	if (result != -EINVAL)
		return result;
	lbr.by_rate = false; /* AMD BRS wants a fixed period */
	attr.freq = 0;
	attr.sample_period = period_of(FIRST_PERIOD_NS);
	return perf_rings_open(&lbr.rings, &attr, pid, RING_PAGES);
}

static long lbr_open(int pid)
{
	long result;

	if (!world->options.branches)
		return -EOPNOTSUPP;
	result = sampler_ip_open(pid);
	if (result)
		return result;
	result = open_branches(pid);
	if (result)
		sampler_ip_close();
	return result;
}

static u64 lbr_period(u64 ns)
{
	perf_rings_period(&lbr.rings, period_of(ns));
	return sampler_ip_period(ns);
}

static void lbr_rest(bool rest)
{
	perf_rings_rest(&lbr.rings, rest);
	sampler_ip_rest(rest);
}

static void pass_on(void *ctx, const struct perf_sample *sample)
{
	(void)ctx;
	lbr.take(lbr.ctx, &(struct sample){ .rip = sample->ip, .more = sample });
}

static long lbr_read(sampler_take_fn *take, void *ctx)
{
	lbr.take = take;
	lbr.ctx = ctx;
	perf_rings_read(&lbr.rings, pass_on, NULL);
	return sampler_ip_read(take, ctx);
}

static void lbr_close(void)
{
	perf_rings_close(&lbr.rings);
	sampler_ip_close();
}

const struct sampler sampler_lbr = { "lbr", lbr_open, lbr_period, lbr_rest, lbr_read, lbr_close };
