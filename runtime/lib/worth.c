/* SPDX-License-Identifier: MIT */
/*
 * worth.c - see worth.h.
 */
#include "worth.h"

#define MOST_ENTRIES ((u64)1 << 18) /* after scaling; products with costs fit in 63 bits */

/* What a jump into a translation, or out of it, is thought to take, in instructions. */
static u32 price(bool sampled)
{
	return sampled ? WORTH_JUMP : 1;
}

void worth_of(const struct code *code, bool sampled, struct verdict *out)
{
	out->gain = (s64)(code->cost_original - code->cost);
	out->toll = sampled ? code->cost / WORTH_TOLL : 0;
	for (u32 i = 0; i < code->n_fixups; i++)
		if (code->fixups[i].kind == FIXUP_EXIT)
			out->toll += (u64)code->fixups[i].flow * (price(sampled) - 1);
}

s64 worth_alone(const struct verdict *verdict, u32 jumps, bool sampled)
{
	return verdict->gain - (s64)(COST_ENTRY * jumps * price(sampled));
}

/* Entries become as small as products need. */
static void scale(struct worth *w)
{
	u64 most = 0;
	u32 shift = 0;

	for (u32 i = 0; i < w->n; i++)
		if (w->verdicts[i].entries > most)
			most = w->verdicts[i].entries;
	while (most >> shift > MOST_ENTRIES)
		shift++;
	for (u32 i = 0; i < w->n; i++)
		if (w->verdicts[i].entries)
			w->verdicts[i].entries = (w->verdicts[i].entries >> shift) + 1;
}

/* Who comes to whom by a link, of those that are kept. */
static void sum_linked(struct worth *w)
{
	for (u32 i = 0; i < w->n; i++)
		w->verdicts[i].linked = 0;
	for (u32 i = 0; i < w->n; i++) {
		const struct verdict *from = &w->verdicts[i];

		for (u32 k = 0; k < from->n && !from->status && from->known; k++) {
			const struct lead *lead = &w->leads[from->first + k];

			if (lead->site < w->n)
				w->verdicts[lead->site].linked += lead->flow * from->entries;
		}
	}
}

/* What comes through the site itself, in COST_ENTRY-ths of an entry. */
static u64 through_site(const struct verdict *v)
{
	u64 all = v->entries * COST_ENTRY;
	u64 rest = v->known ? all - (v->linked < all ? v->linked : all) : all;

	/* Jumps through tables of other translations cost no jump either: three in four that come there are taken to be theirs. */
	return v->tabled ? rest / 4 : rest;
}

u64 worth_paid(const struct verdict *verdict)
{
	return through_site(verdict) / verdict->entries * verdict->jumps;
}

/* What all translations together save more with this one; one that is live already has to lose a little before that is believed. */
static s64 worth_of_site(const struct worth *w, u32 i)
{
	const struct verdict *v = &w->verdicts[i];
	s64 sum = (s64)v->entries * (v->gain - (s64)v->toll) -
	          (s64)(through_site(v) * v->jumps * price(w->sampled));

	if (v->live)
		sum += (s64)(v->entries * WORTH_SLACK);
	for (u32 k = 0; k < v->n && v->known; k++) {
		const struct lead *lead = &w->leads[v->first + k];
		const struct verdict *to;
		u64 flow = lead->flow * v->entries;

		if (lead->site == WORTH_EARLIER)
			sum += (s64)(flow * price(w->sampled));
		if (lead->site >= w->n || lead->site == i)
			continue;
		to = &w->verdicts[lead->site];
		if (!to->known || to->status)
			continue;
		if (flow > to->entries * COST_ENTRY)
			flow = to->entries * COST_ENTRY;
		sum += (s64)(flow * to->jumps * price(w->sampled));
	}
	return sum;
}

void worth_together(struct worth *w)
{
	bool dropped;

	scale(w);
	do {
		dropped = false;
		sum_linked(w);
		for (u32 i = 0; i < w->n; i++) {
			if (w->verdicts[i].status || worth_of_site(w, i) > 0)
				continue;
			w->verdicts[i].status = STATUS_COST_GAIN;
			dropped = true;
		}
	} while (dropped);
}
