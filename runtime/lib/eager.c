/* SPDX-License-Identifier: MIT */
/*
 * eager.c - from a module's text to its translations, all at once.
 *
 *     heads -> sites -> hops (refused ones end here) -> trees -> code -> links
 *
 * What would save no instructions is left alone, unless options.all. Sites are settled before anything is translated, so that every tree knows where others begin: its exits
 * lead there directly. Results are pools that are trimmed at the end; the rest lives in the
 * reading's scratch arena. Same file and same place of the code cache: same bytes.
 */
#include "eager.h"

#include "cache.h"
#include "grow.h"
#include "jump.h"
#include "maps.h"
#include "names.h"
#include "pool.h"
#include "sys.h"
#include "traces.h"
#include "translate.h"

#include <sys/mman.h>

#define CACHE_PER_TEXT 8 /* upper bound of translated bytes for each byte of text */

/* A jump out of a translation that may become a link once all translations stand. */
struct way_out {
	u64 target;
	u32 at, end; /* offsets in the area */
	u32 cut; /* of a back-edge: the stub in the area that makes an exit of it; 0: the original itself */
	u8 area, kind;
};

struct eager {
	struct image *image;
	const struct text *text;
	struct arena *scratch;
	void *decoder;
	u8 *is_site; /* one bit for each byte of text */
	struct hop *hops; /* by site */
	u32 n_hops;
	struct cache cache;
	struct pool origins[IMAGE_AREAS], links[IMAGE_AREAS], staging[IMAGE_AREAS];
	struct pool translations, sites, by_slot, ways, states, pendings;
	u64 near, near_size; /* run-time place reserved for the mapped area; 0: none */
	struct trace *traces; /* of the file; heads are then theirs */
	u64 *trace_sites;     /* parallel: where each is entered; 0: refused */
	u32 n_traces;
};

static bool site_at(const void *ctx, u64 addr)
{
	const struct eager *e = ctx;
	u64 i = addr - e->text->start;

	return addr >= e->text->start && addr < e->text->end && (e->is_site[i / 8] >> i % 8 & 1);
}

static void site_set(struct eager *e, u64 addr, bool set)
{
	u64 i = addr - e->text->start;

	if (set)
		e->is_site[i / 8] |= (u8)(1 << i % 8);
	else
		e->is_site[i / 8] &= (u8)~(1 << i % 8);
}

static void count(struct eager *e, enum status status, u64 head)
{
	struct status_module *module = &e->image->status;

	if (status >= STATUS_REASONS)
		return;
	module->refused[status]++;
	if (!module->refused_at[status])
		module->refused_at[status] = head;
}

static bool is_head(u16 marks)
{
	const u16 head = TEXT_FUNCTION | TEXT_LOOP | TEXT_RETURN;

	return (marks & head) && (marks & TEXT_INSN) && (marks & TEXT_REACHED) &&
	       !(marks & (TEXT_NO_PATCH | TEXT_NO_TRANSLATE));
}

/* Settles where a head is entered; its site, or 0. */
static u64 find_site(struct eager *e, u64 head)
{
	u64 site;
	u32 len;
	enum status status = text_site(e->text, head, e->decoder, &site, &len, NULL);

	e->image->status.n_heads++;
	if (!status && site_at(e, site))
		return 0;
	if (status) {
		count(e, status, head);
		return 0;
	}
	site_set(e, site, true);
	return site;
}

static enum status find_traced_sites(struct eager *e, struct failure *fail)
{
	enum status status = traces_of(names_file(e->image->status.path), e->scratch, &e->traces,
	                               &e->n_traces, fail);

	if (status)
		return status;
	e->trace_sites = arena_alloc(e->scratch, e->n_traces + 1, sizeof(*e->trace_sites));
	if (!e->trace_sites)
		return failed(fail, STATUS_WORKSPACE, 0, e->n_traces);
	for (u32 i = 0; i < e->n_traces; i++)
		e->trace_sites[i] = find_site(e, e->traces[i].blocks[0].start);
	return STATUS_OK;
}

static void find_sites(struct eager *e)
{
	for (u64 addr = e->text->start; addr < e->text->end; addr++) {
		if (is_head(text_marks(e->text, addr)))
			find_site(e, addr);
	}
}

/* Lists the sites in order of address, each with its length. */
static enum status list_sites(struct eager *e, struct failure *fail)
{
	u64 bytes = e->text->end - e->text->start;
	u32 n = 0;

	for (u64 i = 0; i < (bytes + 7) / 8; i++)
		n += (u32)__builtin_popcount(e->is_site[i]);
	e->hops = arena_alloc(e->scratch, n, sizeof(*e->hops));
	if (n && !e->hops)
		return failed(fail, STATUS_WORKSPACE, 0, (u64)n * sizeof(*e->hops));
	for (u64 i = 0; i < bytes; i++) {
		struct insn_brief insn;
		u64 addr = e->text->start + i, size;
		const u8 *at;

		if (!(e->is_site[i / 8] >> i % 8 & 1))
			continue;
		at = text_bytes(e->text, addr, &size);
		if (!at || decode_brief(at, size, addr, e->decoder, &insn, NULL) != STATUS_OK)
			continue;
		e->hops[e->n_hops++] = (struct hop){ .site = addr, .len = insn.len };
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

static enum status trace_for(struct eager *e, u64 site, struct grown *grown, struct trace *out);

/* Would the translation of this site save more instructions than the way to it costs? */
static enum status judge_site(struct eager *e, const struct hop *hop)
{
	u64 way = (hop->len < JMP_REL32_LEN ? 2 : 1) * COST_ENTRY;
	struct grown grown;
	struct trace trace;
	struct code code;
	enum status status = trace_for(e, hop->site, &grown, &trace);

	if (!status)
		status = translate(e->text, &trace, e->scratch, &code, NULL);
	if (status)
		return status_class(status) == STATUS_CLASS_LIMIT ? STATUS_OK : status;
	return code.cost + way < code.cost_original ? STATUS_OK : STATUS_COST_GAIN;
}

/* Leaves sites alone that gain nothing, before others want for slots. */
static void judge_sites(struct eager *e)
{
	u32 n = 0;

	for (u32 i = 0; i < e->n_hops; i++) {
		u64 mark = arena_mark(e->scratch);
		enum status status = judge_site(e, &e->hops[i]);

		arena_release(e->scratch, mark);
		if (status) {
			count(e, status, e->hops[i].site);
			site_set(e, e->hops[i].site, false);
		} else {
			e->hops[n++] = e->hops[i];
		}
	}
	e->n_hops = n;
}

static enum status plan_hops(struct eager *e, struct failure *fail)
{
	struct hop_places places = { 0 };
	u64 *slots = arena_alloc(e->scratch, e->text->n_slots + 1, sizeof(*slots));
	u8 *taken = arena_alloc(e->scratch, e->text->n_slots + 1, 1);

	if (!slots || !taken)
		return failed(fail, STATUS_WORKSPACE, 0, e->text->n_slots);
	for (u32 i = 0; i < e->text->n_slots; i++)
		slots[i] = e->text->slots[i].addr;
	places.slots = slots;
	places.taken = taken;
	places.n_slots = e->text->n_slots;
	for (u32 i = 0; i < e->n_hops; i++)
		e->hops[i].target = e->cache.areas[e->cache.n_areas - 1].start;
	hops_plan(e->hops, e->n_hops, &places);
	for (u32 i = 0; i < e->n_hops; i++)
		if (e->hops[i].kind == HOP_NONE) {
			count(e, e->hops[i].refusal, e->hops[i].site);
			site_set(e, e->hops[i].site, false);
		}
	return STATUS_OK;
}

static bool open_area(struct eager *e, u64 start, u64 end, bool mapped)
{
	u32 i = e->image->n_areas;
	struct area *area = &e->image->areas[i];
	u64 size = end - start;

	if (i == IMAGE_AREAS || !pool_open(&e->staging[i], size) ||
	    !pool_open(&e->origins[i], size * 6) || !pool_open(&e->links[i], size * 3) ||
	    cache_add(&e->cache, start, end) != STATUS_OK)
		return false;
	area->start = start;
	area->end = end;
	area->mapped = mapped;
	e->image->n_areas++;
	return true;
}

/* The reservation that the binary brings, then room near it: reserved at once, so that nobody else takes it. */
static enum status find_areas(struct eager *e, u64 base, struct failure *fail)
{
	const struct image *image = e->image;
	const struct text *text = e->text;
	const struct elf_view *view = text->view;
	u64 size = page_up(image->status.text_bytes * CACHE_PER_TEXT + 0x10000);
	u64 low = base + view->loads[0].addr, at;
	const struct elf_span *last = &view->loads[view->n_loads - 1];

	if (size > world->options.cache_limit << 20)
		size = world->options.cache_limit << 20;
	if (text->cache_end > text->cache && !open_area(e, text->cache, text->cache_end, false))
		return failed(fail, STATUS_WORKSPACE, 0, size);
	at = maps_near(low, base + last->addr + last->size, size);
	if (at && sys_failed(sys_mmap(at, size, PROT_NONE,
	                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
	                                      MAP_FIXED_NOREPLACE,
	                              -1, 0)))
		at = 0;
	if (at) {
		e->near = at;
		e->near_size = size;
		if (!open_area(e, at - base, at - base + size, true))
			return failed(fail, STATUS_WORKSPACE, 0, size);
	}
	return e->image->n_areas ? STATUS_OK : failed(fail, STATUS_CACHE_FULL, 0, size);
}

static u32 area_of(const struct eager *e, u64 addr)
{
	for (u32 i = 0; i < e->image->n_areas; i++)
		if (addr >= e->image->areas[i].start && addr < e->image->areas[i].end)
			return i;
	return 0;
}

/* Takes over the states of one code, renumbered. False if a pool is used up. */
static bool keep_states(struct eager *e, const struct code *code, u32 *first)
{
	u64 n_pendings = e->pendings.used / sizeof(struct ir_pending);
	u64 n = code->n_states > 1 ? code->n_states - 1 : 0;
	struct ir_state *states = pool_take(&e->states, n * sizeof(*states));
	void *pendings = pool_take(&e->pendings, code->n_pendings * sizeof(struct ir_pending));

	if (!states || !pendings )
		return false;
	*first = (u32)(states - (struct ir_state *)e->states.base);
	for (u64 i = 0; i < n; i++) {
		states[i] = code->states[i + 1];
		states[i].first += (u32)n_pendings;
	}
	memcpy(pendings, code->pendings, code->n_pendings * sizeof(struct ir_pending));
	return true;
}

/* Writes one placed code and its tables; false if a pool is used up. */
static bool keep_code(struct eager *e, const struct code *code, u64 addr, u32 n_blocks)
{
	u32 i = area_of(e, addr);
	struct area *area = &e->image->areas[i];
	u32 at = (u32)(addr - area->start), states;
	struct origin *origins = pool_take(&e->origins[i], code->n_origins * sizeof(*origins));
	struct translation *translation = pool_take(&e->translations, sizeof(*translation));
	struct way_out *ways = pool_take(&e->ways, code->n_fixups * sizeof(*ways));

	if (!origins || !translation || !ways || !keep_states(e, code, &states))
		return false;
	memset(e->staging[i].base + area->used, 0xcc, at - area->used);
	memcpy(e->staging[i].base + at, code->bytes, code->size);
	area->used = at + code->size;
	e->staging[i].used = area->used;
	for (u32 k = 0; k < code->n_origins; k++) {
		origins[k].at = at + code->origins[k].at;
		origins[k].origin = (u32)(code->origins[k].origin - e->text->start);
		origins[k].state = code->origins[k].state ? states + code->origins[k].state - 1 : 0;
	}
	for (u32 k = 0; k < code->n_fixups; k++) {
		const struct code_fixup *fixup = &code->fixups[k];

		ways[k] = (struct way_out){ fixup->target,
			                    at + fixup->at,
			                    at + fixup->end,
			                    fixup->cut ? at + fixup->cut : 0,
			                    (u8)i,
			                    fixup->kind };
	}
	*translation = (struct translation){ code->head, at, code->size, code->n_insns,
		                             (u16)n_blocks, (u8)i };
	e->image->status.insns += code->n_insns;
	return true;
}

/* The trace by which a site is translated: the file's, entered where the site is, or one grown from it. */
static enum status trace_for(struct eager *e, u64 site, struct grown *grown, struct trace *out)
{
	struct trace_block *blocks;

	if (!e->traces) {
		grow_trace(e->text, site, world->options.inline_calls,
		           world->options.all ? site_at : no_site, e, e->decoder, grown);
		*out = grown->trace;
		return STATUS_OK;
	}
	for (u32 i = 0; i < e->n_traces; i++) {
		if (e->trace_sites[i] != site)
			continue;
		*out = e->traces[i];
		blocks = arena_alloc(e->scratch, out->n_blocks, sizeof(*blocks));
		if (!blocks)
			return STATUS_WORKSPACE;
		memcpy(blocks, out->blocks, out->n_blocks * sizeof(*blocks));
		blocks[0].start = site;
		out->blocks = blocks;
		return STATUS_OK;
	}
	return STATUS_TRACE_EMPTY;
}

static enum status translate_site(struct eager *e, u64 site, struct failure *fail)
{
	struct grown grown;
	struct trace trace;
	struct code code;
	u64 addr;
	enum status status = trace_for(e, site, &grown, &trace);

	if (status)
		return status;
	status = translate_proven(e->text, &trace, e->scratch, &code, fail);
	if (status && status_class(status) == STATUS_CLASS_LIMIT && trace.n_blocks > 1) {
		trace.n_blocks = 1;
		status = translate_proven(e->text, &trace, e->scratch, &code, fail);
	}
	if (status)
		return status;
	status = cache_reserve(&e->cache, code.size, &addr, fail);
	if (status)
		return status;
	status = code_place(&code, addr, fail);
	if (!status && !keep_code(e, &code, addr, trace.n_blocks))
		status = failed(fail, STATUS_WORKSPACE, site, code.size);
	if (status)
		cache_abort(&e->cache, addr);
	else
		cache_commit(&e->cache, addr);
	return status;
}

static void translate_all(struct eager *e)
{
	for (u32 i = 0; i < e->n_hops; i++) {
		struct hop *hop = &e->hops[i];
		u64 mark = arena_mark(e->scratch);
		enum status status;

		if (hop->kind == HOP_NONE)
			continue;
		status = translate_site(e, hop->site, NULL);
		arena_release(e->scratch, mark);
		if (status) {
			count(e, status, hop->site);
			hop->kind = HOP_NONE;
		}
	}
}

static const struct translation *find_translation(const struct eager *e, u64 site)
{
	const struct translation *all = (const struct translation *)e->translations.base;
	u32 low = 0, high = (u32)(e->translations.used / sizeof(*all));

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

static u64 translation_addr(const struct eager *e, const struct translation *translation)
{
	return e->image->areas[translation->area].start + translation->at;
}

/* Exits that lead to a site lead to its translation; every such field, and every back-edge, is listed for undo. */
static enum status link_all(struct eager *e, struct failure *fail)
{
	const struct way_out *ways = (const struct way_out *)e->ways.base;
	u64 n = e->ways.used / sizeof(*ways);

	for (u64 i = 0; i < n; i++) {
		const struct way_out *way = &ways[i];
		const struct area *area = &e->image->areas[way->area];
		const struct translation *to = find_translation(e, way->target);
		u8 *field = e->staging[way->area].base + way->at;
		u64 end = area->start + way->end;
		struct link *link;

		if (way->kind == FIXUP_DATA || (way->kind == FIXUP_EXIT && !to))
			continue;
		link = pool_take(&e->links[way->area], sizeof(*link));
		if (!link)
			return failed(fail, STATUS_WORKSPACE, way->target, e->links[way->area].size);
		link->at = way->at;
		link->original = way->cut ? (s32)(way->cut - way->end) : (s32)(way->target - end);
		if (way->kind == FIXUP_EXIT) {
			link->linked = (s32)(translation_addr(e, to) - end);
			memcpy(field, &link->linked, sizeof(link->linked));
		} else {
			memcpy(&link->linked, field, sizeof(link->linked));
		}
	}
	return STATUS_OK;
}

static enum status keep_sites(struct eager *e, struct failure *fail)
{
	for (u32 i = 0; i < e->n_hops; i++) {
		const struct hop *hop = &e->hops[i];
		const struct translation *translation;
		struct site *site;
		u64 size;

		if (hop->kind == HOP_NONE)
			continue;
		translation = find_translation(e, hop->site);
		site = translation ? pool_take(&e->sites, sizeof(*site)) : NULL;
		if (!site)
			return failed(fail, STATUS_WORKSPACE, hop->site, e->sites.size);
		site->hop = *hop;
		site->hop.target = translation_addr(e, translation);
		memcpy(site->old, text_bytes(e->text, hop->site, &size), hop->len < 5 ? hop->len : 5);
		memcpy(site->new, site->old, sizeof(site->new));
		if (hop->kind == HOP_DIRECT)
			jump32(site->new, hop->site, site->hop.target);
		else
			jump8(site->new, hop->site, hop->slot);
		e->image->status.hops[hop->kind]++;
	}
	return STATUS_OK;
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

static enum status index_slots(struct eager *e, struct failure *fail)
{
	const struct site *sites = (const struct site *)e->sites.base;
	u32 n_sites = (u32)(e->sites.used / sizeof(*sites)), n = 0;
	u32 *index;

	for (u32 i = 0; i < n_sites; i++)
		n += sites[i].hop.kind == HOP_SLOT;
	index = pool_take(&e->by_slot, n * sizeof(*index));
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
static void keep_all(struct eager *e)
{
	struct image *image = e->image;
	u64 used = 0;

	for (u32 i = 0; i < image->n_areas; i++) {
		struct area *area = &image->areas[i];

		pool_trim(&e->staging[i]);
		pool_trim(&e->origins[i]);
		pool_trim(&e->links[i]);
		area->staging = e->staging[i].base;
		area->origins = (struct origin *)e->origins[i].base;
		area->n_origins = (u32)(e->origins[i].used / sizeof(struct origin));
		area->links = (struct link *)e->links[i].base;
		area->n_links = (u32)(e->links[i].used / sizeof(struct link));
		if (area->mapped)
			image->status.cache_mapped += used = page_up(area->used);
		else
			image->status.cache_reserved += area->end - area->start;
		image->status.cache_used += area->used;
	}
	if (e->near_size > used)
		sys_munmap(e->near + used, e->near_size - used);
	pool_trim(&e->translations);
	pool_trim(&e->sites);
	pool_trim(&e->by_slot);
	pool_trim(&e->states);
	pool_trim(&e->pendings);
	image->states = (struct ir_state *)e->states.base;
	image->pendings = (struct ir_pending *)e->pendings.base;
	image->translations = (struct translation *)e->translations.base;
	image->n_translations = (u32)(e->translations.used / sizeof(struct translation));
	image->sites = (struct site *)e->sites.base;
	image->n_sites = (u32)(e->sites.used / sizeof(struct site));
	image->by_slot = (u32 *)e->by_slot.base;
	image->n_slots = (u32)(e->by_slot.used / sizeof(u32));
	image->status.n_translated = image->n_translations;
}

static void drop_all(struct eager *e)
{
	for (u32 i = 0; i < IMAGE_AREAS; i++) {
		pool_close(&e->staging[i]);
		pool_close(&e->origins[i]);
		pool_close(&e->links[i]);
	}
	pool_close(&e->translations);
	pool_close(&e->sites);
	pool_close(&e->by_slot);
	pool_close(&e->states);
	pool_close(&e->pendings);
	if (e->near_size)
		sys_munmap(e->near, e->near_size);
	e->image->n_areas = 0;
}

static enum status prepare(struct eager *e, u64 base, struct failure *fail)
{
	u64 bytes = e->text->end - e->text->start;
	enum status status = STATUS_OK;

	e->decoder = arena_alloc(e->scratch, 1, decode_scratch_size());
	e->is_site = arena_alloc(e->scratch, bytes / 8 + 1, 1);
	if (!e->decoder || !e->is_site)
		return failed(fail, STATUS_WORKSPACE, 0, bytes / 8);
	if (world->traces)
		status = find_traced_sites(e, fail);
	else
		find_sites(e);
	if (!status)
		status = list_sites(e, fail);
	if (!status && !world->options.all)
		judge_sites(e);
	if (status || e->n_hops == 0)
		return status;
	status = find_areas(e, base, fail);
	if (status)
		return status;
	if (!pool_open(&e->translations, e->n_hops * sizeof(struct translation)) ||
	    !pool_open(&e->sites, e->n_hops * sizeof(struct site)) ||
	    !pool_open(&e->by_slot, (u64)e->n_hops * sizeof(u32)) ||
	    !pool_open(&e->ways, bytes * CACHE_PER_TEXT * 4) ||
	    !pool_open(&e->states, (bytes + PAGE_SIZE) * sizeof(struct ir_state)) ||
	    !pool_open(&e->pendings, (bytes + PAGE_SIZE) * sizeof(struct ir_pending)) ||
	    !pool_take(&e->states, sizeof(struct ir_state)))
		return failed(fail, STATUS_WORKSPACE, 0, e->n_hops * sizeof(struct site));
	return plan_hops(e, fail);
}

enum status eager_translate(struct image *image, struct reading *r, u64 base, struct failure *fail)
{
	static const struct eager empty;
	struct eager e = empty;
	enum status status;

	e.image = image;
	e.text = &r->text;
	e.scratch = &r->scratch;
	cache_init(&e.cache);
	status = prepare(&e, base, fail);
	if (!status && e.n_hops) {
		translate_all(&e);
		status = link_all(&e, fail);
		if (!status)
			status = keep_sites(&e, fail);
		if (!status)
			status = index_slots(&e, fail);
	}
	pool_close(&e.ways);
	if (status)
		drop_all(&e);
	else
		keep_all(&e);
	return status;
}
