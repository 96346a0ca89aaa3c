/* SPDX-License-Identifier: MIT */
/*
 * batch_judge.c - which sites of a batch are worth a translation.
 *
 *     sites -> what each translation saves, and where it leads -> short sites moved -> the set that is kept (worth.c) -> fronts
 *
 * Who leaves for a direct call, or jumps to a function's start, comes by a link, too: such functions get fronts (batch_private.h).
 */
#include "batch_again.h"

#include "cover.h"
#include "limits.h"
#include "stages.h"
#include "sys.h"
#include "translate.h"
#include "worth.h"

#define FRONT_INSNS 8 /* from a function's start to its site, at most */

struct judge {
	struct batch *b;
	struct verdict *verdicts; /* parallel to b->hops */
	struct pool leads;
	u8 *aims; /* one bit for each byte of text: exits of judged trees lead there */
	u8 *tabled; /* the same for their jumps through tables */
};

/* ---- one by one ---- */

/* Jumps on the way in through the site. */
static u8 jumps_of(const struct hop *hop)
{
	return hop->len < JMP_REL32_LEN ? 2 : 1;
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
		worth_of(&code, b->flows != NULL, &verdict);
		for (u32 i = 0; i < code.n_fixups && !verdict.status; i++)
			if (!aim(j, &code.fixups[i]))
				verdict.status = STATUS_WORKSPACE;
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

/*
 * Making those that are kept, and proving them, takes as long again. Where reading and growing have taken more than was thought, and left too little, it is still as long as they took: else they were
 * for nothing.
 */
static bool is_time_over(const struct batch *b, u64 began_ns)
{
	u64 now = sys_cpu_ns(), least_ns = began_ns + (began_ns - b->w->began_ns);

	return b->w->until_ns && now + (now - began_ns) > b->w->until_ns &&
	       now + (now - began_ns) > least_ns;
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

/* Will it not be kept however cheap the way in is? It saves too little, and leads to nobody who would have a cheaper one. */
static bool is_hopeless(const struct verdict *verdict)
{
	return !verdict->status && !verdict->n && verdict->gain <= (s64)verdict->toll;
}

/* There was no time to judge it: it is as if it had not been asked for. */
static bool is_left(const struct judge *j, u32 hop)
{
	return j->verdicts[hop].status == STATUS_END;
}

/* As many as there is time for; what is live stays so if there is none. */
static void judge_sites(struct judge *j)
{
	struct batch *b = j->b;
	u64 began = sys_cpu_ns();
	const u32 *order = b->w->until_ns && b->flows ? by_heat(b) : NULL;

	for (u32 i = 0; i < b->n_hops; i++) {
		u32 k = order ? order[i] : i;

		if (order && i && is_time_over(b, began))
			j->verdicts[k].status = STATUS_END;
		else {
			j->verdicts[k] = judge_site(j, &b->hops[k]);
			judge_published(j, k);
		}
	}
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

static s64 gain_alone(const struct judge *j, const struct verdict *verdict, const struct hop *hop)
{
	return worth_alone(verdict, jumps_of(hop), j->b->flows != NULL);
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

	if (hop->len >= JMP_REL32_LEN || is_left(j, i) || is_hopeless(verdict) ||
	    batch_published(b, hop->site) || has_bit(j->aims, hop->site - b->text->start) ||
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
	return workshop_is_site(b->w, site) ? WORTH_EARLIER : WORTH_NO_SITE;
}

/* The hop of a function's site, or of this very place. In a batch that judges anew, fronts belong to the site behind them. */
static u32 hop_behind(const struct judge *j, u64 addr)
{
	const u16 others = TEXT_TARGET | TEXT_FUNCTION | TEXT_RETURN;
	u32 here = hop_at(j->b, addr), len;

	if (!(text_marks(j->b->text, addr) & TEXT_FUNCTION) ||
	    !(here == WORTH_NO_SITE || (here == WORTH_EARLIER && j->b->anew)))
		return here;
	for (u32 i = 0, at; i < FRONT_INSNS && (len = plain_len(j->b, addr)) != 0; i++) {
		addr += len;
		if (text_marks(j->b->text, addr) & others)
			return here;
		at = hop_at(j->b, addr);
		if (at == WORTH_EARLIER)
			return here;
		if (at != WORTH_NO_SITE)
			return at;
	}
	return here;
}

static struct lead *leads_of(const struct judge *j, const struct verdict *verdict)
{
	return (struct lead *)j->leads.base + verdict->first;
}

static void judge_together(struct judge *j)
{
	struct batch *b = j->b;
	struct lead *leads = (struct lead *)j->leads.base;
	struct worth worth = { j->verdicts, b->n_hops, leads, b->flows != NULL };

	for (u32 i = 0; i < n_leads(j); i++)
		leads[i].site = hop_behind(j, leads[i].target);
	for (u32 i = 0; i < b->n_hops; i++) {
		struct verdict *verdict = &j->verdicts[i];
		u64 site = b->hops[i].site;

		verdict->jumps = jumps_of(&b->hops[i]);
		verdict->tabled = has_bit(j->tabled, site - b->text->start);
		verdict->live = batch_published(b, site) != NULL;
	}
	worth_together(&worth);
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

			if (lead->site >= b->n_hops || j->verdicts[lead->site].status ||
			    lead->target == b->hops[lead->site].site ||
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
			b->paid[n] = worth_paid(&j->verdicts[i]);
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
	for (u32 i = 0; i < b->n_hops; i++)
		move_site(&j, i);
	judge_together(&j);
	drop_fronts(&j);
	status = find_fronts(&j);
	drop_refused(&j);
	pool_close(&j.leads);
	return status ? failed(fail, status, 0, b->n_hops) : STATUS_OK;
}
