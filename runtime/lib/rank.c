/* SPDX-License-Identifier: MIT */
/*
 * rank.c - see rank.h.
 */
#include "rank.h"

void rank_count(const struct status_function *f, struct status_heat *sums)
{
	u64 outside = f->samples - f->samples_cache;

	sums->samples += f->samples;
	sums->samples_cache += f->samples_cache;
	sums->outside[f->why] += outside;
	if (f->why == STATUS_HEAT_REFUSED && f->status < STATUS_REASONS)
		sums->refused[f->status] += outside;
}

/* By insertion. */
void rank_keep(struct status_function *all, u32 *n, const struct status_function *f)
{
	u32 at = *n;

	if (at == STATUS_FUNCTIONS && all[at - 1].samples >= f->samples)
		return;
	at -= at == STATUS_FUNCTIONS;
	*n = at + 1;
	for (; at > 0 && all[at - 1].samples < f->samples; at--)
		all[at] = all[at - 1];
	all[at] = *f;
}
