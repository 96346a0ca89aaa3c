/* SPDX-License-Identifier: MIT */
/*
 * sampler_ip.c - the software event cpu-clock of perf_event_open(2). Needs no hardware counter, and no privilege while
 * perf_event_paranoid is at most 2. Sampler `walk` is the same, where threads can be looked at while they stand still, too (still.h).
 */
#include "sampler_ip.h"

#include "still.h"
#include "sys.h"

#define RING_PAGES 8
#define FIRST_PERIOD_NS 1000000u

static struct {
	struct perf_rings rings;
	sampler_take_fn *take;
	void *ctx;
} ip;

static const struct perf_event_attr event = {
	.type = PERF_TYPE_SOFTWARE,
	.config = PERF_COUNT_SW_CPU_CLOCK,
	.sample_period = FIRST_PERIOD_NS,
	.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID,
};

long sampler_ip_open(int pid)
{
	return perf_rings_open(&ip.rings, &event, pid, RING_PAGES);
}

static long walk_open(int pid)
{
	long result = still_open(pid);

	if (!sys_failed(result))
		result = sampler_ip_open(pid);
	if (sys_failed(result))
		still_close();
	return result;
}

static void walk_close(void)
{
	still_close();
	sampler_ip_close();
}

u64 sampler_ip_period(u64 ns)
{
	perf_rings_period(&ip.rings, ns);
	return ns;
}

void sampler_ip_rest(bool rest)
{
	perf_rings_rest(&ip.rings, rest);
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

const struct sampler sampler_ip = {
	"ip", sampler_ip_open, sampler_ip_period, sampler_ip_rest, sampler_ip_read, sampler_ip_close
};
const struct sampler sampler_walk = { "walk",          walk_open,       sampler_ip_period,
	                              sampler_ip_rest, sampler_ip_read, walk_close };
