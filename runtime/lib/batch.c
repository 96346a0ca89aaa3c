/* SPDX-License-Identifier: MIT */
/*
 * batch.c - see batch.h.
 *
 * What would save no instructions is left alone, unless options.all. Sites are settled before anything is translated, so that every tree knows where others begin: its exits
 * lead there directly. Results are pools that are trimmed at the end; the rest lives in the
 * reading's scratch arena. Same file, same heads and same place of the code cache: same bytes.
 */
#include "batch.h"

#include "grow.h"
#include "jump.h"
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

struct batch {
	struct workshop *w;
	struct status_module *record; /* status of the module */
	struct image result; /* becomes an image of the world if anything is in it */
	const struct text *text;
	grow_heat_fn *heat;
	struct arena *scratch;
	u8 *fresh; /* one bit for each byte of text: sites of this batch */
	u8 *aims; /* one bit for each byte of text: exits of judged trees lead there */
	struct hop *hops; /* by site */
	u32 n_hops;
	struct pool origins[IMAGE_AREAS], links[IMAGE_AREAS], staging[IMAGE_AREAS];
	struct pool translations, sites, by_slot, ways, states, pendings;
	struct trace *traces; /* of the file; heads are then theirs */
	u64 *trace_sites; /* parallel: where each is entered; 0: refused */
	u32 n_traces;
};

static bool site_at(const void *ctx, u64 addr)
{
	return workshop_is_site(ctx, addr);
}

static void drop_site(struct batch *b, u64 addr)
{
	u64 i = addr - b->text->start;

	workshop_set_site(b->w, addr, false);
	b->fresh[i / 8] &= (u8) ~(1 << i % 8);
}

static void take_site(struct batch *b, u64 addr)
{
	u64 i = addr - b->text->start;

	workshop_set_site(b->w, addr, true);
	b->fresh[i / 8] |= (u8)(1 << i % 8);
}

static void count(struct batch *b, enum status status, u64 head)
{
	if (status >= STATUS_REASONS)
		return;
	b->record->refused[status]++;
	if (!b->record->refused_at[status])
		b->record->refused_at[status] = head;
}

static bool may_be_head(u16 marks)
{
	return (marks & TEXT_INSN) && (marks & TEXT_REACHED) &&
	       !(marks & (TEXT_NO_PATCH | TEXT_NO_TRANSLATE));
}

#define HEADS (TEXT_FUNCTION | TEXT_LOOP | TEXT_RETURN)
#define WARM 2 /* samples, of a head */
#define WARM_BLOCK 6 /* of other places that are jumped to */
#define WARMER 2 /* powers of 2 */

/* Is a place warm enough, and warmer than when it was tried last? Notes how warm it is. */
static bool is_warm(struct batch *b, u64 addr, u16 marks)
{
	u32 n = grow_warmth(b->text, addr, b->heat, b->w, b->w->decoder);
	u8 *judged = &b->w->judged[addr - b->text->start];
	u8 level = n ? (u8)(32 - __builtin_clz(n)) : 0;

	if (n < (marks & HEADS ? WARM : WARM_BLOCK) || (*judged && level < *judged + WARMER))
		return false;
	*judged = level;
	return true;
}

static bool is_head(struct batch *b, u64 addr)
{
	u16 marks = text_marks(b->text, addr);

	if (!may_be_head(marks) || !(marks & (b->heat ? HEADS | TEXT_TARGET : HEADS)))
		return false;
	return !b->heat || is_warm(b, addr, marks);
}

/* Settles where a head is entered; its site, or 0. */
static u64 find_site(struct batch *b, u64 head)
{
	u64 site;
	u32 len;
	enum status status = text_site(b->text, head, b->w->decoder, &site, &len, NULL);

	b->record->n_heads++;
	if (!status && site_at(b->w, site))
		return 0;
	if (status) {
		count(b, status, head);
		return 0;
	}
	take_site(b, site);
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
		u64 addr = b->text->start + i, size;
		const u8 *at;

		if (!b->fresh[i / 8])
			i |= 7;
		if (!(b->fresh[i / 8] >> i % 8 & 1))
			continue;
		at = text_bytes(b->text, addr, &size);
		if (!at || decode_brief(at, size, addr, b->w->decoder, &insn, NULL) != STATUS_OK)
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

static enum status trace_for(struct batch *b, u64 site, struct grown *grown, struct trace *out);

/* What the translation of a site, if it may be one, saves for each COST_ENTRY entries. */
struct verdict {
	enum status status;
	s64 gain;
};

/* Would the translation of this site save more instructions than the way to it costs? Notes where its exits lead. */
static struct verdict judge_site(struct batch *b, const struct hop *hop)
{
	u64 way = (hop->len < JMP_REL32_LEN ? 2 : 1) * COST_ENTRY, mark = arena_mark(b->scratch);
	struct grown grown;
	struct trace trace;
	struct code code;
	struct verdict verdict = { .status = trace_for(b, hop->site, &grown, &trace) };

	if (!verdict.status)
		verdict.status = translate(b->text, &trace, b->scratch, &code, NULL);
	if (!verdict.status) {
		verdict.gain = (s64)(code.cost_original - code.cost - way);
		for (u32 i = 0; i < code.n_fixups; i++) {
			u64 to = code.fixups[i].target - b->text->start;

			if (code.fixups[i].kind == FIXUP_EXIT && to < b->text->end - b->text->start)
				b->aims[to / 8] |= (u8)(1 << to % 8);
		}
		if (verdict.gain <= 0)
			verdict.status = STATUS_COST_GAIN;
	}
	arena_release(b->scratch, mark);
	return verdict;
}

static bool is_plain(struct batch *b, u64 addr)
{
	struct insn_brief insn;
	u64 size;
	const u8 *bytes = text_bytes(b->text, addr, &size);

	return bytes && decode_brief(bytes, size, addr, b->w->decoder, &insn, NULL) == STATUS_OK &&
	       insn.role == ROLE_PLAIN;
}

/* A site further on in the same block that a single jump fits in, and that ends in front of `end`. */
static bool longer_site(struct batch *b, const struct hop *hop, u64 end, struct hop *out)
{
	const u16 others = TEXT_TARGET | TEXT_FUNCTION | TEXT_RETURN | TEXT_LOOP;
	struct hop at = *hop;

	do {
		u64 next = at.site + at.len, site;
		u32 len;

		if (!is_plain(b, at.site) || (text_marks(b->text, next) & others) ||
		    text_site(b->text, next, b->w->decoder, &site, &len, NULL) != STATUS_OK ||
		    site + len > end)
			return false;
		at.site = site;
		at.len = (u8)len;
	} while (at.len < JMP_REL32_LEN);
	*out = at;
	return true;
}

/* Enters the traces of site `from` at `to`; false if that lies behind their first blocks. */
static bool move_traces(struct batch *b, u64 from, u64 to)
{
	for (u32 i = 0; i < b->n_traces; i++) {
		for (u32 k = 1; b->trace_sites[i] == from && k < b->traces[i].n_blocks; k++) {
			u64 start = b->traces[i].blocks[k].start;

			if (!b->traces[i].blocks[k].parent && start > from && start <= to)
				return false;
		}
	}
	for (u32 i = 0; i < b->n_traces; i++)
		if (b->trace_sites[i] == from)
			b->trace_sites[i] = to;
	return true;
}

/*
 * A short site costs two jumps for each entry. Where no exit leads, so that nobody comes but by the site, it may as well stand
 * further on.
 */
static void move_site(struct batch *b, u32 i, struct verdict *verdict)
{
	struct hop *hop = &b->hops[i], longer;
	u64 bit = hop->site - b->text->start;
	u64 end = i + 1 < b->n_hops ? b->hops[i + 1].site : b->text->end;
	struct verdict other;

	if (hop->len >= JMP_REL32_LEN || (b->aims[bit / 8] >> bit % 8 & 1) ||
	    (text_marks(b->text, hop->site) & TEXT_LOOP) || !longer_site(b, hop, end, &longer) ||
	    site_at(b->w, longer.site) || !move_traces(b, hop->site, longer.site))
		return;
	other = judge_site(b, &longer);
	if (other.status || (!verdict->status && other.gain <= verdict->gain)) {
		if (!move_traces(b, longer.site, hop->site))
			verdict->status = STATUS_TRACE_PATH;
		return;
	}
	drop_site(b, hop->site);
	take_site(b, longer.site);
	*hop = longer;
	*verdict = other;
}

/* Leaves sites alone that gain nothing, before others want for slots. */
static enum status judge_sites(struct batch *b, struct failure *fail)
{
	struct verdict *verdicts = arena_alloc(b->scratch, b->n_hops, sizeof(*verdicts));
	u32 n = 0;

	b->aims = arena_alloc(b->scratch, (b->text->end - b->text->start) / 8 + 1, 1);
	if (!verdicts || !b->aims)
		return failed(fail, STATUS_WORKSPACE, 0, b->n_hops);
	for (u32 i = 0; i < b->n_hops; i++)
		verdicts[i] = judge_site(b, &b->hops[i]);
	for (u32 i = 0; i < b->n_hops; i++)
		move_site(b, i, &verdicts[i]);
	for (u32 i = 0; i < b->n_hops; i++) {
		if (verdicts[i].status) {
			count(b, verdicts[i].status, b->hops[i].site);
			drop_site(b, b->hops[i].site);
		} else {
			b->hops[n++] = b->hops[i];
		}
	}
	b->n_hops = n;
	return STATUS_OK;
}

static void plan_hops(struct batch *b)
{
	struct hop_places places = { .slots = b->w->slots,
		                     .taken = b->w->taken,
		                     .n_slots = b->text->n_slots };

	for (u32 i = 0; i < b->n_hops; i++)
		b->hops[i].target = b->w->cache.areas[b->w->cache.n_areas - 1].start;
	hops_plan(b->hops, b->n_hops, &places);
	for (u32 i = 0; i < b->n_hops; i++)
		if (b->hops[i].kind == HOP_NONE) {
			count(b, b->hops[i].refusal, b->hops[i].site);
			drop_site(b, b->hops[i].site);
		}
}

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
		    !pool_open(&b->links[i], size * 3))
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

/* Writes one placed code and its tables; false if a pool is used up. */
static bool keep_code(struct batch *b, const struct code *code, u64 addr, u32 n_blocks)
{
	u32 i = area_of(b, addr);
	struct area *area = &b->result.areas[i];
	u32 at = (u32)(addr - area->start), states;
	struct origin *origins = pool_take(&b->origins[i], code->n_origins * sizeof(*origins));
	struct translation *translation = pool_take(&b->translations, sizeof(*translation));
	struct way_out *ways = pool_take(&b->ways, code->n_fixups * sizeof(*ways));

	if (!origins || !translation || !ways || !keep_states(b, code, &states))
		return false;
	memset(b->staging[i].base + area->used, 0xcc, at - area->used);
	memcpy(b->staging[i].base + at, code->bytes, code->size);
	area->used = at + code->size;
	b->staging[i].used = area->used;
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
	*translation = (struct translation){ code->head,    at,   code->size, code->n_insns,
		                             (u16)n_blocks, (u8)i };
	b->record->insns += code->n_insns;
	return true;
}

/* The trace by which a site is translated: the file's, entered where the site is, or one grown from it. */
static enum status trace_for(struct batch *b, u64 site, struct grown *grown, struct trace *out)
{
	struct trace_block *blocks;

	if (!b->traces) {
		const struct grow_rules rules = {
			.inline_calls = world->options.inline_calls,
			.is_site = world->options.all ? site_at : no_site,
			.heat = b->heat,
			.ctx = b->w,
		};

		grow_trace(b->text, site, &rules, b->w->decoder, grown);
		*out = grown->trace;
		return STATUS_OK;
	}
	for (u32 i = 0; i < b->n_traces; i++) {
		if (b->trace_sites[i] != site)
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

static enum status translate_site(struct batch *b, u64 site, struct failure *fail)
{
	struct grown grown;
	struct trace trace;
	struct code code;
	u64 addr;
	enum status status = trace_for(b, site, &grown, &trace);

	if (status)
		return status;
	status = translate_proven(b->text, &trace, b->scratch, &code, fail);
	if (world->options.all && status && status_class(status) == STATUS_CLASS_LIMIT &&
	    trace.n_blocks > 1) {
		trace.n_blocks = 1;
		status = translate_proven(b->text, &trace, b->scratch, &code, fail);
	}
	if (status)
		return status;
	status = cache_reserve(&b->w->cache, code.size, &addr, fail);
	if (status)
		return status;
	status = code_place(&code, addr, fail);
	if (!status && !keep_code(b, &code, addr, trace.n_blocks))
		status = failed(fail, STATUS_WORKSPACE, site, code.size);
	if (status)
		cache_abort(&b->w->cache, addr);
	else
		cache_commit(&b->w->cache, addr);
	return status;
}

static void translate_all(struct batch *b)
{
	for (u32 i = 0; i < b->n_hops; i++) {
		struct hop *hop = &b->hops[i];
		u64 mark = arena_mark(b->scratch);
		enum status status;

		if (hop->kind == HOP_NONE)
			continue;
		status = translate_site(b, hop->site, NULL);
		arena_release(b->scratch, mark);
		if (status) {
			count(b, status, hop->site);
			hop->kind = HOP_NONE;
		}
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

/* The same, of earlier batches as well. */
static u64 any_translation(const struct batch *b, u64 site)
{
	u64 addr = own_translation(b, site);

	for (u32 i = 0; !addr && i < world->n_images && workshop_is_site(b->w, site); i++) {
		const struct image *image = &world->images[i];
		const struct translation *to =
			image->record == b->w->record->record
				? find_in(image->translations, image->n_translations, site)
				: NULL;

		if (to)
			addr = image->areas[to->area].start + to->at;
	}
	return addr;
}

/* Exits that lead to a site lead to its translation; every such field, and every back-edge, is listed for undo. */
static enum status link_all(struct batch *b, struct failure *fail)
{
	const struct way_out *ways = (const struct way_out *)b->ways.base;
	u64 n = b->ways.used / sizeof(*ways);

	for (u64 i = 0; i < n; i++) {
		const struct way_out *way = &ways[i];
		const struct area *area = &b->result.areas[way->area];
		u64 to = way->kind == FIXUP_EXIT ? any_translation(b, way->target) : 0;
		u8 *field = b->staging[way->area].base + way->at;
		u64 end = area->start + way->end;
		struct link *link;

		if (way->kind == FIXUP_DATA || (way->kind == FIXUP_EXIT && !to))
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

static enum status keep_sites(struct batch *b, struct failure *fail)
{
	for (u32 i = 0; i < b->n_hops; i++) {
		const struct hop *hop = &b->hops[i];
		struct site *site;
		u64 size, target;

		if (hop->kind == HOP_NONE)
			continue;
		target = own_translation(b, hop->site);
		site = target ? pool_take(&b->sites, sizeof(*site)) : NULL;
		if (!site)
			return failed(fail, STATUS_WORKSPACE, hop->site, b->sites.size);
		site->hop = *hop;
		site->hop.target = target;
		memcpy(site->old, text_bytes(b->text, hop->site, &size),
		       hop->len < 5 ? hop->len : 5);
		memcpy(site->new, site->old, sizeof(site->new));
		if (hop->kind == HOP_DIRECT)
			jump32(site->new, hop->site, site->hop.target);
		else
			jump8(site->new, hop->site, hop->slot);
		b->record->hops[hop->kind]++;
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
		area->staging = b->staging[i].base;
		area->origins = (struct origin *)b->origins[i].base;
		area->n_origins = (u32)(b->origins[i].used / sizeof(struct origin));
		area->links = (struct link *)b->links[i].base;
		area->n_links = (u32)(b->links[i].used / sizeof(struct link));
		status->cache_used += area->used;
		if (!area->mapped)
			continue;
		/* pages of their own, for they are made anew when the image is published */
		b->w->cache.areas[i].used = page_up(b->w->cache.areas[i].used);
		area->reserved = b->w->base + area->start;
		status->cache_mapped += page_up(area->used);
	}
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
	if (image == b->w->record)
		return image;
	image->record = b->w->record->record;
	memcpy(image->path, b->w->record->path, sizeof(image->path));
	memcpy(image->segments, b->w->record->segments, sizeof(image->segments));
	image->n_segments = b->w->record->n_segments;
	image->text_start = b->w->record->text_start;
	world->n_images++;
	return image;
}

static void drop_all(struct batch *b)
{
	for (u32 i = 0; i < IMAGE_AREAS; i++) {
		pool_close(&b->staging[i]);
		pool_close(&b->origins[i]);
		pool_close(&b->links[i]);
	}
	pool_close(&b->translations);
	pool_close(&b->sites);
	pool_close(&b->by_slot);
	pool_close(&b->states);
	pool_close(&b->pendings);
}

static enum status prepare(struct batch *b, const struct batch_range *ranges, u32 n_ranges,
                           struct failure *fail)
{
	u64 bytes = b->text->end - b->text->start;
	enum status status = STATUS_OK;

	b->fresh = arena_alloc(b->scratch, bytes / 8 + 1, 1);
	if (!b->fresh)
		return failed(fail, STATUS_WORKSPACE, 0, bytes / 8);
	if (world->traces)
		status = find_traced_sites(b, fail);
	else
		for (u32 i = 0; i < n_ranges; i++)
			find_sites(b, &ranges[i]);
	if (!status)
		status = list_sites(b, fail);
	if (!status && b->n_hops && !world->options.all)
		status = judge_sites(b, fail);
	if (status || b->n_hops == 0)
		return status;
	status = workshop_areas(b->w, fail);
	if (status)
		return status;
	if (!open_areas(b) ||
	    !pool_open(&b->translations, b->n_hops * sizeof(struct translation)) ||
	    !pool_open(&b->sites, b->n_hops * sizeof(struct site)) ||
	    !pool_open(&b->by_slot, (u64)b->n_hops * sizeof(u32)) ||
	    !pool_open(&b->ways, bytes * CACHE_PER_TEXT * 4) ||
	    !pool_open(&b->states, (bytes + PAGE_SIZE) * sizeof(struct ir_state)) ||
	    !pool_open(&b->pendings, (bytes + PAGE_SIZE) * sizeof(struct ir_pending)) ||
	    !pool_take(&b->states, sizeof(struct ir_state)))
		return failed(fail, STATUS_WORKSPACE, 0, b->n_hops * sizeof(struct site));
	plan_hops(b);
	return STATUS_OK;
}

static enum status run(struct batch *b, const struct batch_range *ranges, u32 n_ranges,
                       struct failure *fail)
{
	enum status status = prepare(b, ranges, n_ranges, fail);

	if (status || !b->n_hops)
		return status;
	translate_all(b);
	status = link_all(b, fail);
	if (!status)
		status = keep_sites(b, fail);
	if (!status)
		status = index_slots(b, fail);
	return status;
}

struct image *batch_translate(struct workshop *workshop, const struct batch_range *ranges,
                              u32 n_ranges, grow_heat_fn *heat, struct failure *fail)
{
	static const struct batch empty;
	struct batch b = empty;
	struct image *image = NULL;
	u64 began = sys_now_ns(), mark = arena_mark(&workshop->reading.scratch);
	enum status status;

	b.w = workshop;
	b.heat = heat;
	b.record = &workshop->record->status;
	b.text = &workshop->reading.text;
	b.scratch = &workshop->reading.scratch;
	status = run(&b, ranges, n_ranges, fail);
	pool_close(&b.ways);
	if (!status && b.translations.used)
		image = keep_all(&b);
	if (!image)
		drop_all(&b);
	arena_release(b.scratch, mark);
	memory_relax(b.scratch);
	b.record->translate_ns += sys_now_ns() - began;
	return image;
}
