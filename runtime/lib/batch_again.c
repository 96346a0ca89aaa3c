/* SPDX-License-Identifier: MIT */
/*
 * batch_again.c - see batch_again.h.
 *
 * Old and new tree are judged by the samples of today: of what a translation saves for each entry, the old one's branches count as often
 * as they are taken now.
 */
#include "batch_again.h"

#include "store.h"
#include "translate.h"

#define TIMES 4 /* a site is translated at most */
#define BETTER 8 /* saves one of so many more than the old one */
#define BETTER_LEAST \
	(COST_ENTRY / 4) /* and so much, for COST_ENTRY entries: a quarter of an instruction */
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
	for (u32 i = 0; i < GROW_BLOCKS; i++) {
		const struct flow *flow = flow_of(b->flows, addr);
		const struct flow_block *block = flow ? flow_block_at(flow, addr) : NULL;

		if (!block || block->taken)
			return block ? block->taken : 0;
		if (block->role != ROLE_PLAIN)
			return 0;
		addr = block->end;
	}
	return 0;
}

/* What a tree saves for COST_ENTRY entries; false: it is refused. */
static bool saves(struct batch *b, const struct trace *trace, s64 *gain)
{
	u64 mark = arena_mark(b->scratch);
	struct code code;
	enum status status = translate(b->text, trace, b->scratch, &code, NULL);

	if (!status)
		*gain = (s64)(code.cost_original - code.cost);
	arena_release(b->scratch, mark);
	return !status;
}

static bool is_better(struct batch *b, const struct workshop_trace *old, u64 site)
{
	struct grown grown;
	struct trace trace, before = { 0 };
	struct trace_block blocks[GROW_BLOCKS];
	s64 gain, gain_before;

	if (batch_trace(b, site, &grown, &trace) != STATUS_OK || same_tree(old, &trace) ||
	    old->n_blocks > GROW_BLOCKS)
		return false;
	memcpy(blocks, old->blocks, old->n_blocks * sizeof(*blocks));
	for (u32 i = 0; i < old->n_blocks; i++)
		blocks[i].branch = taken_from(b, blocks[i].start);
	before.blocks = blocks;
	before.n_blocks = old->n_blocks;
	return saves(b, &trace, &gain) && saves(b, &before, &gain_before) &&
	       gain - gain_before > gain_before / BETTER + BETTER_LEAST;
}

bool batch_is_again(const struct batch *b, u64 site)
{
	for (u32 i = 0; i < b->n_again; i++)
		if (b->again[i] == site)
			return true;
	return false;
}

bool batch_again(struct batch *b, u64 site)
{
	const struct workshop_trace *old = b->flows ? trace_of(b->w, site) : NULL;

	if (!old || old->times >= TIMES || b->n_again == BATCH_AGAIN || batch_is_again(b, site) ||
	    !is_better(b, old, site))
		return false;
	b->again[b->n_again++] = site;
	return true;
}

u64 batch_old_slot(const struct batch *b, u64 site)
{
	u32 at;

	for (u32 i = world->n_images; batch_is_again(b, site) && i-- > 0;) {
		const struct image *image = &world->images[i];

		if (image->record == b->w->record->record && store_site(image, site, &at))
			return image->sites[at].hop.kind == HOP_SLOT ? image->sites[at].hop.slot
			                                             : 0;
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
	for (u32 i = 0; i < b->n_again; i++) {
		workshop_set_site(b->w, b->again[i], true);
		b->w->fates[b->again[i] - b->text->start] = FATE_TRANSLATED;
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

static void retire(struct batch *b, struct image *image, struct translation *t)
{
	u64 start = image->areas[t->area].start + t->at, end = start + t->size;
	u32 site;

	t->retired = true;
	image->renewed = true;
	if (store_site(image, t->site, &site))
		image->sites[site].retired = true;
	cut_links(image, start, end, start, end); /* its loops, which lead to its blocks */
	for (u32 i = 0; i < world->n_images; i++) {
		if (world->images[i].record != image->record)
			continue;
		cut_links(&world->images[i], start, start + 1, 0, ~(u64)0);
		cut_entries(&world->images[i], start);
	}
	b->record->n_replaced++;
	b->record->n_translated--;
	b->record->insns -= t->n_insns;
}

void batch_retire(struct batch *b, const struct image *made)
{
	for (u32 i = 0; i < b->n_again; i++) {
		for (u32 k = 0; in_batch(b, b->again[i]) && k < world->n_images; k++) {
			struct image *image = &world->images[k];

			if (image == made || image->record != b->w->record->record)
				continue;
			for (u32 n = 0; n < image->n_translations; n++)
				if (image->translations[n].site == b->again[i] &&
				    !image->translations[n].retired)
					retire(b, image, &image->translations[n]);
		}
	}
}
