/* SPDX-License-Identifier: MIT */
/*
 * sampler_ip.c - the software event cpu-clock of perf_event_open(2). Needs no hardware counter, and no privilege while
 * perf_event_paranoid is at most 2. Sampler `walk` is the same with the thread's registers and
 * the top of its stack in each sample (walker.h), for which there is less room where memory for rings is short (perf_event_mlock_kb).
 */
#include "sampler_ip.h"

#include "walker.h"

#define RING_PAGES 8
#define RING_PAGES_WALK 16 /* for 90 samples */
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
	struct perf_event_attr attr = event;

	attr.sample_type |= PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER;
	attr.sample_regs_user = WALKER_REGS;
	attr.sample_stack_user = WALKER_STACK;
	return perf_rings_open(&ip.rings, &attr, pid, RING_PAGES_WALK);
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
	                              sampler_ip_rest, sampler_ip_read, sampler_ip_close };
