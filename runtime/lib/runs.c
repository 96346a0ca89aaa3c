/* SPDX-License-Identifier: MIT */
/*
 * runs.c - see runs.h. A list holds what ends in the same LINE bytes, and what the hash puts beside it.
 */
#include "runs.h"

#include "perf_record.h"

#define LINE 256u

static u32 list_of(u64 addr)
{
	return (u32)((addr / LINE * 0x9e3779b97f4a7c15u) >> 40) & (RUNS_LISTS - 1);
}

/* Halves all counts, and once more until there is room. */
static void cool(struct runs *runs)
{
	for (u32 i = 0; i < RUNS_LISTS; i++)
		for (u16 *link = &runs->lists[i]; *link;) {
			struct run *run = &runs->at[*link - 1];
			u16 index = *link;

			run->n /= 2;
			if (run->n) {
				link = &run->next;
				continue;
			}
			*link = run->next;
			run->next = runs->free;
			runs->free = index;
		}
}

/* Index and 1. */
static u16 new_one(struct runs *runs)
{
	u16 index;

	while (!runs->free && runs->touched == RUNS_MAX)
		cool(runs);
	if (!runs->free)
		return (u16)++runs->touched;
	index = runs->free;
	runs->free = runs->at[index - 1].next;
	return index;
}

static struct run *find(struct runs *runs, u64 start, u64 last, u64 to)
{
	for (u16 index = runs->lists[list_of(last)]; index;) {
		struct run *run = &runs->at[index - 1];

		if (run->last == last && run->start == start && run->to == to)
			return run;
		index = run->next;
	}
	return NULL;
}

void runs_add(struct runs *runs, u64 start, u64 last, u64 to, u32 n)
{
	struct run *run = find(runs, start, last, to);

	if (!run) {
		u16 index = new_one(runs), *list = &runs->lists[list_of(last)];

		run = &runs->at[index - 1];
		*run = (struct run){ start, last, to, 0, *list };
		*list = index;
	}
	run->n += n < 0xffffffffu - run->n ? n : 0xffffffffu - run->n;
}

void runs_add_stack(struct runs *runs, const struct perf_branch *branches, u32 n, u64 ip)
{
	u64 start = 0;

	while (n-- > 0) {
		const struct perf_branch *branch = &branches[n];

		if (branch->from < start) /* a gap, as interrupts leave */
			start = 0;
		if (branch->from && branch->to)
			runs_add(runs, start, branch->from, branch->to, 1);
		start = branch->to;
	}
	if (start && ip >= start)
		runs_add(runs, start, ip, 0, 1);
}

const struct run *runs_next(const struct runs *runs, u32 *at)
{
	while (*at < runs->touched)
		if (runs->at[(*at)++].n)
			return &runs->at[*at - 1];
	return NULL;
}

void runs_each(const struct runs *runs, u64 from, u64 to,
               void (*each)(void *ctx, const struct run *run), void *ctx)
{
	for (u64 line = from / LINE; runs->touched && line * LINE < to; line++)
		for (u16 index = runs->lists[list_of(line * LINE)]; index;) {
			const struct run *run = &runs->at[index - 1];

			if (run->last / LINE == line && run->last >= from && run->last < to)
				each(ctx, run);
			index = run->next;
		}
}
