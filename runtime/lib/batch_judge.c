/* SPDX-License-Identifier: MIT */
/*
 * batch_judge.c - which sites of a batch are worth a translation: those that save more instructions than the way in costs.
 *
 *     sites -> what each translation saves, and where it leads -> short sites moved -> the set that is kept -> fronts
 *
 * Who comes from another translation comes by a link, which costs no jump. So translations are judged together, as far as it is known
 * how often each is entered: a site is dropped if all others are better off without it, its own savings counted, until none is.
 * That drops nothing that the best set has: fewer others never make one better. What is not known to be entered is judged by itself,
 * for one entry. Instructions are not time, and translations that save few take as long as the original, or longer: by samples one has to save one of TOLL instructions
 * that it executes, and its jumps in and out cost twice what they are.
 *
 * Who leaves for a direct call, or jumps to a function's start, comes by a link, too: such functions get fronts (batch_private.h).
 */
#include "batch_again.h"

#include "cover.h"
#include "limits.h"
#include "stages.h"
#include "sys.h"
#include "translate.h"

#define MOST_ENTRIES ((u64)1 << 18) /* after scaling; products with costs fit in 63 bits */
#define NO_HOP 0xffffffffu
#define EARLIER 0xfffffffeu /* a translation of an earlier batch */

#define TOLL \
	40 /* by samples: of so many instructions in a translation one is to be saved at least */
#define JUMP_PRICE 2 /* and a jump into one, or out of it, is as dear as so many instructions */
#define FRONT_INSNS 8 /* from a function's start to its site, at most */

/* A translation's way out that may become a link. */
struct lead {
	u64 target; /* a site, or a function's start */
	u32 flow; /* of COST_ENTRY entries */
	u32 hop; /* index in the batch, or EARLIER, NO_HOP */
};

struct verdict {
	enum status status;
	s64 gain; /* what COST_ENTRY entries save, the way in apart */
	u64 toll; /* and what they have to save more than, as instructions are not time (TOLL) */
	u64 entries; /* scaled */
	u64 linked; /* of entries * COST_ENTRY: those that come from others that are kept */
	u32 first, n; /* leads */
	bool known; /* how often it is entered */
};

struct judge {
	struct batch *b;
	struct verdict *verdicts; /* parallel to b->hops */
	struct pool leads;
	u8 *aims; /* one bit for each byte of text: exits of judged trees lead there */
	u8 *tabled; /* the same for their jumps through tables */
};

/* ---- one by one ---- */

/* Jumps on the way in through the site, for COST_ENTRY entries. */
static u64 way_cost(const struct hop *hop)
{
	return (hop->len < JMP_REL32_LEN ? 2 : 1) * COST_ENTRY;
}

/* Notes where control leaves a translation for. False if there is no room. */
static bool aim(struct judge *j, const struct code_fixup *fixup)
{
	const struct text *text = j->b->text;
	const struct text_table *table =
		fixup->kind == FIXUP_TABLE ? text_table_of(text, fixup->target) : NULL;
	struct lead *lead;
	u64 target = fixup->target;

	for (u64 i = 0; table && i < table->count; i++) {
		set_bit(j->aims, table->targets[i]);
		set_bit(j->tabled, table->targets[i]);
	}
	if (fixup->kind != FIXUP_EXIT || target - text->start >= text->end - text->start)
		return true;
	set_bit(j->aims, target - text->start);
	if (text_call(text, target, j->b->w->decoder, &target, NULL) == STATUS_OK &&
	    !(text_marks(text, target) & TEXT_FUNCTION))
		return true;
	if (!fixup->flow ||
	    !(workshop_is_site(j->b->w, target) || (text_marks(text, target) & TEXT_FUNCTION)))
		return true;
	lead = pool_take(&j->leads, sizeof(*lead));
	if (!lead)
		return false;
	*lead = (struct lead){ .target = target, .flow = fixup->flow };
	return true;
}

static u32 n_leads(const struct judge *j)
{
	return (u32)(j->leads.used / sizeof(struct lead));
}

static struct verdict judge_trace(struct judge *j, const struct trace *trace)
{
	struct batch *b = j->b;
	u64 mark = arena_mark(b->scratch);
	struct code code;
	u32 before = stages_enter(STATUS_STAGE_judging);
	struct verdict verdict = { .status = translate(b->text, trace, b->scratch, &code, NULL),
		                   .known = trace->entries != 0,
		                   .entries = trace->entries ? trace->entries : 1,
		                   .first = n_leads(j) };

	stages_enter(before);
	if (!verdict.status) {
		verdict.gain = (s64)(code.cost_original - code.cost);
		verdict.toll = b->flows ? code.cost / TOLL : 0;
		for (u32 i = 0; i < code.n_fixups && !verdict.status; i++) {
			const struct code_fixup *fixup = &code.fixups[i];

			if (b->flows && fixup->kind == FIXUP_EXIT)
				verdict.toll += fixup->flow * (JUMP_PRICE - 1);
			if (!aim(j, fixup))
				verdict.status = STATUS_WORKSPACE;
		}
	}
	verdict.n = n_leads(j) - verdict.first;
	batch_release(b, mark);
	return verdict;
}

static struct verdict judge_site(struct judge *j, const struct hop *hop)
{
	u64 mark = arena_mark(j->b->scratch);
	struct grown grown;
	struct trace trace;
	struct verdict verdict = { .status = batch_trace(j->b, hop->site, &grown, &trace) };

	if (!verdict.status)
		verdict = judge_trace(j, &trace);
	if (!j->b->flows) /* else the tree and its flows are asked for again */
		batch_release(j->b, mark);
	return verdict;
}

static u64 count_at(struct batch *b, u64 site)
{
	const struct flow_block *block = flow_block_of(b->flows, site, NULL);

	return block ? block->count : 0;
}

/* Numbers of hops, those first that are executed most. */
static u32 *by_heat(struct batch *b)
{
	u32 *order = arena_alloc(b->scratch, b->n_hops, sizeof(*order));
	u64 *counts = arena_alloc(b->scratch, b->n_hops, sizeof(*counts));

	for (u32 i = 0; order && counts && i < b->n_hops; i++) {
		u64 count = count_at(b, b->hops[i].site);
		u32 k = i;

		for (; k > 0 && counts[k - 1] < count; k--) {
			counts[k] = counts[k - 1];
			order[k] = order[k - 1];
		}
		counts[k] = count;
		order[k] = i;
	}
	return counts ? order : NULL;
}

/* Making those that are kept, and proving them, takes as long again. */
static bool is_time_over(const struct batch *b, u64 began_ns)
{
	u64 now = sys_cpu_ns();

	return b->w->until_ns && now + (now - began_ns) > b->w->until_ns;
}

/* As many as there is time for. */
static void judge_sites(struct judge *j)
{
	struct batch *b = j->b;
	u64 began = sys_cpu_ns();
	const u32 *order = b->w->until_ns && b->flows ? by_heat(b) : NULL;

	for (u32 i = 0; i < b->n_hops; i++) {
		u32 k = order ? order[i] : i;

		if (order && i && is_time_over(b, began))
			j->verdicts[k].status = STATUS_END;
		else
			j->verdicts[k] = judge_site(j, &b->hops[k]);
	}
}

/* A site that has a translation: by the tree of today if that is to replace it, else by its own. */
static void judge_published(struct judge *j, u32 i)
{
	u64 site = j->b->hops[i].site;
	struct published *published = batch_published(j->b, site);
	struct verdict *today = &j->verdicts[i], own;
	struct grown old;

	if (!published || !batch_old_trace(j->b, site, &old))
		return;
	own = judge_trace(j, &old.trace);
	if (own.status)
		return;
	if (!today->status && !batch_often(j->b, site) && batch_is_better(today->gain, own.gain))
		published->fate = PUBLISHED_REPLACED;
	else
		*today = own;
}

/* ---- short sites ---- */

/* Length of the instruction at addr if control only goes on behind it; else 0. */
static u32 plain_len(const struct batch *b, u64 addr)
{
	struct insn_brief insn;

	if (text_brief(b->text, addr, b->w->decoder, &insn, NULL) != STATUS_OK)
		return 0;
	return insn.role == ROLE_PLAIN ? insn.len : 0;
}

/* A site further on in the same block that a single jump fits in, and that ends in front of `end`. */
static bool longer_site(struct batch *b, const struct hop *hop, u64 end, struct hop *out)
{
	const u16 others = TEXT_TARGET | TEXT_FUNCTION | TEXT_RETURN | TEXT_LOOP;
	struct hop at = *hop;

	do {
		u64 next = at.site + at.len, site;
		u32 len;

		if (!plain_len(b, at.site) || (text_marks(b->text, next) & others) ||
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

/* What the way in is thought to take, in instructions for COST_ENTRY entries. */
static u64 way_price(const struct judge *j, const struct hop *hop)
{
	return way_cost(hop) * (j->b->flows ? JUMP_PRICE : 1);
}

static s64 gain_alone(const struct judge *j, const struct verdict *verdict, const struct hop *hop)
{
	return verdict->gain - (s64)way_price(j, hop);
}

/*
 * A short site costs two jumps for each entry. Where no exit leads, so that nobody comes but by the site, it may as well stand
 * further on.
 */
static void move_site(struct judge *j, u32 i)
{
	struct batch *b = j->b;
	struct hop *hop = &b->hops[i], longer;
	struct verdict *verdict = &j->verdicts[i], other;
	u64 end = i + 1 < b->n_hops ? b->hops[i + 1].site : b->text->end;

	if (hop->len >= JMP_REL32_LEN || batch_published(b, hop->site) ||
	    has_bit(j->aims, hop->site - b->text->start) ||
	    (text_marks(b->text, hop->site) & TEXT_LOOP) || !longer_site(b, hop, end, &longer) ||
	    workshop_is_site(b->w, longer.site) || !move_traces(b, hop->site, longer.site))
		return;
	other = judge_site(j, &longer);
	if (other.status ||
	    (!verdict->status && gain_alone(j, &other, &longer) <= gain_alone(j, verdict, hop))) {
		if (!move_traces(b, longer.site, hop->site))
			verdict->status = STATUS_TRACE_PATH;
		return;
	}
	batch_drop_site(b, hop->site);
	batch_take_site(b, longer.site);
	*hop = longer;
	*verdict = other;
}

/* ---- together ---- */

static u32 hop_at(const struct batch *b, u64 site)
{
	u32 low = 0, high = b->n_hops;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (b->hops[middle].site == site)
			return middle;
		if (b->hops[middle].site < site)
			low = middle + 1;
		else
			high = middle;
	}
	return workshop_is_site(b->w, site) ? EARLIER : NO_HOP;
}

/* The hop of a function's site, or of this very place. In a batch that judges anew, fronts belong to the site behind them. */
static u32 hop_behind(const struct judge *j, u64 addr)
{
	const u16 others = TEXT_TARGET | TEXT_FUNCTION | TEXT_RETURN;
	u32 here = hop_at(j->b, addr), len;

	if (!(text_marks(j->b->text, addr) & TEXT_FUNCTION) ||
	    !(here == NO_HOP || (here == EARLIER && j->b->anew)))
		return here;
	for (u32 i = 0, at; i < FRONT_INSNS && (len = plain_len(j->b, addr)) != 0; i++) {
		addr += len;
		if (text_marks(j->b->text, addr) & others)
			return here;
		at = hop_at(j->b, addr);
		if (at == EARLIER)
			return here;
		if (at != NO_HOP)
			return at;
	}
	return here;
}

static struct lead *leads_of(const struct judge *j, const struct verdict *verdict)
{
	return (struct lead *)j->leads.base + verdict->first;
}

/* Sites stand now: where leads lead; entries become as small as products need. */
static void settle(struct judge *j)
{
	struct lead *leads = (struct lead *)j->leads.base;
	u64 most = 0;
	u32 shift = 0;

	for (u32 i = 0; i < n_leads(j); i++)
		leads[i].hop = hop_behind(j, leads[i].target);
	for (u32 i = 0; i < j->b->n_hops; i++)
		if (j->verdicts[i].entries > most)
			most = j->verdicts[i].entries;
	while (most >> shift > MOST_ENTRIES)
		shift++;
	for (u32 i = 0; i < j->b->n_hops; i++)
		if (j->verdicts[i].entries)
			j->verdicts[i].entries = (j->verdicts[i].entries >> shift) + 1;
}

/* Who comes to whom by a link, of those that are kept. */
static void sum_linked(struct judge *j)
{
	for (u32 i = 0; i < j->b->n_hops; i++)
		j->verdicts[i].linked = 0;
	for (u32 i = 0; i < j->b->n_hops; i++) {
		const struct verdict *from = &j->verdicts[i];

		for (u32 k = 0; k < from->n && !from->status && from->known; k++) {
			const struct lead *lead = &leads_of(j, from)[k];

			if (lead->hop < j->b->n_hops)
				j->verdicts[lead->hop].linked += lead->flow * from->entries;
		}
	}
}

/* What comes through the site itself, in COST_ENTRY-ths of an entry. */
static u64 through_site(const struct judge *j, u32 i)
{
	const struct verdict *v = &j->verdicts[i];
	u64 all = v->entries * COST_ENTRY;
	u64 rest = v->known ? all - (v->linked < all ? v->linked : all) : all;

	/* Jumps through tables of other translations cost no jump either: three in four that come there are taken to be theirs. */
	return has_bit(j->tabled, j->b->hops[i].site - j->b->text->start) ? rest / 4 : rest;
}

/* Jumps on the way in, for COST_ENTRY entries by whatever way. */
static u64 paid_at(const struct judge *j, u32 i)
{
	return through_site(j, i) / j->verdicts[i].entries * way_cost(&j->b->hops[i]) / COST_ENTRY;
}

/* What all translations together save more with this one; one that is live already has to lose a little before that is believed. */
static s64 worth(const struct judge *j, u32 i)
{
	const struct verdict *v = &j->verdicts[i];
	s64 sum = (s64)v->entries * (v->gain - (s64)v->toll) -
	          (s64)(through_site(j, i) * (way_price(j, &j->b->hops[i]) / COST_ENTRY));

	if (batch_published(j->b, j->b->hops[i].site))
		sum += (s64)(v->entries * BATCH_SLACK);
	for (u32 k = 0; k < v->n && v->known; k++) {
		const struct lead *lead = &leads_of(j, v)[k];
		const struct verdict *to;
		u64 flow = lead->flow * v->entries;

		if (lead->hop == EARLIER)
			sum += (s64)flow;
		if (lead->hop >= j->b->n_hops || lead->hop == i)
			continue;
		to = &j->verdicts[lead->hop];
		if (!to->known || to->status)
			continue;
		if (flow > to->entries * COST_ENTRY)
			flow = to->entries * COST_ENTRY;
		sum += (s64)(flow * (way_price(j, &j->b->hops[lead->hop]) / COST_ENTRY));
	}
	return sum;
}

static void judge_together(struct judge *j)
{
	bool dropped;

	settle(j);
	do {
		dropped = false;
		sum_linked(j);
		for (u32 i = 0; i < j->b->n_hops; i++) {
			if (j->verdicts[i].status || worth(j, i) > 0)
				continue;
			j->verdicts[i].status = STATUS_COST_GAIN;
			dropped = true;
		}
	} while (dropped);
}

/* There was no time to judge it: it is as if it had not been asked for. */
static bool is_left(const struct judge *j, u32 hop)
{
	return j->verdicts[hop].status == STATUS_END;
}

/* Has the live translation of a hop, if there is one, an end? */
static bool is_retired(const struct judge *j, u32 hop)
{
	const struct published *published = batch_published(j->b, j->b->hops[hop].site);

	return published && !is_left(j, hop) &&
	       (j->verdicts[hop].status || published->fate == PUBLISHED_REPLACED);
}

/* Fronts whose site gets another translation, or none, are withdrawn. */
static void drop_fronts(struct judge *j)
{
	struct batch *b = j->b;

	for (u32 i = 0; i < world->n_images && b->anew; i++) {
		const struct image *image = &world->images[i];

		for (u32 k = 0; image->record == b->w->record->record && k < image->n_translations;
		     k++) {
			const struct translation *t = &image->translations[k];
			u32 hop;

			if (t->retired || !(text_marks(b->text, t->site) & TEXT_FUNCTION))
				continue;
			hop = hop_behind(j, t->site);
			if (hop < b->n_hops && is_retired(j, hop))
				batch_withdraw_front(b, t->site);
		}
	}
}

/* Functions that translations which are kept lead to, and that have no front yet. */
static enum status find_fronts(struct judge *j)
{
	struct batch *b = j->b;
	u64 bytes = b->text->end - b->text->start;
	u8 *led = arena_alloc(b->scratch, bytes / 8 + 1, 1);
	u32 n = 0;

	if (!led)
		return STATUS_WORKSPACE;
	for (u32 i = 0; i < b->n_hops; i++) {
		const struct verdict *from = &j->verdicts[i];

		for (u32 k = 0; k < from->n && !from->status && from->known; k++) {
			const struct lead *lead = &leads_of(j, from)[k];
			u64 at = lead->target - b->text->start;

			if (lead->hop >= b->n_hops || j->verdicts[lead->hop].status ||
			    lead->target == b->hops[lead->hop].site ||
			    workshop_is_site(b->w, lead->target) || has_bit(led, at))
				continue;
			set_bit(led, at);
			n++;
		}
	}
	b->fronts = arena_alloc(b->scratch, n, sizeof(*b->fronts));
	if (n && !b->fronts)
		return STATUS_WORKSPACE;
	for (u64 i = 0; i < bytes && b->n_fronts < n; i++) {
		u64 function = b->text->start + i;

		if (!led[i / 8])
			i |= 7;
		else if (has_bit(led, i))
			b->fronts[b->n_fronts++] =
				(struct front){ function, b->hops[hop_behind(j, function)].site };
	}
	for (u32 i = 0; i < n; i++)
		batch_take_site(b, b->fronts[i].function);
	b->record->n_heads += n;
	return STATUS_OK;
}

/* For measuring: grown once more, as nobody kept the tree. */
static void cover_dropped(struct batch *b, u64 site, enum status status)
{
	u64 mark = arena_mark(b->scratch);
	struct grown grown;
	struct trace trace;

	if (b->w->covers && !batch_trace(b, site, &grown, &trace))
		cover_add(b->w, &trace,
		          status == STATUS_COST_GAIN ? STATUS_TREE_NO_GAIN : STATUS_TREE_REFUSED);
	batch_release(b, mark);
}

/* What is refused, and what stays as it is. */
static void drop_refused(struct judge *j)
{
	struct batch *b = j->b;
	u32 n = 0;

	for (u32 i = 0; i < b->n_hops; i++) {
		const struct hop *hop = &b->hops[i];
		struct published *published = batch_published(b, hop->site);

		if (is_left(j, i)) {
			if (!published)
				batch_drop_site(b, hop->site);
		} else if (j->verdicts[i].status) {
			cover_dropped(b, hop->site, j->verdicts[i].status);
			batch_count(b, j->verdicts[i].status, hop->site);
			batch_drop_site(b, hop->site);
			if (published)
				published->fate = PUBLISHED_WITHDRAWN;
		} else if (!published || published->fate == PUBLISHED_REPLACED) {
			b->paid[n] = paid_at(j, i);
			b->hops[n++] = *hop;
		}
	}
	b->n_hops = n;
}

enum status batch_judge(struct batch *b, struct failure *fail)
{
	struct judge j = { .b = b };
	enum status status;
	u64 bits = (b->text->end - b->text->start) / 8 + 1;

	j.verdicts = arena_alloc(b->scratch, b->n_hops, sizeof(*j.verdicts));
	j.aims = arena_alloc(b->scratch, bits, 1);
	j.tabled = arena_alloc(b->scratch, bits, 1);
	b->paid = arena_alloc(b->scratch, b->n_hops, sizeof(*b->paid));
	if (!j.verdicts || !j.aims || !j.tabled || !b->paid ||
	    !pool_open(&j.leads, 2ull * b->n_hops * LIMIT_CODE_FIXUPS * sizeof(struct lead)))
		return failed(fail, STATUS_WORKSPACE, 0, b->n_hops);
	judge_sites(&j);
	for (u32 i = 0; i < b->n_hops && b->n_published; i++)
		judge_published(&j, i);
	for (u32 i = 0; i < b->n_hops; i++)
		move_site(&j, i);
	judge_together(&j);
	drop_fronts(&j);
	status = find_fronts(&j);
	drop_refused(&j);
	pool_close(&j.leads);
	return status ? failed(fail, status, 0, b->n_hops) : STATUS_OK;
}
