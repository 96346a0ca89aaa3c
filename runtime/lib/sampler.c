/* SPDX-License-Identifier: MIT */
/*
 * sampler.c - see sampler.h: chooses one and passes on to it.
 */
#include "sampler.h"

#include "sys.h"

#include <errno.h>

#define REST_NS 300000u /* of the agent's CPU time, at most */

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
