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
 * Addresses come from a model, so a final pass checks what was promised and mends
 * it; nothing but coverage depends on the model being exact.
 */
#include "place.h"
#include "place_balance.h"
#include "place_model.h"

#include <string.h>

/* Decisions to come move things apart; the sweep keeps this far from the limit. */
#define SWEEP_MARGIN 6
#define SETTLE_ROUNDS 12

static bool reaches(const struct place *p, uint32_t site, uint32_t point, uint32_t margin)
{
	int64_t d = (int64_t)point_addr(p, point) - site_end(p, site);

	return d >= REL8_MIN + (int64_t)margin && d <= REL8_MAX - (int64_t)margin;
}

/* How many of the sites from s on a slot at this point would serve. */
static uint32_t clients(const struct place *p, uint32_t s, uint32_t point)
{
	uint32_t n = 0;

	for (; s < p->n_sites && reaches(p, p->sites[s], point, SWEEP_MARGIN); s++)
		n += is_short(p, s);
	return n;
}

/* The point at which to open a slot for site s: the last in reach, cheap ones first. */
static uint32_t best_opening(const struct place *p, uint32_t s, uint32_t from, uint32_t margin,
                             uint32_t *cost)
{
	uint32_t best = PLACE_NO_TARGET, site = p->sites[s];

	*cost = NO_OPENING;
	for (uint32_t k = from; k < p->n_points; k++) {
		uint32_t c;

		if (point_addr(p, p->points[k]) > site_end(p, site) + REL8_MAX)
			break;
		if (!reaches(p, site, p->points[k], margin))
			continue;
		c = open_cost(p, p->points[k]);
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
	struct place_unit *u = &p->units[p->sites[s]];
	uint32_t cost, point;

	for (uint32_t k = from; k < p->n_points; k++) {
		if (point_addr(p, p->points[k]) > site_end(p, p->sites[s]) + REL8_MAX)
			break;
		if (point_slots(p, p->points[k]) &&
		    reaches(p, p->sites[s], p->points[k], SWEEP_MARGIN))
			return;
	}
	point = best_opening(p, s, from, SWEEP_MARGIN, &cost);
	if (lengthen_cost(u) &&
	    (point == PLACE_NO_TARGET || cost > lengthen_cost(u) * clients(p, s, point)))
		lengthen(u);
	else if (point != PLACE_NO_TARGET)
		p->units[point].slots++;
}

static void sweep(struct place *p)
{
	uint32_t from = 0;

	model_find_points(p);
	for (uint32_t s = 0; s < p->n_sites; s++) {
		if (!is_short(p, s))
			continue;
		while (from < p->n_points && (int64_t)point_addr(p, p->points[from]) - REL8_MIN <
		                                     site_end(p, p->sites[s]))
			from++;
		serve(p, s, from);
	}
}

/* Can a site reach the point's last slot? (The last one is where reach backwards ends.) */
static bool reaches_slot(const struct place *p, uint32_t site, uint32_t unit)
{
	uint32_t slots = point_slots(p, unit);
	int64_t d = (int64_t)point_addr(p, unit) - site_end(p, site);

	return slots && d <= REL8_MAX && d + (int64_t)(slots - 1) * SLOT_LEN >= REL8_MIN;
}

static uint32_t first_in_reach(const struct place *p, uint32_t s, uint32_t from)
{
	int64_t low = site_end(p, p->sites[s]) + REL8_MIN - 16 * SLOT_LEN;

	while (from < p->n_points && point_addr(p, p->points[from]) < low)
		from++;
	return from;
}

/* p->load[s]: number of slots that short site s can reach. */
static void count_reach(struct place *p)
{
	uint32_t from = 0;

	for (uint32_t s = 0; s < p->n_sites; s++) {
		p->load[s] = 0;
		from = first_in_reach(p, s, from);
		for (uint32_t k = from; k < p->n_points && is_short(p, s); k++) {
			if (point_addr(p, p->points[k]) > site_end(p, p->sites[s]) + REL8_MAX)
				break;
			if (reaches_slot(p, p->sites[s], p->points[k]))
				p->load[s] += point_slots(p, p->points[k]);
		}
	}
}

/* Close reserved slots without which every site still reaches another. */
static void prune(struct place *p)
{
	uint32_t first = 0;

	model_find_points(p);
	count_reach(p);
	for (uint32_t k = 0; k < p->n_points; k++) {
		struct place_unit *u = &p->units[p->points[k]];
		bool needed = false;
		uint32_t s;

		if (u->kind != PLACE_INSN || !u->slots)
			continue;
		while (first < p->n_sites &&
		       site_end(p, p->sites[first]) + REL8_MAX < point_addr(p, p->points[k]))
			first++;
		for (s = first; s < p->n_sites && !needed; s++) {
			if (site_end(p, p->sites[s]) + REL8_MIN > point_addr(p, p->points[k]) + 64)
				break;
			needed = is_short(p, s) && p->load[s] < 2 &&
			         reaches_slot(p, p->sites[s], p->points[k]);
		}
		if (needed)
			continue;
		for (uint32_t i = first; i < s; i++)
			if (is_short(p, i) && reaches_slot(p, p->sites[i], p->points[k]))
				p->load[i]--;
		u->slots--;
	}
}

/*
 * Make sites longer for nothing, with `bytes` of padding that stands behind them,
 * the cheap ones first. first, end: site indices between two paddings. Returns the
 * bytes that are left.
 */
static uint32_t spend(struct place *p, uint32_t first, uint32_t end, uint32_t bytes, bool needy)
{
	for (uint32_t price = 1; price <= JMP_REL32_LEN - JMP_REL8_LEN && price <= bytes; price++) {
		for (uint32_t s = first; s < end && price <= bytes; s++) {
			struct place_unit *u = &p->units[p->sites[s]];

			if (!is_short(p, s) || lengthen_cost(u) != price || (needy && !p->needy[s]))
				continue;
			lengthen(u);
			u->flags |= PLACE_GIFT;
			bytes -= price;
		}
	}
	return bytes;
}

static void spend_padding(struct place *p)
{
	uint32_t first = 0, s = 0;

	for (uint32_t i = 0; i < p->n; i++) {
		if (p->units[i].kind != PLACE_ALIGN)
			continue;
		while (s < p->n_sites && p->sites[s] < i)
			s++;
		spend(p, first, s, spend(p, first, s, point_spare(p, i), true), false);
		first = s;
	}
}

static void unspend(struct place *p)
{
	for (uint32_t s = 0; s < p->n_sites; s++) {
		struct place_unit *u = &p->units[p->sites[s]];

		if (u->flags & PLACE_GIFT) {
			u->flags &= ~PLACE_GIFT;
			u->prefixes = 0;
			u->force_long = 0;
		}
	}
}

/* Whoever is missed is first in line for padding; whoever was so before is paid for. */
static void help(struct place *p, uint32_t s, uint32_t from)
{
	uint32_t cost, point;

	if (!p->needy[s]) {
		p->needy[s] = 1;
	} else if (!lengthen(&p->units[p->sites[s]])) {
		point = best_opening(p, s, from, 0, &cost);
		if (point != PLACE_NO_TARGET)
			p->units[point].slots++;
	}
}

/* Sites without a slot in reach, and loop heads that lose when all are patched at once. */
static uint32_t help_needy(struct place *p)
{
	uint32_t found = 0, from = 0, lost;

	model_find_points(p);
	count_reach(p);
	for (uint32_t s = 0; s < p->n_sites; s++) {
		from = first_in_reach(p, s, from);
		if (is_short(p, s) && !p->load[s]) {
			help(p, s, from);
			found++;
		}
	}
	if (found)
		return found; /* decisions have moved things: look again first */
	lost = play_loop_heads(p);
	for (uint32_t i = 0; i < lost; i++)
		help(p, p->work[i], first_in_reach(p, p->work[i], 0));
	return lost;
}

/*
 * Give padding away until every site has what it was promised. Full padding would
 * cost a whole step for the next byte in front of it, so gifts are taken back
 * before anything is paid for, and given anew. Returns the section's size.
 */
static uint32_t settle(struct place *p)
{
	for (int round = 0; round < SETTLE_ROUNDS; round++) {
		unspend(p);
		model_layout(p);
		spend_padding(p);
		model_layout(p);
		if (help_needy(p))
			continue;
		model_forget_relaxed(p);
		model_layout(p);
		if (!help_needy(p))
			break;
	}
	return model_layout(p);
}

static uint32_t count_unserved(struct place *p)
{
	uint32_t n = 0;

	model_find_points(p);
	count_reach(p);
	for (uint32_t s = 0; s < p->n_sites; s++)
		n += is_short(p, s) && !p->load[s];
	return n;
}

static void forget(struct place *p)
{
	for (uint32_t i = 0; i < p->n; i++) {
		p->units[i].prefixes = 0;
		p->units[i].force_long = 0;
		p->units[i].slots = 0;
	}
}

/* What every section gets: one patch at a time anywhere, all loop heads at once. */
static uint32_t decide_base(struct place *p)
{
	sweep(p);
	settle(p);
	prune(p);
	return settle(p);
}

/* Make loop heads longer, the cheap ones first, until about `bytes` are spent. */
static bool lengthen_heads(struct place *p, uint32_t bytes)
{
	uint32_t spent = 0;

	for (uint32_t price = 1; price <= JMP_REL32_LEN - JMP_REL8_LEN; price++) {
		for (uint32_t s = 0; s < p->n_sites && spent < bytes; s++) {
			struct place_unit *u = &p->units[p->sites[s]];

			if (!(u->flags & PLACE_LOOP_HEAD) || lengthen_cost(u) != price)
				continue;
			spent += price;
			lengthen(u);
		}
	}
	return spent;
}

/* Spend the rest: on what gains most, until enough patches fit at once, then on loop heads. */
static void decide_rest(struct place *p, uint32_t size, uint64_t limit)
{
	static const uint8_t least[] = { 16, 8, 6, 4, 4, 3, 3, 2, 2, 2, 1, 1, 1, 1, 1, 1 };

	for (unsigned i = 0; i < sizeof(least) && size < limit; i++) {
		enum balance done = place_balance(p, (uint32_t)(limit - size + 1) / 2, least[i]);

		if (done == BALANCE_ENOUGH)
			break;
		if (done == BALANCE_SPENT)
			size = settle(p);
	}
	while (size < limit && lengthen_heads(p, (uint32_t)(limit - size + 1) / 2))
		size = settle(p);
}

static void count(struct place *p, struct place_stats *stats)
{
	for (uint32_t s = 0; s < p->n_sites; s++)
		stats->sites_long += !is_short(p, s);
	for (uint32_t i = 0; i < p->n; i++) {
		const struct place_unit *u = &p->units[i];

		if (u->kind == PLACE_INSN) {
			stats->slots += u->slots;
			stats->lengthened += u->prefixes || forced_long(u);
		} else if (u->kind == PLACE_ALIGN) {
			stats->gaps += point_slots(p, i);
		}
	}
	stats->unpatchable += count_unserved(p);
}

void place_section(struct place_unit *units, size_t n, const struct place_options *options,
                   void *scratch, struct place_stats *stats)
{
	uint32_t *room = scratch;
	struct place p = {
		.units = units,
		.n = (uint32_t)n,
		.nop_max = options->nop_max,
		.addr = room,
		.sites = room + (n + 1),
		.points = room + 2 * (n + 1),
		.load = room + 3 * (n + 1),
		.gain = room + 4 * (n + 1),
		.needy = room + 5 * (n + 1),
		.work = room + 6 * (n + 1),
	};
	uint64_t limit;

	memset(stats, 0, sizeof(*stats));
	memset(p.needy, 0, (n + 1) * sizeof(*p.needy));
	forget(&p);
	stats->text = model_layout(&p);
	model_find_sites(&p, stats);
	limit = stats->text + (uint64_t)stats->text * options->budget_permyriad / 10000;
	decide_rest(&p, decide_base(&p), limit);
	stats->text_grown = model_layout(&p);
	count(&p, stats);
}
