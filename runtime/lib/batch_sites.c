/* SPDX-License-Identifier: MIT */
/*
 * batch_sites.c - which places of a module a batch translates, and how they are reached.
 *
 *     heads (all, warm ones, a file's) -> sites -> judged (batch_judge.c) -> hops
 */
#include "batch_private.h"

#include "batch_again.h"
#include "names.h"
#include "traces.h"
#include "warm.h"

static bool site_at(const void *ctx, u64 addr)
{
	return workshop_is_site(ctx, addr);
}

void batch_drop_site(struct batch *b, u64 addr)
{
	u64 i = addr - b->text->start;

	workshop_set_site(b->w, addr, false);
	b->fresh[i / 8] &= (u8) ~(1 << i % 8);
}

void batch_take_site(struct batch *b, u64 addr)
{
	u64 i = addr - b->text->start;

	workshop_set_site(b->w, addr, true);
	b->fresh[i / 8] |= (u8)(1 << i % 8);
}

void batch_count(struct batch *b, enum status status, u64 head)
{
	if (status >= STATUS_REASONS)
		return;
	if (head - b->text->start < b->text->end - b->text->start)
		b->w->fates[head - b->text->start] = (u8)status;
	b->record->refused[status]++;
	if (!b->record->refused_at[status])
		b->record->refused_at[status] = head;
}

/* Where jumps through tables lead that may lead to translations. */
static bool find_cases(struct batch *b)
{
	b->cases = arena_alloc(b->scratch, (b->text->end - b->text->start) / 8 + 1, 1);
	for (u32 i = 0; b->cases && i < b->text->n_tables; i++) {
		const struct text_table *table = &b->text->tables[i];

		for (u64 k = 0; table->targets && k < table->count; k++)
			if (!text_table_at(b->text, b->text->start + table->targets[k]))
				set_bit(b->cases, table->targets[k]);
	}
	return b->cases;
}

static bool is_head(struct batch *b, u64 addr)
{
	u16 marks = text_marks(b->text, addr);

	if (!warm_is_head(marks) &&
	    !(warm_may_begin(marks) &&
	      ((b->flows && (marks & TEXT_TARGET)) || has_bit(b->cases, addr - b->text->start))))
		return false;
	return !b->flows || warm_enough(b->flows, addr, world->options.inline_calls);
}

/* Settles where a head is entered; its site, or 0. */
static u64 find_site(struct batch *b, u64 head)
{
	u64 site;
	u32 len;
	enum status status = text_site(b->text, head, b->w->decoder, &site, &len, NULL);

	b->record->n_heads++;
	if (!status && (site_at(b->w, site) || batch_often(b, site)))
		return 0;
	if (status) {
		batch_count(b, status, head);
		return 0;
	}
	batch_take_site(b, site);
	return site;
}

static enum status find_traced_sites(struct batch *b, struct failure *fail)
{
	enum status status =
		traces_of(names_file(b->record->path), b->scratch, &b->traces, &b->n_traces, fail);

	if (status)
		return status;
	b->trace_sites = arena_alloc(b->scratch, b->n_traces + 1, sizeof(*b->trace_sites));
	if (!b->trace_sites)
		return failed(fail, STATUS_WORKSPACE, 0, b->n_traces);
	for (u32 i = 0; i < b->n_traces; i++)
		b->trace_sites[i] = find_site(b, b->traces[i].blocks[0].start);
	return STATUS_OK;
}

static void find_sites(struct batch *b, const struct batch_range *range)
{
	u64 start = range->start > b->text->start ? range->start : b->text->start;
	u64 end = range->end < b->text->end ? range->end : b->text->end;

	for (u64 addr = start; addr < end; addr++)
		if (is_head(b, addr))
			find_site(b, addr);
}

/* Lists the sites in order of address, each with its length. */
static enum status list_sites(struct batch *b, struct failure *fail)
{
	u64 bytes = b->text->end - b->text->start;
	u32 n = 0;

	for (u64 i = 0; i < (bytes + 7) / 8; i++)
		n += (u32)__builtin_popcount(b->fresh[i]);
	b->hops = arena_alloc(b->scratch, n, sizeof(*b->hops));
	if (n && !b->hops)
		return failed(fail, STATUS_WORKSPACE, 0, (u64)n * sizeof(*b->hops));
	for (u64 i = 0; i < bytes; i++) {
		struct insn_brief insn;
		u64 addr = b->text->start + i;

		if (!b->fresh[i / 8])
			i |= 7;
		if (!(b->fresh[i / 8] >> i % 8 & 1))
			continue;
		if (text_brief(b->text, addr, b->w->decoder, &insn, NULL) != STATUS_OK)
			continue;
		b->hops[b->n_hops++] = (struct hop){ .site = addr, .len = insn.len };
	}
	return STATUS_OK;
}

/* A path of its own for each: trees may overlap. */
static bool no_site(const void *ctx, u64 addr)
{
	(void)ctx;
	(void)addr;
	return false;
}

static void grow(struct batch *b, u64 site, struct grown *out)
{
	const struct grow_rules rules = {
		.inline_calls = world->options.inline_calls,
		.is_site = world->options.all ? site_at : no_site,
		.ctx = b->w,
	};

	if (!b->flows)
		grow_trace(b->text, site, &rules, b->w->decoder, out);
	else
		warm_grow(b->flows, site, rules.inline_calls, out);
}

const struct front *batch_front(const struct batch *b, u64 function)
{
	u32 low = 0, high = b->n_fronts;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (b->fronts[middle].function == function)
			return &b->fronts[middle];
		if (b->fronts[middle].function < function)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* The trace by which a site is translated: the file's, entered where the site is, or one grown from it. */
enum status batch_trace(struct batch *b, u64 site, struct grown *grown, struct trace *out)
{
	struct trace_block *blocks;
	const struct front *front;

	if (!b->traces) {
		grow(b, site, grown);
		*out = grown->trace;
		return STATUS_OK;
	}
	front = batch_front(b, site);
	for (u32 i = 0; i < b->n_traces; i++) {
		if (b->trace_sites[i] != (front ? front->site : site))
			continue;
		*out = b->traces[i];
		blocks = arena_alloc(b->scratch, out->n_blocks, sizeof(*blocks));
		if (!blocks)
			return STATUS_WORKSPACE;
		memcpy(blocks, out->blocks, out->n_blocks * sizeof(*blocks));
		blocks[0].start = site;
		out->blocks = blocks;
		return STATUS_OK;
	}
	return STATUS_TRACE_EMPTY;
}

/* Sites that already have a slot keep it; the others are planned together. */
static void plan_hops(struct batch *b, struct hop *others, struct hop_places *places)
{
	u32 n = 0;

	for (u32 i = 0; i < b->n_hops; i++)
		if (!batch_old_slot(b, b->hops[i].site))
			others[n++] = b->hops[i];
	hops_plan(others, n, places);
	for (u32 i = 0, k = 0; i < b->n_hops; i++) {
		u64 slot = batch_old_slot(b, b->hops[i].site);

		if (!slot) {
			b->hops[i] = others[k++];
			continue;
		}
		b->hops[i].kind = HOP_SLOT;
		b->hops[i].slot = slot;
	}
}

void batch_plan_hops(struct batch *b)
{
	struct hop_places places = { .slots = b->w->slots,
		                     .taken = b->w->taken,
		                     .n_slots = b->text->n_slots };
	struct hop *others;

	for (u32 i = 0; i < b->n_hops; i++)
		b->hops[i].target = b->w->cache.areas[b->w->cache.n_areas - 1].start;
	others = arena_alloc(b->scratch, b->n_hops, sizeof(*others));
	if (others)
		plan_hops(b, others, &places);
	for (u32 i = 0; !others && i < b->n_hops; i++)
		b->hops[i].refusal = STATUS_WORKSPACE;
	for (u32 i = 0; i < b->n_hops; i++)
		if (b->hops[i].kind == HOP_NONE) {
			batch_count(b, b->hops[i].refusal, b->hops[i].site);
			batch_drop_site(b, b->hops[i].site);
		}
}

enum status batch_sites(struct batch *b, const struct batch_range *ranges, u32 n_ranges,
                        struct failure *fail)
{
	u64 bytes = b->text->end - b->text->start;
	enum status status = STATUS_OK;

	b->fresh = arena_alloc(b->scratch, bytes / 8 + 1, 1);
	if (!b->fresh || !find_cases(b))
		return failed(fail, STATUS_WORKSPACE, 0, bytes / 8);
	if (b->anew && batch_find_published(b, ranges, n_ranges))
		return failed(fail, STATUS_WORKSPACE, 0, n_ranges);
	if (world->traces)
		status = find_traced_sites(b, fail);
	else
		for (u32 i = 0; i < n_ranges; i++)
			find_sites(b, &ranges[i]);
	if (!status)
		status = list_sites(b, fail);
	if (!status && b->n_hops && !world->options.all)
		status = batch_judge(b, fail);
	return status;
}
