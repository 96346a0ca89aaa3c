/* SPDX-License-Identifier: MIT */
/*
 * rate.c - see rate.h.
 */
#include "rate.h"

static u64 wanted(const struct rate *rate)
{
	bool lively = rate->phase_ns <= RATE_QUIET_AFTER_NS;
	bool settled = rate->unchanged >= RATE_SETTLED || rate->look_ns > RATE_QUIET_AFTER_NS;

	if ((settled && !lively) || rate->saves_up)
		return RATE_QUIET_NS;
	if (!rate->paid || (rate->unchanged && !lively))
		return RATE_RARE_NS;
	return rate->read ? RATE_NEXT_NS : RATE_FIRST_NS;
}

u64 rate_period(const struct rate *rate)
{
	u64 first_ns = rate->sample_ns * RATE_PART;

	if (rate->all)
		return RATE_FIRST_NS;
	return first_ns > RATE_FIRST_NS ? wanted(rate) * first_ns / RATE_FIRST_NS : wanted(rate);
}
