/* SPDX-License-Identifier: MIT */
/*
 * batch_sites.c - which places of a module a batch translates, and how they are reached.
 *
 *     heads (all, warm ones, a file's) -> sites -> judged by what their translations would save -> hops
 *
 * What would save no instructions is left alone, unless options.all.
 */
#include "batch_private.h"

#include "names.h"
#include "traces.h"
#include "translate.h"

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

static bool may_be_head(u16 marks)
{
	return (marks & TEXT_INSN) && (marks & TEXT_REACHED) &&
	       !(marks & (TEXT_NO_PATCH | TEXT_NO_TRANSLATE));
}

#define HEADS (TEXT_FUNCTION | TEXT_LOOP | TEXT_RETURN)
#define WARM 8 /* samples that a translation would have taken over */
#define WARMER 2 /* powers of 2 */
#define ARRIVALS \
	8 /* one of so many executions, at least: others come from the block in front, which begins a path as well */

/* How many samples would have been in a translation that begins here. */
static u64 warmth(struct batch *b, u64 addr, u16 marks)
{
	const struct flow *flow = flow_of(b->flows, addr);
	const struct flow_block *block = flow ? flow_block_at(flow, addr) : NULL;
	struct grown grown;
	struct grow_sum sum;
	u64 arrivals;

	if (!block || block->start != addr)
		return 0;
	arrivals = marks & (TEXT_LOOP | TEXT_RETURN) ? block->count : block->outside;
	if (!arrivals || arrivals < block->count / ARRIVALS)
		return 0;
	grow_hot(b->flows, addr, world->options.inline_calls, &grown, &sum);
	return grow_samples(&sum, arrivals);
}

/* Is a place warm enough, and warmer than when it was tried last? Notes how warm it is. */
static bool is_warm(struct batch *b, u64 addr, u16 marks)
{
	u8 *judged = &b->w->judged[addr - b->text->start];
	u64 n = warmth(b, addr, marks);
	u8 level = n ? (u8)(64 - __builtin_clzll(n)) : 0;

	if (n < WARM || (*judged && level < *judged + WARMER))
		return false;
	*judged = level;
	return true;
}

static void set_bit(u8 *bits, u64 i)
{
	bits[i / 8] |= (u8)(1 << i % 8);
}

static bool has_bit(const u8 *bits, u64 i)
{
	return bits[i / 8] >> i % 8 & 1;
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

	if (!may_be_head(marks) || !((marks & (b->flows ? HEADS | TEXT_TARGET : HEADS)) ||
	                             has_bit(b->cases, addr - b->text->start)))
		return false;
	return !b->flows || is_warm(b, addr, marks);
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
		batch_count(b, status, head);
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

static void grow(struct batch *b, u64 site, struct grown *out)
{
	const struct grow_rules rules = {
		.inline_calls = world->options.inline_calls,
		.is_site = world->options.all ? site_at : no_site,
		.ctx = b->w,
	};
	struct grow_sum sum;

	if (b->flows)
		grow_hot(b->flows, site, rules.inline_calls, out, &sum);
	else
		grow_trace(b->text, site, &rules, b->w->decoder, out);
}

/* The trace by which a site is translated: the file's, entered where the site is, or one grown from it. */
enum status batch_trace(struct batch *b, u64 site, struct grown *grown, struct trace *out)
{
	struct trace_block *blocks;

	if (!b->traces) {
		grow(b, site, grown);
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

/* What the translation of a site, if it may be one, saves for each COST_ENTRY entries. */
struct verdict {
	enum status status;
	s64 gain;
};

/* Jumps on the way in through the site, for COST_ENTRY entries. */
static u64 way_cost(const struct hop *hop)
{
	return (hop->len < JMP_REL32_LEN ? 2 : 1) * COST_ENTRY;
}

/* Would the translation of this site save more instructions than the way to it costs? Notes where its exits lead. */
static void aim(struct batch *b, const struct code_fixup *fixup)
{
	const struct text_table *table =
		fixup->kind == FIXUP_TABLE ? text_table_of(b->text, fixup->target) : NULL;
	u64 to = fixup->target - b->text->start;

	if (fixup->kind == FIXUP_EXIT && to < b->text->end - b->text->start)
		set_bit(b->aims, to);
	for (u64 i = 0; table && i < table->count; i++) {
		set_bit(b->aims, table->targets[i]);
		set_bit(b->tabled, table->targets[i]);
	}
}

static struct verdict judge_site(struct batch *b, const struct hop *hop)
{
	u64 way = way_cost(hop), mark = arena_mark(b->scratch);
	struct grown grown;
	struct trace trace;
	struct code code;
	struct verdict verdict = { .status = batch_trace(b, hop->site, &grown, &trace) };

	if (!verdict.status)
		verdict.status = translate(b->text, &trace, b->scratch, &code, NULL);
	if (!verdict.status) {
		verdict.gain = (s64)(code.cost_original - code.cost - way);
		for (u32 i = 0; i < code.n_fixups; i++)
			aim(b, &code.fixups[i]);
		if (verdict.gain <= 0)
			verdict.status = STATUS_COST_GAIN;
	}
	arena_release(b->scratch, mark);
	return verdict;
}

/*
 * Where jumps through tables lead from translations, three entries in four are taken to come that way, which costs no jump: who jumps
 * there most is most worth translating.
 */
static void judge_case(struct batch *b, const struct hop *hop, struct verdict *verdict)
{
	if (!has_bit(b->tabled, hop->site - b->text->start))
		return;
	verdict->gain += (s64)(way_cost(hop) * 3 / 4);
	if (verdict->status == STATUS_COST_GAIN && verdict->gain > 0)
		verdict->status = STATUS_OK;
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
	b->tabled = arena_alloc(b->scratch, (b->text->end - b->text->start) / 8 + 1, 1);
	if (!verdicts || !b->aims || !b->tabled)
		return failed(fail, STATUS_WORKSPACE, 0, b->n_hops);
	for (u32 i = 0; i < b->n_hops; i++)
		verdicts[i] = judge_site(b, &b->hops[i]);
	for (u32 i = 0; i < b->n_hops; i++)
		judge_case(b, &b->hops[i], &verdicts[i]);
	for (u32 i = 0; i < b->n_hops; i++)
		move_site(b, i, &verdicts[i]);
	for (u32 i = 0; i < b->n_hops; i++) {
		if (verdicts[i].status) {
			batch_count(b, verdicts[i].status, b->hops[i].site);
			drop_site(b, b->hops[i].site);
		} else {
			b->hops[n++] = b->hops[i];
		}
	}
	b->n_hops = n;
	return STATUS_OK;
}

void batch_plan_hops(struct batch *b)
{
	struct hop_places places = { .slots = b->w->slots,
		                     .taken = b->w->taken,
		                     .n_slots = b->text->n_slots };

	for (u32 i = 0; i < b->n_hops; i++)
		b->hops[i].target = b->w->cache.areas[b->w->cache.n_areas - 1].start;
	hops_plan(b->hops, b->n_hops, &places);
	for (u32 i = 0; i < b->n_hops; i++)
		if (b->hops[i].kind == HOP_NONE) {
			batch_count(b, b->hops[i].refusal, b->hops[i].site);
			drop_site(b, b->hops[i].site);
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
	if (world->traces)
		status = find_traced_sites(b, fail);
	else
		for (u32 i = 0; i < n_ranges; i++)
			find_sites(b, &ranges[i]);
	if (!status)
		status = list_sites(b, fail);
	if (!status && b->n_hops && !world->options.all)
		status = judge_sites(b, fail);
	return status;
}
