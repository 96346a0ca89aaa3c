/* SPDX-License-Identifier: MIT */
/*
 * sampler.c - see sampler.h: chooses one and passes on to it.
 */
#include "sampler.h"

#include "sys.h"

#include <errno.h>

#define REST_NS 300000u /* of the agent's CPU time, at most */
#define ENTRIES \
	24 /* into the kernel take as long as a sample: the timer's interrupt, what is written, and what the program's caches and TLB lose */
#define TRIES 3 /* as others may come between */
#define ENTRIES_TRIED 8

static const struct sampler *const samplers[] = { NULL,
#define X(name, how) &sampler_##name,
	                                          STATUS_SAMPLERS(X)
#undef X
};

static const struct sampler *open_one;

static bool is_called(const char *name, const struct sampler *sampler)
{
	u32 n = 0;

	while (name[n] && name[n] == sampler->name[n])
		n++;
	return name[n] == sampler->name[n];
}

long sampler_open(const char *name, int pid, u32 *kind)
{
	long result = -EINVAL;

	*kind = STATUS_SAMPLER_none;
	for (u32 i = 1; i < sizeof(samplers) / sizeof(samplers[0]); i++) {
		if (name[0] && !is_called(name, samplers[i]))
			continue;
		result = samplers[i]->open(pid);
		if (result == 0) {
			open_one = samplers[i];
			*kind = i;
			return 0;
		}
	}
	return result;
}

u64 sampler_period(u64 ns)
{
	return open_one->period(ns);
}

static u64 entries_ns(void)
{
	u64 began = sys_now_ns();

	for (u32 i = 0; i < ENTRIES_TRIED; i++)
		sys_getpid();
	return sys_now_ns() - began;
}

u64 sampler_cost(void)
{
	u64 least_ns = entries_ns();

	for (u32 i = 1; i < TRIES; i++) {
		u64 ns = entries_ns();

		least_ns = ns < least_ns ? ns : least_ns;
	}
	return least_ns * ENTRIES / (ENTRIES_TRIED + 1);
}

void sampler_rest(bool rest)
{
	static bool dear;
	u64 began = sys_cpu_ns();

	if (!open_one->rest || (rest && dear))
		return;
	open_one->rest(rest);
	dear = dear || sys_cpu_ns() - began > REST_NS;
}

long sampler_read(sampler_take_fn *take, void *ctx)
{
	return open_one->read(take, ctx);
}

void sampler_close(void)
{
	if (open_one)
		open_one->close();
	open_one = NULL;
}
