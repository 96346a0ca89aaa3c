/* SPDX-License-Identifier: MIT */
/*
 * sampler_ip.c - the software event cpu-clock of perf_event_open(2). Needs no hardware counter, and no privilege while
 * perf_event_paranoid is at most 2.
 */
#include "sampler_ip.h"

#include "sys.h"

#define RING_PAGES 8
#define FIRST_PERIOD_NS 1000000u

static struct {
	struct perf_rings rings;
	sampler_take_fn *take;
	void *ctx;
} ip;

long sampler_ip_open(int pid)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = FIRST_PERIOD_NS,
		.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID,
	};

	return perf_rings_open(&ip.rings, &attr, pid, RING_PAGES);
}

u64 sampler_ip_period(u64 ns)
{
	perf_rings_period(&ip.rings, ns);
	return ns;
}

static void pass_on(void *ctx, const struct perf_sample *sample)
{
	(void)ctx;
	ip.take(ip.ctx, &(struct sample){ .rip = sample->ip, .timed = true, .more = sample });
}

long sampler_ip_read(sampler_take_fn *take, void *ctx)
{
	ip.take = take;
	ip.ctx = ctx;
	perf_rings_read(&ip.rings, pass_on, NULL);
	return 0;
}

void sampler_ip_close(void)
{
	perf_rings_close(&ip.rings);
}

const struct sampler sampler_ip = { "ip", sampler_ip_open, sampler_ip_period, sampler_ip_read,
	                            sampler_ip_close };
