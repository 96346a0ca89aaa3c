// SPDX-License-Identifier: MIT
/*
 * place.c - the policy behind place.h.
 *
 * Slots are dear (5 bytes each, 2 more in the notes) but shared; a longer
 * instruction costs 1 to 4 bytes and serves one block, without competition. What
 * is promised comes first, whatever it costs: a sweep in address order sees to it
 * that every short site has a slot within reach, opening one at the last barrier
 * that still reaches (it serves most of the sites to come) or making the site
 * longer where that is cheaper; padding that would be there anyway is spent on
 * longer instructions; slots that nobody needs any more are closed again; and loop
 * heads that cannot all be patched at once are made longer. What is left of the
 * budget goes where many patches at a time would compete, then into loop heads.
 *
 * Addresses come from a model, so the end of it all is a check of what was
 * promised; nothing but coverage depends on the model being exact.
 */
#include "place.h"
#include "place_balance.h"
#include "place_model.h"

#include <string.h>

/* Decisions to come move things apart; the sweep keeps this far from the limit. */
#define SWEEP_MARGIN 6
#define SETTLE_ROUNDS 10
#define EXCHANGES 6
#define RETRY_LEAST 128 /* bytes over the budget that are not worth another try */

static bool reaches(const struct place *p, uint32_t s, uint32_t k, uint32_t margin)
{
	int64_t d = (int64_t)point_addr(p, k) - site_end(p, s);

	return d >= REL8_MIN + (int64_t)margin && d <= REL8_MAX - (int64_t)margin;
}

/* How many of the sites from s on a slot at this point would serve. */
static uint32_t clients(const struct place *p, uint32_t s, uint32_t k)
{
	uint32_t n = 0;

	for (; s < p->n_sites && reaches(p, s, k, SWEEP_MARGIN); s++)
		n += is_short(p, s);
	return n;
}

/* The first point that site s, and every site behind it, may reach. */
static uint32_t first_point(const struct place *p, uint32_t s)
{
	uint32_t low = 0, high = p->n_points;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if ((int64_t)point_addr(p, middle) < site_end(p, s) + REL8_MIN)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The point at which to open a slot for site s: the last in reach, cheap ones first. */
static uint32_t best_opening(const struct place *p, uint32_t s, uint32_t from, uint32_t margin,
                             uint32_t *cost)
{
	uint32_t best = PLACE_NO_TARGET;

	*cost = NO_OPENING;
	for (uint32_t k = from; k < p->n_points; k++) {
		uint32_t c;

		if ((int64_t)point_addr(p, k) > site_end(p, s) + REL8_MAX)
			break;
		if (!reaches(p, s, k, margin))
			continue;
		c = open_cost(p, k);
		if (point_addr(p, k) < site_end(p, s) &&
		    point_addr(p, k) < site_end(p, s) + c + REL8_MIN)
			continue; /* it would push the site out of its reach */
		if (c != NO_OPENING && c <= *cost) {
			best = p->points[k];
			*cost = c;
		}
	}
	return best;
}

/* See to it that one short site has a slot in reach, or is short no more. */
static void serve(struct place *p, uint32_t s, uint32_t from)
{
	struct node *n = &p->nodes[p->sites[s]];
	uint32_t cost, node;

	for (uint32_t k = from; k < p->n_points; k++) {
		if ((int64_t)point_addr(p, k) > site_end(p, s) + REL8_MAX)
			break;
		if (point_slots(p, k) && reaches(p, s, k, SWEEP_MARGIN))
			return;
	}
	node = best_opening(p, s, from, SWEEP_MARGIN, &cost);
	if (node == PLACE_NO_TARGET) {
		lengthen(n);
		return;
	}
	for (uint32_t k = from; k < p->n_points; k++) {
		if (p->points[k] != node)
			continue;
		if (lengthen_cost(n) && cost > lengthen_cost(n) * clients(p, s, k))
			lengthen(n);
		else
			p->nodes[node].slots++;
		return;
	}
}

static void sweep(struct place *p)
{
	uint32_t from = 0; /* the first point in reach; sites come in address order */

	for (uint32_t s = 0; s < p->n_sites; s++) {
		if (!is_short(p, s))
			continue;
		while (from < p->n_points &&
		       (int64_t)point_addr(p, from) < site_end(p, s) + REL8_MIN)
			from++;
		serve(p, s, from);
	}
}

/* p->reach[s]: number of slots that short site s can reach. */
static void count_reach(struct place *p)
{
	uint32_t low = 0, high = 0;

	model_list_slots(p);
	for (uint32_t s = 0; s < p->n_sites; s++) {
		int64_t end = site_end(p, s);

		while (low < p->n_slots && p->slots[low] < end + REL8_MIN)
			low++;
		while (high < p->n_slots && p->slots[high] <= end + REL8_MAX)
			high++;
		p->reach[s] = high - low;
	}
}

/* Close reserved slots without which every site still reaches another. */
static void prune(struct place *p)
{
	uint32_t first = 0;

	count_reach(p);
	for (uint32_t k = 0; k < p->n_points; k++) {
		struct node *n = &p->nodes[p->points[k]];
		int64_t slot = (int64_t)point_addr(p, k) + (n->slots - 1) * SLOT_LEN;
		bool needed = false;
		uint32_t end;

		if (n->kind != PLACE_INSN || !n->slots)
			continue;
		while (first < p->n_sites && site_end(p, first) + REL8_MAX < point_addr(p, k))
			first++;
		for (end = first; end < p->n_sites && site_end(p, end) + REL8_MIN <= slot; end++)
			needed |= is_short(p, end) && p->reach[end] < 2 &&
			          site_end(p, end) + REL8_MAX >= slot;
		if (needed)
			continue;
		for (uint32_t s = first; s < end; s++)
			if (site_end(p, s) + REL8_MAX >= slot)
				p->reach[s]--;
		n->slots--;
	}
}

/* What spends `bytes` of padding best: most gained per byte, then the cheapest. */
static struct node *best_gift(struct place *p, uint32_t first, uint32_t end, uint32_t bytes,
                              bool needy)
{
	struct node *best = NULL;
	uint32_t best_gain = 0, best_cost = 1;

	for (uint32_t s = first; s < end; s++) {
		struct node *n = &p->nodes[p->sites[s]];
		uint32_t cost = is_short(p, s) && (!needy || n->needy) ? lengthen_cost(n) : 0;
		uint64_t gain = (uint64_t)p->gain[s] * best_cost, rival;

		if (!cost || cost > bytes)
			continue;
		rival = (uint64_t)best_gain * cost;
		if (best && (gain < rival || (gain == rival && cost >= best_cost)))
			continue;
		best = n;
		best_gain = p->gain[s];
		best_cost = cost;
	}
	return best;
}

/*
 * Make sites longer for nothing, with `bytes` of padding that stands behind them.
 * first, end: sites between two paddings. Returns what is left.
 */
static uint32_t spend(struct place *p, uint32_t first, uint32_t end, uint32_t bytes, bool needy)
{
	struct node *n;

	while (bytes && (n = best_gift(p, first, end, bytes, needy))) {
		bytes -= lengthen_cost(n);
		n->gift = lengthen(n);
	}
	return bytes;
}

static void spend_padding(struct place *p)
{
	uint32_t first = 0, s = 0;

	for (uint32_t i = 0; i < p->n; i++) {
		if (p->nodes[i].kind != PLACE_ALIGN)
			continue;
		while (s < p->n_sites && p->sites[s] < i)
			s++;
		spend(p, first, s, spend(p, first, s, spare_padding(p, i), true), false);
		first = s;
	}
}

static void unspend(struct place *p)
{
	for (uint32_t s = 0; s < p->n_sites; s++) {
		struct node *n = &p->nodes[p->sites[s]];

		if (n->gift)
			shorten(n);
	}
}

/*
 * Whoever is missed is first in line for padding; whoever was so before is paid for,
 * as is everybody in the end. False if there is nothing to be done.
 */
static bool help(struct place *p, uint32_t s, bool pay)
{
	struct node *n = &p->nodes[p->sites[s]];
	uint32_t cost, node;

	if (!n->needy && !pay) {
		n->needy = true;
		return true;
	}
	if (lengthen(n))
		return true;
	node = best_opening(p, s, first_point(p, s), 0, &cost);
	if (node == PLACE_NO_TARGET)
		return false;
	p->nodes[node].slots++;
	return true;
}

/* Sites without a slot in reach, and loop heads that lose when all are patched at once. */
static uint32_t help_needy(struct place *p, bool pay)
{
	uint32_t helped = 0, lost;

	count_reach(p);
	for (uint32_t s = 0; s < p->n_sites; s++)
		if (!p->reach[s] && is_short(p, s))
			helped += help(p, s, pay);
	if (helped)
		return helped; /* decisions have moved things: look again first */
	lost = play_loop_heads(p);
	for (uint32_t i = 0; i < lost; i++)
		helped += help(p, p->failed[i], pay);
	if (helped || !lost)
		return helped;
	lost = play_stiff_heads_first(p);
	for (uint32_t i = 0; i < lost; i++)
		helped += help(p, p->failed[i], pay);
	return helped;
}

/*
 * Full padding would cost a whole step for the next byte in front of it, so gifts
 * are taken back before anything is paid for, and given anew.
 */
static uint32_t give_padding(struct place *p)
{
	unspend(p);
	model_layout(p);
	spend_padding(p);
	return model_layout(p);
}

/* Until every site has what it was promised. Returns the section's size. */
static uint32_t settle(struct place *p)
{
	for (int round = 0; round < SETTLE_ROUNDS; round++) {
		give_padding(p);
		if (help_needy(p, false))
			continue;
		model_forget_relaxed(p);
		model_layout(p);
		if (!help_needy(p, false))
			break;
	}
	return model_layout(p);
}

/*
 * Whatever is still missed is paid for, and what was given stays: nothing gets
 * shorter any more, so this ends. Branches are forgotten, which is dear, only to
 * confirm what was found.
 */
static uint32_t finish(struct place *p)
{
	do {
		do
			model_layout(p);
		while (help_needy(p, true));
		model_forget_relaxed(p);
		model_layout(p);
	} while (help_needy(p, true));
	return p->addr[p->n];
}

/* Where nothing may be spent on more: what is promised, by a quarter of the work. */
static void decide_promises(struct place *p)
{
	sweep(p);
	model_layout(p);
	spend_padding(p);
	model_layout(p);
	prune(p);
	finish(p);
}

/* What every section gets: one patch at a time anywhere, all loop heads at once. */
static uint32_t decide_base(struct place *p)
{
	sweep(p);
	give_padding(p);
	prune(p);
	return settle(p);
}

/* Make loop heads longer, the cheap ones first, until about `bytes` are spent. */
static uint32_t lengthen_heads(struct place *p, uint32_t bytes)
{
	uint32_t spent = 0;

	for (uint32_t price = 1; price <= JMP_REL32_LEN - JMP_REL8_LEN; price++) {
		for (uint32_t s = 0; s < p->n_sites && spent < bytes; s++) {
			struct node *n = &p->nodes[p->sites[s]];

			if ((n->flags & PLACE_LOOP_HEAD) && lengthen_cost(n) == price &&
			    lengthen(n))
				spent += price;
		}
	}
	return spent;
}

/*
 * Spend the rest: on what gains most, until enough patches fit at once, then on loop
 * heads. When the bytes are gone, what proved needless is exchanged a few times more.
 */
static uint32_t decide_rest(struct place *p, uint32_t size, uint64_t limit)
{
	static const uint8_t least[] = { 32, 24, 16, 12, 10, 8, 6, 5, 4, 3, 2, 1 };
	enum balance done = BALANCE_CHANGED;

	for (unsigned i = 0, more = EXCHANGES; i < sizeof(least) && size < limit && more;) {
		uint32_t left;

		done = place_balance(p, limit, least[i], &left);
		if (done == BALANCE_ENOUGH)
			break;
		if (done == BALANCE_CHANGED)
			size = give_padding(p);
		if (left > (limit - p->plain) / 64)
			i++;
		else
			more--;
	}
	size = settle(p);
	for (int round = 0; round < 3 && size < limit && done == BALANCE_ENOUGH; round++) {
		if (!lengthen_heads(p, (uint32_t)(limit - size + 1) / 2))
			break;
		size = settle(p);
	}
	return finish(p);
}

static void forget(struct place *p)
{
	for (uint32_t i = 0; i < p->n; i++) {
		struct node *n = &p->nodes[i];

		n->prefixes = n->force_long = n->slots = 0;
		n->gift = n->needy = false;
	}
	model_layout(p);
}

/* Blocks that cannot be patched at all. */
static uint32_t unserved(struct place *p)
{
	uint32_t n = 0;

	count_reach(p);
	for (uint32_t s = 0; s < p->n_sites; s++)
		n += is_short(p, s) && !p->reach[s];
	return n;
}

/*
 * What is paid in the end cannot be foreseen to the byte: aim a little below the
 * limit; a large section that still passes it is done again with less to spend. And
 * padding may move away from blocks that only it could serve: one in a thousand, or
 * nothing is spent there.
 */
static void decide(struct place *p, uint64_t budget)
{
	uint64_t limit = p->plain + budget, aim = p->plain + budget * 98 / 100;
	uint32_t base, lost, size;

	if (!budget) {
		decide_promises(p);
		return;
	}
	base = decide_base(p);
	lost = base < aim ? unserved(p) : 0;

	size = decide_rest(p, base, aim);
	if (base >= aim)
		return;
	if (size > limit + RETRY_LEAST) {
		forget(p);
		aim = aim > size - limit ? aim - (size - limit) : 0;
		decide_rest(p, decide_base(p), aim);
	}
	if (unserved(p) > lost + 1 + p->n_sites / 1000) {
		forget(p);
		decide_base(p);
		finish(p);
	}
}

static void report(const struct place *p, struct place_unit *units, struct place_stats *stats)
{
	for (uint32_t i = 0; i < p->n; i++) {
		const struct node *n = &p->nodes[i];

		if (n->kind != PLACE_INSN)
			continue;
		units[n->unit].prefixes = n->prefixes;
		units[n->unit].force_long = forced_long(n);
		units[n->unit].slots = n->slots;
		stats->slots += n->slots;
		stats->lengthened += n->prefixes || forced_long(n);
	}
	for (uint32_t s = 0; s < p->n_sites; s++) {
		stats->sites_long += !is_short(p, s);
		stats->unpatchable += is_short(p, s) && !p->reach[s];
	}
	stats->gaps = model_count_slots(p) - stats->slots;
}

void place_section(struct place_unit *units, size_t n, const struct place_options *options,
                   void *scratch, struct place_stats *stats)
{
	struct place p = { .nop_max = options->nop_max };

	memset(stats, 0, sizeof(*stats));
	model_init(&p, units, n, scratch, stats);
	p.plain = stats->text = model_layout(&p);
	decide(&p, (uint64_t)stats->text * options->budget_permyriad / 10000);
	stats->text_grown = p.addr[p.n]; /* all decisions end by looking at the result: finish() */
	report(&p, units, stats);
}
