// SPDX-License-Identifier: MIT
/*
 * place.c - the policy behind place.h.
 *
 * Slots are dear (5 bytes each, 2 more in the notes) but shared; a longer
 * instruction costs 1 to 4 bytes and serves one block, without competition. So:
 * loop heads are made longer, always; then a sweep in address order gives every
 * other short site a slot within reach, opening a new one at the last barrier
 * that still reaches (it serves most of the sites to come) or making the site
 * longer where that is cheaper. How many sites may share a slot is the one knob:
 * the smallest number is taken that stays inside the budget.
 *
 * Addresses come from a model of the assembler's own relaxation (branches start
 * short and only grow), so a final pass can check what was promised and mend it.
 */
#include "place.h"

#include <stdbool.h>
#include <string.h>

#define JMP_REL8_LEN 2
#define JMP_REL32_LEN 5
#define SLOT_LEN 5
#define REL8_MIN (-128)
#define REL8_MAX 127
#define MAX_INSN_LEN 15
#define MAX_SLOTS_PER_BARRIER 12

/* Decisions to come move things apart; the sweep keeps this far from the limit. */
#define SWEEP_MARGIN 10
#define MEND_ROUNDS 12

#define RELAXED 1 /* in force_long: out of reach of rel8 anyway */
#define FORCED 2

struct place {
	struct place_unit *units;
	uint32_t n;
	uint32_t *addr;   /* n + 1: where a label in front of the unit stands */
	uint32_t *sites;  /* unit indices */
	uint32_t n_sites;
	uint32_t *points; /* unit indices of barriers and of padding behind them */
	uint32_t *load;   /* per point: sites that count on it */
	uint32_t *slots_at; /* per point: slots there, reserved or found */
	uint32_t n_points;
};

static uint32_t insn_len(const struct place_unit *u)
{
	return u->prefixes + (u->force_long ? u->size_long : u->size);
}

static uint32_t padding(uint32_t addr, const struct place_unit *u)
{
	uint32_t pad = -addr & (u->arg - 1);

	return u->max && pad > u->max ? 0 : pad;
}

static uint32_t assign_addresses(struct place *p)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < p->n; i++) {
		const struct place_unit *u = &p->units[i];

		p->addr[i] = at;
		switch (u->kind) {
		case PLACE_INSN:
			at += insn_len(u) + u->slots * SLOT_LEN;
			break;
		case PLACE_ALIGN:
			at += padding(at, u);
			break;
		case PLACE_BYTES:
			at += u->arg;
			break;
		}
	}
	p->addr[p->n] = at;
	return at;
}

static bool relaxable(const struct place_unit *u)
{
	return u->kind == PLACE_INSN && u->size_long > u->size;
}

static bool in_rel8(int64_t distance)
{
	return distance >= REL8_MIN && distance <= REL8_MAX;
}

/* The least fixed point, as the assembler finds it. Returns the section's size. */
static uint32_t layout(struct place *p)
{
	bool grew;
	uint32_t size;

	for (uint32_t i = 0; i < p->n; i++)
		p->units[i].force_long &= FORCED;
	do {
		grew = false;
		size = assign_addresses(p);
		for (uint32_t i = 0; i < p->n; i++) {
			struct place_unit *u = &p->units[i];

			if (!relaxable(u) || u->force_long || u->arg == PLACE_NO_TARGET)
				continue;
			if (!in_rel8((int64_t)p->addr[u->arg] - (p->addr[i] + insn_len(u)))) {
				u->force_long = RELAXED;
				grew = true;
			}
		}
	} while (grew);
	return size;
}

static uint32_t site_end(const struct place *p, uint32_t unit)
{
	return p->addr[unit] + JMP_REL8_LEN;
}

/* Cost in bytes of making a site long enough for a jmp rel32; 0 if impossible. */
static uint32_t lengthen_cost(const struct place_unit *u)
{
	uint32_t len = insn_len(u);

	if (relaxable(u) && !u->force_long)
		return u->size_long - u->size;
	if ((u->flags & PLACE_PREFIXABLE) && len < JMP_REL32_LEN)
		return JMP_REL32_LEN - len;
	return 0;
}

static bool lengthen(struct place_unit *u)
{
	if (!lengthen_cost(u))
		return false;
	if (relaxable(u))
		u->force_long = FORCED;
	else
		u->prefixes = (uint8_t)(JMP_REL32_LEN - u->size);
	return true;
}

/* First instruction of two bytes or more of the block that starts at unit i. */
static uint32_t find_site(const struct place *p, uint32_t i)
{
	for (uint32_t first = i; i < p->n; i++) {
		const struct place_unit *u = &p->units[i];

		if (u->kind != PLACE_INSN || (u->flags & PLACE_FORBIDDEN))
			break;
		if (i != first && (u->flags & PLACE_LEADER))
			break;
		if (u->size > 1 && !(u->flags & PLACE_ENDBR))
			return i;
		if (u->flags & PLACE_BRANCH)
			break;
	}
	return PLACE_NO_TARGET;
}

static void find_sites(struct place *p, struct place_stats *stats)
{
	bool falls_in = false; /* a block starts here because a branch ended one */

	p->n_sites = 0;
	for (uint32_t i = 0; i < p->n; i++) {
		struct place_unit *u = &p->units[i];

		if (u->kind != PLACE_INSN)
			continue;
		if ((u->flags & PLACE_LEADER) || falls_in) {
			uint32_t site = find_site(p, i);

			if (site != PLACE_NO_TARGET) {
				p->sites[p->n_sites++] = site;
				stats->sites++;
				if (u->flags & PLACE_LOOP_HEAD) {
					stats->loop_heads++;
					p->units[site].flags |= PLACE_LOOP_HEAD;
				}
			}
		}
		falls_in = (u->flags & PLACE_BRANCH) && !(u->flags & PLACE_BARRIER);
	}
}

static bool is_gap(const struct place *p, uint32_t i)
{
	return p->units[i].kind == PLACE_ALIGN && i && (p->units[i - 1].flags & PLACE_BARRIER);
}

static uint32_t point_addr(const struct place *p, uint32_t unit)
{
	const struct place_unit *u = &p->units[unit];

	return p->addr[unit] + (u->kind == PLACE_INSN ? insn_len(u) : 0);
}

static uint32_t point_slots(const struct place *p, uint32_t unit)
{
	const struct place_unit *u = &p->units[unit];

	return u->kind == PLACE_INSN ? u->slots : padding(p->addr[unit], u) / SLOT_LEN;
}

static void find_points(struct place *p)
{
	p->n_points = 0;
	for (uint32_t i = 0; i < p->n; i++) {
		const struct place_unit *u = &p->units[i];

		if ((u->kind == PLACE_INSN && (u->flags & PLACE_BARRIER) &&
		     !(u->flags & PLACE_FORBIDDEN)) ||
		    is_gap(p, i)) {
			p->points[p->n_points] = i;
			p->load[p->n_points] = 0;
			p->slots_at[p->n_points++] = point_slots(p, i);
		}
	}
}

/* Opening a slot in front of padding that cannot hold it costs a whole alignment step. */
static uint32_t open_cost(const struct place *p, uint32_t unit)
{
	const struct place_unit *next = &p->units[unit + 1];

	if (unit + 1 >= p->n || next->kind != PLACE_ALIGN)
		return SLOT_LEN;
	return padding(p->addr[unit + 1], next) >= SLOT_LEN ? 0 : next->arg < 16 ? next->arg : 16;
}

static bool reaches(const struct place *p, uint32_t site, uint32_t point, uint32_t margin)
{
	int64_t d = (int64_t)point_addr(p, point) - site_end(p, site);

	return d >= REL8_MIN + (int64_t)margin && d <= REL8_MAX - (int64_t)margin;
}

/* How many of the sites from s on a slot at this point could serve, at most `share`. */
static uint32_t clients(const struct place *p, uint32_t s, uint32_t point, uint32_t share)
{
	uint32_t n = 0;

	for (; s < p->n_sites && n < share && reaches(p, p->sites[s], point, SWEEP_MARGIN); s++)
		n += insn_len(&p->units[p->sites[s]]) < JMP_REL32_LEN;
	return n;
}

/* The point at which to open a slot for site s: the last in reach, cheap ones first. */
static uint32_t best_opening(const struct place *p, uint32_t s, uint32_t from, uint32_t margin,
                             uint32_t *cost)
{
	uint32_t best = PLACE_NO_TARGET, site = p->sites[s];

	for (uint32_t k = from; k < p->n_points; k++) {
		uint32_t unit = p->points[k];

		if (point_addr(p, unit) > site_end(p, site) + REL8_MAX)
			break;
		if (p->units[unit].kind != PLACE_INSN || !reaches(p, site, unit, margin) ||
		    p->units[unit].slots >= MAX_SLOTS_PER_BARRIER)
			continue;
		uint32_t c = open_cost(p, unit);

		if (best == PLACE_NO_TARGET || c <= *cost) {
			best = k;
			*cost = c;
		}
	}
	return best;
}

static void open_slot(struct place *p, uint32_t k)
{
	p->units[p->points[k]].slots++;
	p->slots_at[k]++;
}

/* Give one short site a share of a slot, a new slot, or more length. */
static void serve(struct place *p, uint32_t s, uint32_t from, uint32_t share, bool exclusive)
{
	struct place_unit *u = &p->units[p->sites[s]];
	uint32_t cost = 0, k;

	for (k = from; k < p->n_points && !exclusive; k++) {
		if (point_addr(p, p->points[k]) > site_end(p, p->sites[s]) + REL8_MAX)
			break;
		if (p->load[k] < share * p->slots_at[k] &&
		    reaches(p, p->sites[s], p->points[k], SWEEP_MARGIN)) {
			p->load[k]++;
			return;
		}
	}
	k = best_opening(p, s, from, SWEEP_MARGIN, &cost);
	if (lengthen_cost(u) && (k == PLACE_NO_TARGET ||
	                         cost > lengthen_cost(u) * clients(p, s, p->points[k], share))) {
		lengthen(u);
	} else if (k != PLACE_NO_TARGET) {
		open_slot(p, k);
		p->load[k] += exclusive ? share : 1;
	}
}

static void sweep(struct place *p, uint32_t share)
{
	uint32_t from = 0;

	find_points(p);
	for (uint32_t s = 0; s < p->n_sites; s++) {
		const struct place_unit *u = &p->units[p->sites[s]];
		uint32_t low = site_end(p, p->sites[s]);

		if (insn_len(u) >= JMP_REL32_LEN)
			continue;
		while (from < p->n_points && point_addr(p, p->points[from]) + -REL8_MIN < low)
			from++;
		serve(p, s, from, share, u->flags & PLACE_LOOP_HEAD);
	}
}

static bool has_slot(const struct place *p, uint32_t site, uint32_t from)
{
	for (uint32_t k = from; k < p->n_points; k++) {
		uint32_t unit = p->points[k];
		uint32_t slots = point_slots(p, unit);
		int64_t d = (int64_t)point_addr(p, unit) - site_end(p, site);

		if (d > REL8_MAX)
			break;
		/* any of the slots there will do */
		if (slots && d + (int64_t)(slots - 1) * SLOT_LEN >= REL8_MIN)
			return true;
	}
	return false;
}

/* Check every promise against the final addresses; returns how many stay broken. */
static uint32_t mend(struct place *p, bool act)
{
	uint32_t broken = 0, from = 0;

	find_points(p);
	for (uint32_t s = 0; s < p->n_sites; s++) {
		uint32_t site = p->sites[s], cost = 0;

		if (insn_len(&p->units[site]) >= JMP_REL32_LEN)
			continue;
		while (from < p->n_points && point_addr(p, p->points[from]) +
		                                             MAX_SLOTS_PER_BARRIER * SLOT_LEN +
		                                             -REL8_MIN <
		                                     site_end(p, site))
			from++;
		if (has_slot(p, site, from))
			continue;
		broken++;
		if (!act || lengthen(&p->units[site]))
			continue;
		uint32_t k = best_opening(p, s, from, 0, &cost);

		if (k != PLACE_NO_TARGET)
			open_slot(p, k);
	}
	return broken;
}

static void forget(struct place *p)
{
	for (uint32_t i = 0; i < p->n; i++) {
		p->units[i].prefixes = 0;
		p->units[i].force_long = 0;
		p->units[i].slots = 0;
	}
}

static uint32_t decide(struct place *p, uint32_t share)
{
	uint32_t size;

	forget(p);
	for (uint32_t s = 0; s < p->n_sites; s++) {
		struct place_unit *u = &p->units[p->sites[s]];

		if ((u->flags & PLACE_LOOP_HEAD) && insn_len(u) < JMP_REL32_LEN)
			lengthen(u);
	}
	layout(p);
	sweep(p, share);
	size = layout(p);
	for (int round = 0; round < MEND_ROUNDS && mend(p, true); round++)
		size = layout(p);
	return size;
}

static void count(struct place *p, struct place_stats *stats)
{
	for (uint32_t s = 0; s < p->n_sites; s++)
		stats->sites_long += insn_len(&p->units[p->sites[s]]) >= JMP_REL32_LEN;
	for (uint32_t i = 0; i < p->n; i++) {
		const struct place_unit *u = &p->units[i];

		if (u->kind == PLACE_INSN) {
			stats->slots += u->slots;
			stats->lengthened += u->prefixes || u->force_long == FORCED;
		} else if (is_gap(p, i)) {
			stats->gaps += point_slots(p, i);
		}
	}
	stats->unpatchable += mend(p, false);
}

void place_section(struct place_unit *units, size_t n, uint32_t budget_permyriad, void *scratch,
                   struct place_stats *stats)
{
	/* Sites that may share a slot, from frugal to generous. */
	static const uint8_t shares[] = { 64, 24, 16, 12, 10, 8, 7, 6, 5, 4, 3 };
	uint32_t *room = scratch;
	struct place p = {
		.units = units,
		.n = (uint32_t)n,
		.addr = room,
		.sites = room + (n + 1),
		.points = room + 2 * (n + 1),
		.load = room + 3 * (n + 1),
		.slots_at = room + 4 * (n + 1),
	};
	uint32_t plain, chosen = 0;

	memset(stats, 0, sizeof(*stats));
	forget(&p);
	plain = layout(&p);
	find_sites(&p, stats);
	for (uint32_t i = 1; i < sizeof(shares); i++) {
		uint32_t size = decide(&p, shares[i]);

		if ((uint64_t)(size - plain) * 10000 > (uint64_t)plain * budget_permyriad)
			break;
		chosen = i;
	}
	stats->text = plain;
	stats->text_grown = decide(&p, shares[chosen]);
	count(&p, stats);
}
