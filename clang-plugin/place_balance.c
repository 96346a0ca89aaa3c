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

#define PLAYS 64
#define PICK_ONE_IN 10
#define ENOUGH 50 /* one failure in so many is few enough */
#define WINDOW 48 /* at most one improvement in so many bytes a round */

struct play {
	uint32_t n_picked, n_failed; /* in p->picked, p->failed: sites, ascending */
	uint32_t from;               /* first slot that the next site may reach */
};

static uint32_t next_random(uint32_t *state) /* G. Marsaglia, "Xorshift RNGs", 2003 */
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static struct play play_start(struct place *p)
{
	memset(p->taken, 0, p->n_slots * sizeof(*p->taken));
	return (struct play){ 0 };
}

/* One more site wants a slot and takes the first free one in its reach. */
static void pick(struct place *p, struct play *g, uint32_t s)
{
	int64_t end = site_end(p, s);

	if (!is_short(p, s))
		return;
	p->picked[g->n_picked++] = s;
	while (g->from < p->n_slots && (p->taken[g->from] || p->slots[g->from] < end + REL8_MIN))
		g->from++;
	for (uint32_t k = g->from; k < p->n_slots && p->slots[k] <= end + REL8_MAX; k++) {
		if (!p->taken[k]) {
			p->taken[k] = 1;
			return;
		}
	}
	p->failed[g->n_failed++] = s;
}

static struct play play_tenth(struct place *p, uint32_t *seed)
{
	struct play g = play_start(p);

	for (uint32_t s = 0; s < p->n_sites; s++)
		if (next_random(seed) < UINT32_MAX / PICK_ONE_IN)
			pick(p, &g, s);
	return g;
}

uint32_t play_loop_heads(struct place *p)
{
	struct play g = play_start(p);

	for (uint32_t s = 0; s < p->n_sites; s++)
		if (p->nodes[p->sites[s]].flags & PLACE_LOOP_HEAD)
			pick(p, &g, s);
	return g.n_failed;
}

static bool is_stiff_head(const struct place *p, uint32_t s)
{
	const struct node *n = &p->nodes[p->sites[s]];

	return (n->flags & PLACE_LOOP_HEAD) && !lengthen_cost(n);
}

uint32_t play_stiff_heads_first(struct place *p)
{
	struct play g = play_start(p);

	for (uint32_t s = 0; s < p->n_sites; s++)
		if (is_stiff_head(p, s))
			pick(p, &g, s);
	g.from = 0;
	for (uint32_t s = 0; s < p->n_sites; s++)
		if ((p->nodes[p->sites[s]].flags & PLACE_LOOP_HEAD) && !is_stiff_head(p, s))
			pick(p, &g, s);
	return g.n_failed;
}

/* Every point with a failure in its reach, every picked site near a failure, gains. */
static void score(struct place *p, const struct play *g)
{
	for (uint32_t k = 0, f = 0; k < p->n_points && f < g->n_failed; k++) {
		int64_t at = point_addr(p, k);

		while (f < g->n_failed && at - site_end(p, p->failed[f]) > REL8_MAX)
			f++;
		if (f < g->n_failed && at - site_end(p, p->failed[f]) >= REL8_MIN)
			p->point_gain[k]++;
	}
	for (uint32_t i = 0, f = 0; i < g->n_picked && f < g->n_failed; i++) {
		int64_t at = site_end(p, p->picked[i]);

		while (f < g->n_failed && site_end(p, p->failed[f]) < at - REL8_MAX)
			f++;
		if (f < g->n_failed && site_end(p, p->failed[f]) <= at + REL8_MAX)
			p->gain[p->picked[i]]++;
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
static uint32_t improve(struct place *p, uint32_t least, uint32_t bytes)
{
	uint32_t s = 0, k = 0, spent = 0;

	for (uint32_t start = 0; start < p->addr[p->n] && spent < bytes; start += WINDOW) {
		struct choice best = { 0, 1, 0, false };

		for (; s < p->n_sites && p->addr[p->sites[s]] < start + WINDOW; s++) {
			uint32_t cost = p->gain[s] ? lengthen_cost(&p->nodes[p->sites[s]]) : 0;

			if (cost)
				consider(&best, p->gain[s], cost, s, false);
		}
		for (; k < p->n_points && p->addr[p->points[k]] < start + WINDOW; k++) {
			uint32_t cost = p->point_gain[k] ? open_cost(p, k) : NO_OPENING;

			if (cost != NO_OPENING)
				consider(&best, p->point_gain[k], cost, k, true);
		}
		if (!best.gain || best.gain * LEAST_UNIT < least * best.cost)
			continue;
		if (best.is_point)
			p->nodes[p->points[best.index]].slots++;
		else
			lengthen(&p->nodes[p->sites[best.index]]);
		spent += best.cost;
	}
	return spent;
}

enum balance place_balance(struct place *p, uint32_t bytes, uint32_t least)
{
	uint32_t seed = 0x64796e6f, failed = 0;

	memset(p->point_gain, 0, p->n_points * sizeof(*p->point_gain));
	memset(p->gain, 0, p->n_sites * sizeof(*p->gain));
	model_list_slots(p);
	for (int i = 0; i < PLAYS; i++) {
		struct play g = play_tenth(p, &seed);

		score(p, &g);
		failed += g.n_failed;
	}
	if ((uint64_t)failed * ENOUGH <= (uint64_t)p->n_sites * PLAYS / PICK_ONE_IN)
		return BALANCE_ENOUGH;
	return improve(p, least, bytes) ? BALANCE_SPENT : BALANCE_NOTHING;
}
