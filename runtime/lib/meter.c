/* SPDX-License-Identifier: MIT */
/*
 * meter.c - see meter.h.
 */
#include "meter.h"

void meter_want(struct meter *meter, u64 wanted_ns)
{
	meter->stands_ns = wanted_ns;
	meter->until_ns = 0;
	meter->from_ns = meter->cpu_ns;
	meter->n = 0;
}

static bool is_rest_over(struct meter *meter)
{
	if (meter->cpu_ns < meter->until_ns)
		return false;
	meter->until_ns = 0;
	meter->from_ns = meter->cpu_ns;
	meter->n = 0;
	return true;
}

bool meter_rests(struct meter *meter, u64 clock_ns, u64 n, u64 wanted_ns)
{
	u64 passed, due;

	if (!clock_ns) { /* the samples are the clock */
		meter->cpu_ns += n * meter->stands_ns;
		return false;
	}
	if (clock_ns > meter->cpu_ns)
		meter->cpu_ns = clock_ns;
	if (meter->until_ns)
		return !is_rest_over(meter);
	meter->n += n;
	if (meter->n < METER_LEAST)
		return false;
	passed = meter->cpu_ns - meter->from_ns;
	due = meter->n * wanted_ns;
	if (passed + passed / METER_MORE < due) {
		meter->until_ns = meter->from_ns + due;
		meter->stands_ns = wanted_ns;
		return true;
	}
	meter->stands_ns = passed / meter->n;
	meter->from_ns = meter->cpu_ns;
	meter->n = 0;
	return false;
}
