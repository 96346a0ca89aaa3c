/* SPDX-License-Identifier: MIT */
/*
 * batch.c - see batch.h: sites (batch_sites.c) become translations, and those an image.
 *
 * Sites are settled before anything is translated, so that every tree knows where others begin: its exits
 * lead there directly. Results are pools that are trimmed at the end; the rest lives in the
 * reading's scratch arena. Same file, same heads and same place of the code cache: same bytes.
 */
#include "batch_again.h"

#include "cover.h"
#include "jump.h"
#include "stages.h"
#include "sys.h"
#include "translate.h"

#define CACHE_PER_TEXT 8 /* upper bound of translated bytes for each byte of text */
#define SAVES_MOST 1000 /* of 1000 */

/* Where this batch begins in each area of the code cache. */
static bool open_areas(struct batch *b)
{
	for (u32 i = 0; i < b->w->cache.n_areas; i++) {
		const struct cache_area *from = &b->w->cache.areas[i];
		struct area *area = &b->result.areas[i];
		u64 start = from->start + from->used, size = from->end - start;

		area->start = start;
		area->end = from->end;
		area->mapped = b->w->mapped[i];
		b->result.n_areas++;
		if (!pool_open(&b->staging[i], size) || !pool_open(&b->origins[i], size * 6) ||
		    !pool_open(&b->links[i], size * 3) ||
		    !pool_open(&b->entries[i], size / 8 * sizeof(struct entry)))
			return false;
	}
	return true;
}

static u32 area_of(const struct batch *b, u64 addr)
{
	for (u32 i = 0; i < b->result.n_areas; i++)
		if (addr >= b->result.areas[i].start && addr < b->result.areas[i].end)
			return i;
	return 0;
}

/* Takes over the states of one code, renumbered. False if a pool is used up. */
static bool keep_states(struct batch *b, const struct code *code, u32 *first)
{
	u64 n_pendings = b->pendings.used / sizeof(struct ir_pending);
	u64 n = code->n_states > 1 ? code->n_states - 1 : 0;
	struct ir_state *states = pool_take(&b->states, n * sizeof(*states));
	void *pendings = pool_take(&b->pendings, code->n_pendings * sizeof(struct ir_pending));

	if (!states || !pendings)
		return false;
	*first = (u32)(states - (struct ir_state *)b->states.base);
	for (u64 i = 0; i < n; i++) {
		states[i] = code->states[i + 1];
		states[i].first += (u32)n_pendings;
	}
	memcpy(pendings, code->pendings, code->n_pendings * sizeof(struct ir_pending));
	return true;
}

/* The next `size` bytes of an area; what was left free for alignment is 0xcc. */
static u8 *stage(struct batch *b, u32 i, u32 at, u32 size)
{
	struct area *area = &b->result.areas[i];

	memset(b->staging[i].base + area->used, 0xcc, at - area->used);
	area->used = at + size;
	b->staging[i].used = area->used;
	return b->staging[i].base + at;
}

/* The shadow of a table of the text, all of whose entries still lead to original text. */
static enum status make_shadow(struct batch *b, const struct text_table *table, u64 *addr,
                               struct failure *fail)
{
	u32 size = (u32)table->count * sizeof(u64), i, at;
	struct shadow *shadow = pool_take(&b->shadows, sizeof(*shadow));
	enum status status = cache_reserve(&b->w->cache, size, addr, fail);
	struct entry *entries;

	if (status)
		return status;
	i = area_of(b, *addr);
	at = (u32)(*addr - b->result.areas[i].start);
	entries = pool_take(&b->entries[i], table->count * sizeof(*entries));
	if (!shadow || !entries) {
		cache_abort(&b->w->cache, *addr);
		return failed(fail, STATUS_WORKSPACE, table->addr, size);
	}
	cache_commit(&b->w->cache, *addr);
	*shadow = (struct shadow){ table->addr, *addr };
	memset(stage(b, i, at, size), 0, size);
	for (u32 k = 0; k < table->count; k++) {
		u64 target = b->text->start + table->targets[k];

		/* The jump itself, where the table has no more labels: it is to be made in original text. */
		entries[k] =
			(struct entry){ target, target, at + k * (u32)sizeof(u64),
			                text_table_at(b->text, target) ? NO_IMAGE : OWN_IMAGE };
	}
	return STATUS_OK;
}

/* All jump tables of a code get their shadows, one for each table and batch. */
static enum status find_shadows(struct batch *b, struct code *code, struct failure *fail)
{
	enum status status = STATUS_OK;

	for (u32 i = 0; i < code->n_fixups && !status; i++) {
		struct code_fixup *fixup = &code->fixups[i];
		const struct shadow *shadow = (const struct shadow *)b->shadows.base;
		const struct shadow *end = shadow + b->shadows.used / sizeof(*shadow);

		if (fixup->kind != FIXUP_TABLE)
			continue;
		while (shadow < end && shadow->table != fixup->target)
			shadow++;
		if (shadow < end)
			fixup->shadow = shadow->addr;
		else
			status = make_shadow(b, text_table_of(b->text, fixup->target),
			                     &fixup->shadow, fail);
	}
	return status;
}

/* What a code saves of 1000 instructions that it executes, when `paid` are executed on the way in. */
static s16 saves(const struct code *code, u64 paid)
{
	s64 net = (s64)code->cost_original - (s64)code->cost - (s64)paid;
	s64 share = code->cost ? net * 1000 / (s64)code->cost : 0;

	return (s16)(share > SAVES_MOST ? SAVES_MOST : share < -SAVES_MOST ? -SAVES_MOST : share);
}

/* Writes one placed code and its tables; false if a pool is used up. */
static bool keep_code(struct batch *b, const struct code *code, u64 addr, u32 n_blocks, u64 paid)
{
	u32 i = area_of(b, addr);
	struct area *area = &b->result.areas[i];
	u32 at = (u32)(addr - area->start), states;
	struct origin *origins = pool_take(&b->origins[i], code->n_origins * sizeof(*origins));
	struct translation *translation = pool_take(&b->translations, sizeof(*translation));
	struct way_out *ways = pool_take(&b->ways, code->n_fixups * sizeof(*ways));

	if (!origins || !translation || !ways || !keep_states(b, code, &states))
		return false;
	memcpy(stage(b, i, at, code->size), code->bytes, code->size);
	for (u32 k = 0; k < code->n_origins; k++) {
		origins[k].at = at + code->origins[k].at;
		origins[k].origin = (u32)(code->origins[k].origin - b->text->start);
		origins[k].state = code->origins[k].state ? states + code->origins[k].state - 1 : 0;
	}
	for (u32 k = 0; k < code->n_fixups; k++) {
		const struct code_fixup *fixup = &code->fixups[k];

		ways[k] = (struct way_out){ fixup->target,   at + fixup->at,
			                    at + fixup->end, fixup->cut ? at + fixup->cut : 0,
			                    (u8)i,           fixup->kind };
	}
	b->w->fates[code->head - b->text->start] = FATE_TRANSLATED;
	*translation = (struct translation){ code->head,    at,    code->size, code->n_insns,
		                             (u16)n_blocks, (u8)i, { 0 },      saves(code, paid),
		                             false };
	memcpy(translation->passes, code->done, sizeof(translation->passes));
	b->record->insns += code->n_insns;
	return true;
}

static enum status translate_site(struct batch *b, u64 site, u64 paid, struct failure *fail)
{
	struct grown grown;
	struct trace trace;
	struct code code;
	u64 addr;
	enum status status = batch_trace(b, site, &grown, &trace);

	if (status)
		return status;
	status = translate_proven(b->text, &trace, b->scratch, &code, fail);
	cover_add(b->w, &trace, status ? STATUS_TREE_REFUSED : STATUS_TREE_TRANSLATED);
	if (world->options.all && status && status_class(status) == STATUS_CLASS_LIMIT &&
	    trace.n_blocks > 1) {
		trace.n_blocks = 1;
		status = translate_proven(b->text, &trace, b->scratch, &code, fail);
	}
	if (status)
		return status;
	status = find_shadows(b, &code, fail);
	if (!status)
		status = cache_reserve(&b->w->cache, code.size, &addr, fail);
	if (status)
		return status;
	status = code_place(&code, addr, fail);
	if (!status && !keep_code(b, &code, addr, trace.n_blocks, paid))
		status = failed(fail, STATUS_WORKSPACE, site, code.size);
	if (status) {
		cache_abort(&b->w->cache, addr);
		return status;
	}
	cache_commit(&b->w->cache, addr);
	batch_keep_trace(b, site, &trace);
	return STATUS_OK;
}

/* False: refused, and counted. */
static bool try_site(struct batch *b, u64 site, u64 paid)
{
	u64 mark = arena_mark(b->scratch);
	u32 before = stages_enter(STATUS_STAGE_proving);
	enum status status = translate_site(b, site, paid, NULL);

	stages_enter(before);
	batch_release(b, mark);
	if (status)
		batch_count(b, status, site);
	return !status;
}

/* Translations are in order of addresses. */
static void translate_all(struct batch *b)
{
	u32 front = 0;

	for (u32 i = 0; i <= b->n_hops; i++) {
		struct hop *hop = &b->hops[i];
		u64 end = i < b->n_hops ? hop->site : ~0ull;

		for (; front < b->n_fronts && b->fronts[front].function < end; front++)
			if (!try_site(b, b->fronts[front].function, 0))
				batch_drop_site(b, b->fronts[front].function);
		if (i < b->n_hops && hop->kind != HOP_NONE &&
		    !try_site(b, hop->site, b->paid ? b->paid[i] : 0))
			hop->kind = HOP_NONE;
	}
}

static const struct translation *find_in(const struct translation *all, u32 n, u64 site)
{
	u32 low = 0, high = n;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (all[middle].site == site)
			return &all[middle];
		if (all[middle].site < site)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Module address of this batch's translation of a site; 0: none. */
static u64 own_translation(const struct batch *b, u64 site)
{
	const struct translation *all = (const struct translation *)b->translations.base;
	const struct translation *to =
		find_in(all, (u32)(b->translations.used / sizeof(*all)), site);

	return to ? b->result.areas[to->area].start + to->at : 0;
}

/* The same, of earlier batches as well; *own: of which image. */
static u64 any_translation(const struct batch *b, u64 site, u32 *of)
{
	u64 addr = own_translation(b, site);

	*of = OWN_IMAGE;

	for (u32 i = world->n_images; !addr && i-- > 0 && workshop_is_site(b->w, site);) {
		const struct image *image = &world->images[i];
		const struct translation *to =
			image->record == b->w->record->record
				? find_in(image->translations, image->n_translations, site)
				: NULL;

		if (to && !to->retired) {
			addr = image->areas[to->area].start + to->at;
			*of = i;
		}
	}
	return addr;
}

static void link_entries(struct batch *b)
{
	for (u32 i = 0; i < b->result.n_areas; i++) {
		struct entry *entries = (struct entry *)b->entries[i].base;

		for (u64 k = 0; k < b->entries[i].used / sizeof(*entries); k++) {
			u64 to = entries[k].image == NO_IMAGE
			                 ? 0
			                 : any_translation(b, entries[k].original,
			                                   &entries[k].image);

			entries[k].linked = to ? to : entries[k].original;
		}
	}
}

/* Exits that lead to a site lead to its translation; every such field, and every back-edge, is listed for undo. */
static enum status link_all(struct batch *b, struct failure *fail)
{
	const struct way_out *ways = (const struct way_out *)b->ways.base;
	u64 n = b->ways.used / sizeof(*ways);

	for (u64 i = 0; i < n; i++) {
		const struct way_out *way = &ways[i];
		const struct area *area = &b->result.areas[way->area];
		u32 of;
		u64 to = way->kind == FIXUP_EXIT ? any_translation(b, way->target, &of) : 0;
		u8 *field = b->staging[way->area].base + way->at;
		u64 end = area->start + way->end;
		struct link *link;

		if (way->kind == FIXUP_DATA || way->kind == FIXUP_TABLE ||
		    (way->kind == FIXUP_EXIT && !to))
			continue;
		link = pool_take(&b->links[way->area], sizeof(*link));
		if (!link)
			return failed(fail, STATUS_WORKSPACE, way->target,
			              b->links[way->area].size);
		link->at = way->at;
		link->original = way->cut ? (s32)(way->cut - way->end) : (s32)(way->target - end);
		if (way->kind == FIXUP_EXIT) {
			link->linked = (s32)(to - end);
			memcpy(field, &link->linked, sizeof(link->linked));
		} else {
			memcpy(&link->linked, field, sizeof(link->linked));
		}
	}
	return STATUS_OK;
}

/* ---- sites, and calls that lead to fronts ---- */

/* The function with a front that the direct call at addr calls, if the call may be changed; 0: none. */
static u64 fronted(const struct batch *b, u64 addr)
{
	u64 callee;

	if (text_call(b->text, addr, b->w->decoder, &callee, NULL) != STATUS_OK ||
	    !batch_front(b, callee))
		return 0;
	return callee;
}

static void mark_page(const struct batch *b, u8 *pages, u64 addr)
{
	set_bit(pages, addr / PAGE_SIZE - b->text->start / PAGE_SIZE);
}

/* Pages that change anyway, and those of calls for which translations leave. */
static void mark_pages(const struct batch *b, u8 *pages)
{
	const struct way_out *ways = (const struct way_out *)b->ways.base;

	for (u32 i = 0; i < b->n_hops; i++)
		if (b->hops[i].kind != HOP_NONE)
			mark_page(b, pages, b->hops[i].site);
	for (u64 i = 0; i < b->ways.used / sizeof(*ways); i++)
		if (ways[i].kind == FIXUP_EXIT && fronted(b, ways[i].target))
			mark_page(b, pages, ways[i].target);
}

static enum status keep_site(struct batch *b, const struct hop *hop, u64 target,
                             struct failure *fail)
{
	struct site *site = target ? pool_take(&b->sites, sizeof(*site)) : NULL;
	u64 size;

	if (!site)
		return failed(fail, STATUS_WORKSPACE, hop->site, b->sites.size);
	site->hop = *hop;
	site->hop.target = target;
	memcpy(site->old, text_bytes(b->text, hop->site, &size), hop->len < 5 ? hop->len : 5);
	memcpy(site->new, site->old, sizeof(site->new));
	if (hop->kind == HOP_CALL)
		call32(site->new, hop->site, target);
	else if (hop->kind == HOP_DIRECT)
		jump32(site->new, hop->site, target);
	else
		jump8(site->new, hop->site, hop->slot);
	b->record->hops[hop->kind]++;
	return STATUS_OK;
}

/* Calls in [from, to) on such pages. */
static enum status keep_calls(struct batch *b, const u8 *pages, u64 from, u64 to,
                              struct failure *fail)
{
	enum status status = STATUS_OK;

	for (u64 addr = from; addr < to && !status; addr++) {
		struct hop hop = { .site = addr, .len = CALL_REL32_LEN, .kind = HOP_CALL };
		u64 callee, target, size;
		const u8 *bytes;

		if (!has_bit(pages, addr / PAGE_SIZE - b->text->start / PAGE_SIZE)) {
			addr |= PAGE_SIZE - 1;
			continue;
		}
		bytes = text_bytes(b->text, addr, &size);
		callee = bytes && *bytes == 0xe8 ? fronted(b, addr) : 0;
		target = callee ? own_translation(b, callee) : 0;
		if (target &&
		    (s64)(target - addr - CALL_REL32_LEN) == (s32)(target - addr - CALL_REL32_LEN))
			status = keep_site(b, &hop, target, fail);
	}
	return status;
}

/* All in order of addresses. */
static enum status keep_sites(struct batch *b, struct failure *fail)
{
	u64 n_pages = b->text->end / PAGE_SIZE - b->text->start / PAGE_SIZE + 1;
	u8 *pages = arena_alloc(b->scratch, n_pages / 8 + 1, 1);
	enum status status = STATUS_OK;
	u64 from = b->text->start;

	if (!pages)
		return failed(fail, STATUS_WORKSPACE, 0, n_pages / 8);
	if (b->n_fronts)
		mark_pages(b, pages);
	for (u32 i = 0; i < b->n_hops && !status; i++) {
		const struct hop *hop = &b->hops[i];

		if (hop->kind == HOP_NONE)
			continue;
		status = keep_calls(b, pages, from, hop->site, fail);
		if (!status)
			status = keep_site(b, hop, own_translation(b, hop->site), fail);
		from = hop->site + hop->len;
	}
	return status ? status : keep_calls(b, pages, from, b->text->end, fail);
}

/* Heapsort of indices by slot address: slots are handed out nearly in order, but only nearly. */
static void sift(u32 *index, const struct site *sites, u32 root, u32 n)
{
	for (;;) {
		u32 child = 2 * root + 1, held;

		if (child >= n)
			return;
		if (child + 1 < n &&
		    sites[index[child]].hop.slot < sites[index[child + 1]].hop.slot)
			child++;
		if (sites[index[root]].hop.slot >= sites[index[child]].hop.slot)
			return;
		held = index[root];
		index[root] = index[child];
		index[child] = held;
		root = child;
	}
}

static enum status index_slots(struct batch *b, struct failure *fail)
{
	const struct site *sites = (const struct site *)b->sites.base;
	u32 n_sites = (u32)(b->sites.used / sizeof(*sites)), n = 0;
	u32 *index;

	for (u32 i = 0; i < n_sites; i++)
		n += sites[i].hop.kind == HOP_SLOT;
	index = pool_take(&b->by_slot, n * sizeof(*index));
	if (n && !index)
		return failed(fail, STATUS_WORKSPACE, 0, n * sizeof(*index));
	for (u32 i = 0, k = 0; i < n_sites; i++)
		if (sites[i].hop.kind == HOP_SLOT)
			index[k++] = i;
	for (u32 i = n / 2; i-- > 0;)
		sift(index, sites, i, n);
	for (u32 end = n; end > 1;) {
		u32 held = index[0];

		index[0] = index[--end];
		index[end] = held;
		sift(index, sites, 0, end);
	}
	return STATUS_OK;
}

/* Hands the pools over to the image; what is beyond their use goes back. */
static void keep_areas(struct batch *b, struct image *image)
{
	struct status_module *status = b->record;

	for (u32 i = 0; i < image->n_areas; i++) {
		struct area *area = &image->areas[i];

		pool_trim(&b->staging[i]);
		pool_trim(&b->origins[i]);
		pool_trim(&b->links[i]);
		pool_trim(&b->entries[i]);
		area->staging = b->staging[i].base;
		area->origins = (struct origin *)b->origins[i].base;
		area->n_origins = (u32)(b->origins[i].used / sizeof(struct origin));
		area->links = (struct link *)b->links[i].base;
		area->n_links = (u32)(b->links[i].used / sizeof(struct link));
		area->entries = (struct entry *)b->entries[i].base;
		area->n_entries = (u32)(b->entries[i].used / sizeof(struct entry));
		status->cache_used += area->used;
		if (!area->mapped)
			continue;
		/* pages of their own, for they are made anew when the image is published */
		b->w->cache.areas[i].used = page_up(b->w->cache.areas[i].used);
		area->reserved = b->w->base + area->start;
		status->cache_mapped += page_up(area->used);
	}
}

/* Entries of this image's shadows, and those of earlier ones that now have where to lead. */
static void number_entries(struct image *image, const struct image *made)
{
	u32 number = (u32)(made - world->images);

	for (u32 i = 0; i < image->n_areas; i++) {
		struct area *area = &image->areas[i];

		for (u32 k = 0; k < area->n_entries; k++) {
			struct entry *entry = &area->entries[k];
			const struct translation *to = NULL;

			if (entry->image == OWN_IMAGE)
				entry->image = number;
			if (image != made && entry->image != NO_IMAGE &&
			    entry->linked == entry->original)
				to = find_in(made->translations, made->n_translations,
				             entry->original);
			if (!to)
				continue;
			entry->linked = made->areas[to->area].start + to->at;
			entry->image = number;
		}
	}
}

static void keep_entries(const struct image *made)
{
	for (u32 i = 0; i < world->n_images; i++)
		if (world->images[i].record == made->record)
			number_entries(&world->images[i], made);
}

static struct image *keep_all(struct batch *b)
{
	struct image *image = b->w->record->n_translations ? image_next() : b->w->record;

	if (!image)
		return NULL;
	memcpy(image->areas, b->result.areas, sizeof(image->areas));
	image->n_areas = b->result.n_areas;
	keep_areas(b, image);
	pool_trim(&b->translations);
	pool_trim(&b->sites);
	pool_trim(&b->by_slot);
	pool_trim(&b->states);
	pool_trim(&b->pendings);
	image->states = (struct ir_state *)b->states.base;
	image->pendings = (struct ir_pending *)b->pendings.base;
	image->translations = (struct translation *)b->translations.base;
	image->n_translations = (u32)(b->translations.used / sizeof(struct translation));
	image->sites = (struct site *)b->sites.base;
	image->n_sites = (u32)(b->sites.used / sizeof(struct site));
	image->by_slot = (u32 *)b->by_slot.base;
	image->n_slots = (u32)(b->by_slot.used / sizeof(u32));
	b->record->n_translated += image->n_translations;
	if (image == b->w->record) {
		keep_entries(image);
		return image;
	}
	image->record = b->w->record->record;
	memcpy(image->path, b->w->record->path, sizeof(image->path));
	memcpy(image->segments, b->w->record->segments, sizeof(image->segments));
	image->n_segments = b->w->record->n_segments;
	image->text_start = b->w->record->text_start;
	world->n_images++;
	keep_entries(image);
	return image;
}

static void drop_all(struct batch *b)
{
	for (u32 i = 0; i < IMAGE_AREAS; i++) {
		pool_close(&b->staging[i]);
		pool_close(&b->origins[i]);
		pool_close(&b->links[i]);
		pool_close(&b->entries[i]);
	}
	pool_close(&b->translations);
	pool_close(&b->sites);
	pool_close(&b->by_slot);
	pool_close(&b->states);
	pool_close(&b->pendings);
}

static enum status open_pools(struct batch *b, struct failure *fail)
{
	u64 bytes = b->text->end - b->text->start;

	if (!open_areas(b) ||
	    !pool_open(&b->translations,
	               ((u64)b->n_hops + b->n_fronts) * sizeof(struct translation)) ||
	    !pool_open(&b->sites, (b->n_hops + (b->n_fronts ? bytes / CALL_REL32_LEN : 0)) *
	                                  sizeof(struct site)) ||
	    !pool_open(&b->by_slot, (u64)b->n_hops * sizeof(u32)) ||
	    !pool_open(&b->ways, bytes * CACHE_PER_TEXT * 4) ||
	    !pool_open(&b->shadows, ((u64)b->text->n_tables + 1) * sizeof(struct shadow)) ||
	    !pool_open(&b->states, (bytes + PAGE_SIZE) * sizeof(struct ir_state)) ||
	    !pool_open(&b->pendings, (bytes + PAGE_SIZE) * sizeof(struct ir_pending)) ||
	    !pool_take(&b->states, sizeof(struct ir_state)))
		return failed(fail, STATUS_WORKSPACE, 0, b->n_hops * sizeof(struct site));
	return STATUS_OK;
}

static enum status run(struct batch *b, const struct batch_range *ranges, u32 n_ranges,
                       struct failure *fail)
{
	enum status status = batch_sites(b, ranges, n_ranges, fail);

	if (!status && b->n_hops)
		status = workshop_areas(b->w, fail);
	if (!status && b->n_hops)
		status = open_pools(b, fail);
	if (status || !b->n_hops)
		return status;
	batch_plan_hops(b);
	translate_all(b);
	batch_settle_again(b);
	link_entries(b);
	status = link_all(b, fail);
	if (!status)
		status = keep_sites(b, fail);
	if (!status)
		status = index_slots(b, fail);
	return status;
}

struct image *batch_translate(struct workshop *workshop, const struct batch_range *ranges,
                              u32 n_ranges, flow_heat_fn *heat, const struct runs *runs,
                              struct failure *fail)
{
	static const struct batch empty;
	struct batch b = empty;
	struct image *image = NULL;
	u64 began = sys_now_ns(), mark = arena_mark(&workshop->reading.scratch);
	u32 before = stages_enter(STATUS_STAGE_growing);
	enum status status;

	b.w = workshop;
	b.record = &workshop->record->status;
	b.anew = heat && !world->options.all;
	b.text = &workshop->reading.text;
	b.scratch = &workshop->reading.scratch;
	if (heat)
		b.flows = arena_alloc(b.scratch, 1, sizeof(*b.flows));
	if (b.flows)
		*b.flows = (struct flows){ .text = b.text,
			                   .heat = heat,
			                   .runs = runs,
			                   .base = workshop->base,
			                   .ctx = workshop,
			                   .decoder = workshop->decoder,
			                   .thorough = workshop->thorough,
			                   .arena = b.scratch };
	status = heat && !b.flows ? failed(fail, STATUS_WORKSPACE, 0, sizeof(*b.flows))
	                          : run(&b, ranges, n_ranges, fail);
	pool_close(&b.ways);
	pool_close(&b.shadows);
	if (!status && b.translations.used)
		image = keep_all(&b);
	if (!image)
		drop_all(&b);
	if (!status)
		batch_retire(&b, image);
	arena_release(b.scratch, mark);
	memory_relax(b.scratch);
	b.record->translate_ns += sys_now_ns() - began;
	stages_enter(before);
	return image;
}
