/* SPDX-License-Identifier: MIT */
/*
 * batch_again.c - see batch_again.h.
 *
 * Old and new tree are judged by the samples of today: of what a translation saves for each entry, the old one's branches count as often
 * as they are taken now.
 */
#include "batch_again.h"

#include "cost.h"
#include "store.h"
#include "worth.h"

#define TIMES 4 /* a site is translated at most */
#define BETTER 8 /* saves one of so many more than the old one, and WORTH_SLACK */
#define TRACES_BYTES (16u << 20)

struct workshop_trace {
	u64 site;
	u32 n_blocks, times;
	struct trace_block blocks[];
};

static struct workshop_trace *next_trace(const struct workshop_trace *trace)
{
	return (struct workshop_trace *)(uintptr_t)(trace->blocks + trace->n_blocks);
}

/* The last one that was kept for a site; NULL. */
static const struct workshop_trace *trace_of(const struct workshop *w, u64 site)
{
	const struct workshop_trace *trace = (const struct workshop_trace *)w->traces.base;
	const struct workshop_trace *end = (const struct workshop_trace *)(w->traces.base +
	                                                                   w->traces.used),
				    *found = NULL;

	for (; trace < end; trace = next_trace(trace))
		if (trace->site == site)
			found = trace;
	return found;
}

void batch_keep_trace(struct batch *b, u64 site, const struct trace *trace)
{
	const struct workshop_trace *before;
	struct workshop_trace *kept;
	u64 bytes = trace->n_blocks * sizeof(struct trace_block);

	if (!b->flows || (!b->w->traces.base && !pool_open(&b->w->traces, TRACES_BYTES)))
		return;
	before = trace_of(b->w, site);
	kept = pool_take(&b->w->traces, sizeof(*kept) + bytes);
	if (!kept)
		return;
	kept->site = site;
	kept->n_blocks = trace->n_blocks;
	kept->times = before ? before->times + 1 : 1;
	memcpy(kept->blocks, trace->blocks, bytes);
}

static bool same_tree(const struct workshop_trace *old, const struct trace *trace)
{
	bool same = old->n_blocks == trace->n_blocks;

	for (u32 i = 0; same && i < old->n_blocks; i++)
		same = old->blocks[i].start == trace->blocks[i].start &&
		       old->blocks[i].parent == trace->blocks[i].parent;
	return same;
}

/* How often the branch is taken that ends the path from addr straight on, as a trace says it; 0: there is none. */
static u32 taken_from(struct batch *b, u64 addr)
{
	const struct flow_block *block = NULL;

	for (u32 i = 0; i < GROW_BLOCKS; i++) {
		block = flow_block_of(b->flows, addr, block);

		if (!block || block->taken)
			return block ? block->taken : 0;
		if (block->role != ROLE_PLAIN)
			return 0;
		addr = block->end;
	}
	return 0;
}

bool batch_often(const struct batch *b, u64 site)
{
	const struct workshop_trace *old = b->flows ? trace_of(b->w, site) : NULL;

	return old && old->times >= TIMES;
}

bool batch_old_trace(struct batch *b, u64 site, struct grown *old)
{
	const struct workshop_trace *kept = trace_of(b->w, site);
	struct grown grown;
	struct trace trace;

	if (!kept || kept->n_blocks > GROW_BLOCKS ||
	    batch_trace(b, site, &grown, &trace) != STATUS_OK || same_tree(kept, &trace))
		return false;
	memcpy(old->blocks, kept->blocks, kept->n_blocks * sizeof(old->blocks[0]));
	for (u32 i = 0; i < kept->n_blocks; i++)
		old->blocks[i].branch = taken_from(b, old->blocks[i].start);
	old->trace = trace;
	old->trace.blocks = old->blocks;
	old->trace.n_blocks = kept->n_blocks;
	return true;
}

bool batch_is_better(s64 gain, s64 gain_before)
{
	return gain - gain_before > (gain_before > 0 ? gain_before / BETTER : 0) + WORTH_SLACK;
}

/* ---- which are judged ---- */

static bool is_meant(const struct batch *b, const struct image *image, const struct translation *t)
{
	return image->record == b->w->record->record && !t->retired;
}

static bool in_ranges(const struct batch_range *ranges, u32 n_ranges, u64 addr)
{
	for (u32 i = 0; i < n_ranges; i++)
		if (addr >= ranges[i].start && addr < ranges[i].end)
			return true;
	return false;
}

enum status batch_find_published(struct batch *b, const struct batch_range *ranges, u32 n_ranges)
{
	u32 n = 0, at;

	for (u32 i = 0; i < world->n_images; i++)
		if (world->images[i].record == b->w->record->record)
			n += world->images[i].n_translations;
	b->published = arena_alloc(b->scratch, n, sizeof(*b->published));
	if (n && !b->published)
		return STATUS_WORKSPACE;
	for (u32 i = 0; i < world->n_images; i++) {
		const struct image *image = &world->images[i];

		for (u32 k = 0; k < image->n_translations; k++) {
			const struct translation *t = &image->translations[k];

			if (!is_meant(b, image, t) || !in_ranges(ranges, n_ranges, t->site) ||
			    !store_site(image, t->site, &at) ||
			    image->sites[at].hop.kind == HOP_CALL)
				continue;
			b->published[b->n_published++] =
				(struct published){ .site = t->site, .fate = PUBLISHED_KEPT };
			batch_take_site(b, t->site);
		}
	}
	return STATUS_OK;
}

struct published *batch_published(const struct batch *b, u64 site)
{
	for (u32 i = 0; i < b->n_published; i++)
		if (b->published[i].site == site)
			return &b->published[i];
	return NULL;
}

void batch_withdraw_front(struct batch *b, u64 function)
{
	b->published[b->n_published++] =
		(struct published){ .site = function, .fate = PUBLISHED_WITHDRAWN, .front = true };
	batch_drop_site(b, function);
}

u64 batch_old_slot(const struct batch *b, u64 site)
{
	u32 at;

	for (u32 i = world->n_images; i-- > 0;) {
		const struct image *image = &world->images[i];

		if (image->record == b->w->record->record && store_at(image, site, &at) &&
		    image->sites[at].hop.kind == HOP_SLOT)
			return image->sites[at].hop.slot;
	}
	return 0;
}

static const struct translation *in_batch(const struct batch *b, u64 site)
{
	const struct translation *all = (const struct translation *)b->translations.base;
	u64 n = b->translations.used / sizeof(*all);

	for (u64 i = 0; i < n; i++)
		if (all[i].site == site)
			return &all[i];
	return NULL;
}

void batch_settle_again(struct batch *b)
{
	for (u32 i = 0; i < b->n_published; i++) {
		struct published *p = &b->published[i];

		if (p->fate != PUBLISHED_REPLACED || in_batch(b, p->site))
			continue;
		p->fate = PUBLISHED_KEPT;
		workshop_set_site(b->w, p->site, true);
		b->w->fates[p->site - b->text->start] = FATE_TRANSLATED;
	}
}

/* ---- the old ones ---- */

/* Links that lead to module addresses [start, end) and stand in [from, to) of the image's areas lead to original text. */
static void cut_links(struct image *image, u64 start, u64 end, u64 from, u64 to)
{
	for (u32 i = 0; i < image->n_areas; i++) {
		struct area *area = &image->areas[i];

		for (u32 k = 0; k < area->n_links; k++) {
			struct link *link = &area->links[k];
			u64 behind = area->start + link->at + sizeof(s32);
			u64 target = behind + (u64)(s64)link->linked;

			if (target >= start && target < end && behind > from && behind <= to &&
			    link->linked != link->original) {
				link->linked = link->original;
				memcpy(area->staging + link->at, &link->linked, sizeof(s32));
				image->renewed = true;
			}
		}
	}
}

static void cut_entries(struct image *image, u64 target)
{
	for (u32 i = 0; i < image->n_areas; i++)
		for (u32 k = 0; k < image->areas[i].n_entries; k++) {
			struct entry *entry = &image->areas[i].entries[k];

			if (entry->linked != target)
				continue;
			entry->linked = entry->original;
			image->renewed = true;
		}
}

/* Sites and calls that lead to a translation. */
static void retire_sites(struct batch *b, struct image *image, u64 start)
{
	for (u32 i = 0; i < image->n_sites; i++) {
		if (image->sites[i].hop.target != start || image->sites[i].retired)
			continue;
		image->sites[i].retired = true;
		b->record->hops[image->sites[i].hop.kind]--;
	}
}

static void retire(struct batch *b, struct image *image, struct translation *t)
{
	u64 start = image->areas[t->area].start + t->at, end = start + t->size;

	t->retired = true;
	image->renewed = true;
	retire_sites(b, image, start);
	cut_links(image, start, end, start, end); /* its loops, which lead to its blocks */
	for (u32 i = 0; i < world->n_images; i++) {
		if (world->images[i].record != image->record)
			continue;
		cut_links(&world->images[i], start, start + 1, 0, ~(u64)0);
		cut_entries(&world->images[i], start);
	}
	b->record->n_translated--;
	b->record->insns -= t->n_insns;
}

static void retire_site(struct batch *b, const struct image *made, u64 site)
{
	for (u32 i = 0; i < world->n_images; i++) {
		struct image *image = &world->images[i];

		for (u32 k = 0; image != made && k < image->n_translations; k++)
			if (is_meant(b, image, &image->translations[k]) &&
			    image->translations[k].site == site)
				retire(b, image, &image->translations[k]);
	}
}

void batch_retire(struct batch *b, const struct image *made)
{
	for (u32 i = 0; i < b->n_published; i++) {
		const struct published *p = &b->published[i];

		if (p->fate == PUBLISHED_KEPT || (p->fate == PUBLISHED_REPLACED && !made))
			continue;
		retire_site(b, made, p->site);
		b->record->n_replaced += p->fate == PUBLISHED_REPLACED;
		b->record->n_withdrawn += p->fate == PUBLISHED_WITHDRAWN && !p->front;
	}
}
