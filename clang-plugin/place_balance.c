// SPDX-License-Identifier: MIT
/*
 * place_balance.c - spends what is left of the budget where it helps most.
 *
 * One slot within reach is enough for one patch at a time; many at once compete.
 * So many-at-once is played: a fixed pseudo-random tenth of the sites wants to be
 * patched, each takes the first free slot in its reach (optimal for intervals:
 * F. Glover, "Maximum matching in a convex bipartite graph", 1967), and whoever
 * finds none is counted. A longer instruction helps in every play in which its
 * site stood near a failure; one more slot helps in every play in which a site in
 * its reach failed. Gain per byte decides, window by window, then it is played
 * again. The numbers are the same on every machine and every run.
 */
#include "place_balance.h"

#include <string.h>

#define PLAYS 48
#define PICK_ONE_IN 10
#define ENOUGH 50 /* one failure in so many is few enough */
#define WINDOW 48 /* at most one improvement in so many bytes a round */

struct play {
	uint32_t *picked; /* site indices, in order */
	uint32_t *failed; /* site indices, in order */
	uint32_t n_picked, n_failed;
};

static uint32_t next_random(uint32_t *state) /* G. Marsaglia, "Xorshift RNGs", 2003 */
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static int64_t slot_distance(const struct place *p, uint32_t s, uint32_t k, uint32_t slot)
{
	return (int64_t)point_addr(p, p->points[k]) + slot * SLOT_LEN - site_end(p, p->sites[s]);
}

/* Take the first free slot in reach; taken: slots used up per point. */
static bool take_slot(const struct place *p, uint32_t s, uint32_t from, uint32_t *taken)
{
	for (uint32_t k = from; k < p->n_points; k++) {
		uint32_t slots = point_slots(p, p->points[k]);

		if (slot_distance(p, s, k, 0) > REL8_MAX)
			break;
		while (taken[k] < slots && slot_distance(p, s, k, taken[k]) < REL8_MIN)
			taken[k]++; /* out of everyone's reach from here on */
		if (taken[k] < slots && slot_distance(p, s, k, taken[k]) <= REL8_MAX) {
			taken[k]++;
			return true;
		}
	}
	return false;
}

/* One more site wants a slot; from: the first point it may reach. */
static void pick(const struct place *p, struct play *g, uint32_t s, uint32_t *from, uint32_t *taken)
{
	if (!is_short(p, s))
		return;
	while (*from < p->n_points && slot_distance(p, s, *from, 12) < REL8_MIN)
		++*from;
	g->picked[g->n_picked++] = s;
	if (!take_slot(p, s, *from, taken))
		g->failed[g->n_failed++] = s;
}

static void play(const struct place *p, struct play *g, uint32_t *taken, uint32_t *seed)
{
	uint32_t from = 0;

	g->n_picked = g->n_failed = 0;
	memset(taken, 0, p->n_points * sizeof(*taken));
	for (uint32_t s = 0; s < p->n_sites; s++)
		if (next_random(seed) < UINT32_MAX / PICK_ONE_IN)
			pick(p, g, s, &from, taken);
}

uint32_t play_loop_heads(struct place *p)
{
	struct play g = { .picked = p->work + p->n, .failed = p->work };
	uint32_t from = 0, *taken = p->work + 2 * (size_t)p->n;

	memset(taken, 0, p->n_points * sizeof(*taken));
	for (uint32_t s = 0; s < p->n_sites; s++)
		if (p->units[p->sites[s]].flags & PLACE_LOOP_HEAD)
			pick(p, &g, s, &from, taken);
	return g.n_failed;
}

/* Every point with a failure in its reach, every picked site near a failure, gains. */
static void score(const struct place *p, const struct play *g, uint32_t *point_gain,
                  uint32_t *site_gain)
{
	for (uint32_t k = 0, f = 0; k < p->n_points && f < g->n_failed; k++) {
		while (f < g->n_failed && slot_distance(p, g->failed[f], k, 0) > REL8_MAX)
			f++;
		if (f < g->n_failed && slot_distance(p, g->failed[f], k, 0) >= REL8_MIN)
			point_gain[k]++;
	}
	for (uint32_t i = 0, f = 0; i < g->n_picked && f < g->n_failed; i++) {
		int64_t at = site_end(p, p->sites[g->picked[i]]);

		while (f < g->n_failed && site_end(p, p->sites[g->failed[f]]) < at - REL8_MAX)
			f++;
		if (f < g->n_failed && site_end(p, p->sites[g->failed[f]]) <= at + REL8_MAX)
			site_gain[g->picked[i]]++;
	}
}

struct choice {
	uint32_t gain, cost, index; /* gain per cost is compared by cross multiplication */
	bool is_point;
};

static void consider(struct choice *best, uint32_t gain, uint32_t cost, uint32_t index,
                     bool is_point)
{
	if ((uint64_t)gain * best->cost > (uint64_t)best->gain * cost)
		*best = (struct choice){ gain, cost, index, is_point };
}

/* The best improvement in each window, as long as bytes are left and it is worth it. */
static uint32_t improve(struct place *p, const uint32_t *point_gain, const uint32_t *site_gain,
                        uint32_t least, uint32_t bytes)
{
	uint32_t s = 0, k = 0, spent = 0;

	for (uint32_t start = 0; start < p->addr[p->n] && spent < bytes; start += WINDOW) {
		struct choice best = { 0, 1, 0, false };

		for (; s < p->n_sites && p->addr[p->sites[s]] < start + WINDOW; s++)
			if (site_gain[s] && lengthen_cost(&p->units[p->sites[s]]))
				consider(&best, site_gain[s], lengthen_cost(&p->units[p->sites[s]]),
				         s, false);
		for (; k < p->n_points && p->addr[p->points[k]] < start + WINDOW; k++)
			if (point_gain[k] && open_cost(p, p->points[k]) != NO_OPENING)
				consider(&best, point_gain[k], open_cost(p, p->points[k]), k, true);
		if (best.gain * LEAST_UNIT < least * best.cost || !best.gain)
			continue;
		if (best.is_point)
			p->units[p->points[best.index]].slots++;
		else
			lengthen(&p->units[p->sites[best.index]]);
		spent += best.cost;
	}
	return spent;
}

enum balance place_balance(struct place *p, uint32_t bytes, uint32_t least)
{
	uint32_t failed = 0;
	struct play g = { .picked = p->work, .failed = p->work + p->n_sites };
	uint32_t seed = 0x64796e6f, *taken = p->work + 2 * (size_t)p->n;
	uint32_t *point_gain = p->load, *site_gain = p->gain;

	model_find_points(p);
	memset(point_gain, 0, p->n_points * sizeof(*point_gain));
	memset(site_gain, 0, p->n_sites * sizeof(*site_gain));
	for (int i = 0; i < PLAYS; i++) {
		play(p, &g, taken, &seed);
		score(p, &g, point_gain, site_gain);
		failed += g.n_failed;
	}
	if ((uint64_t)failed * ENOUGH <= (uint64_t)p->n_sites * PLAYS / PICK_ONE_IN)
		return BALANCE_ENOUGH;
	return improve(p, point_gain, site_gain, least, bytes) ? BALANCE_SPENT : BALANCE_NOTHING;
}
