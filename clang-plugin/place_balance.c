// SPDX-License-Identifier: MIT
/*
 * place_balance.c - spends what is left of the budget where it helps most.
 *
 * One slot within reach is enough for one patch at a time; many at once compete.
 * So many-at-once is played: a fixed pseudo-random tenth of the sites wants to be
 * patched, each takes the first free slot in its reach (optimal for intervals:
 * F. Glover, "Maximum matching in a convex bipartite graph", 1967), and whoever
 * finds none has failed. What one more slot would gain, and what a slot there is
 * would be missed for, follows from chains of sites that could move over. Every site
 * is asked in every play what became of it if it wanted a slot too: ten times as
 * much is learnt as from those that do, and a play that went well by chance decides
 * nothing. Gain per byte decides, window by window, then it is played again. The
 * numbers are the same on every machine and every run.
 */
#include "place_balance.h"

#include <string.h>

#define PLAYS 32
#define PICK_ONE_IN 10
#define PICKED (PICK_ONE_IN - 1) /* weight of a picked site among those only asked */
#define PROMISED (2 * PLAYS)     /* a promise kept is worth so many plays */
#define ENOUGH 50                /* one failure in so many is few enough */
#define WINDOW 48   /* at most one improvement in so many bytes a round */
#define MISSED_COST 5 /* bytes that a promise not kept yet will take */
#define KEEPSAKE 128 /* at most one thing taken back in so many bytes a round */

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

/* ---- playing ---- */

/* What plays look at, once for all of them. */
static void prepare(struct place *p)
{
	model_list_slots(p);
	for (uint32_t s = 0; s < p->n_sites; s++) {
		p->ends[s] = (int32_t)site_end(p, s);
		p->shorts[s] = is_short(p, s);
	}
}

static struct play play_start(struct place *p)
{
	memset(p->taken, 0, p->n_slots * sizeof(*p->taken));
	return (struct play){ 0 };
}

/* One more site wants to be patched and, if short, takes the first free slot in its reach. */
static void pick(struct place *p, struct play *g, uint32_t s)
{
	int32_t end = p->ends[s];

	p->picked[g->n_picked++] = s;
	if (!p->shorts[s])
		return;
	while (g->from < p->n_slots &&
	       (p->taken[g->from] || (int32_t)p->slots[g->from] < end + REL8_MIN))
		g->from++;
	for (uint32_t k = g->from; k < p->n_slots && (int32_t)p->slots[k] <= end + REL8_MAX; k++) {
		if (!p->taken[k]) {
			p->taken[k] = s + 1;
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

static bool is_head(const struct place *p, uint32_t s)
{
	return p->nodes[p->sites[s]].flags & PLACE_LOOP_HEAD;
}

static struct play play_heads(struct place *p)
{
	struct play g = play_start(p);

	for (uint32_t s = 0; s < p->n_sites; s++)
		if (is_head(p, s))
			pick(p, &g, s);
	return g;
}

uint32_t play_loop_heads(struct place *p)
{
	prepare(p);
	return play_heads(p).n_failed;
}

static bool is_stiff(const struct place *p, uint32_t s)
{
	return !lengthen_cost(&p->nodes[p->sites[s]]);
}

uint32_t play_stiff_heads_first(struct place *p)
{
	struct play g;

	prepare(p);
	g = play_start(p);
	for (uint32_t s = 0; s < p->n_sites; s++)
		if (is_head(p, s) && is_stiff(p, s))
			pick(p, &g, s);
	g.from = 0;
	for (uint32_t s = 0; s < p->n_sites; s++)
		if (is_head(p, s) && !is_stiff(p, s))
			pick(p, &g, s);
	return g.n_failed;
}

/* ---- what things are worth ---- */

static uint32_t first_slot(const struct place *p, int32_t at)
{
	uint32_t low = 0, high = p->n_slots;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if ((int32_t)p->slots[middle] < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * A site fails where all slots in its reach are taken, by sites that reach none but
 * taken ones in turn: one more slot in reach of any of them would help it. Promised
 * ones gain as well if they, or these others, were long.
 */
static void score_failures(struct place *p, const struct play *g, uint32_t weight, bool promised)
{
	uint32_t point = 0, counted = 0;

	for (uint32_t i = 0; i < g->n_failed; i++) {
		int32_t end = p->ends[p->failed[i]], low = end + REL8_MIN;
		uint32_t first = first_slot(p, low), last = first;

		while (last < p->n_slots && (int32_t)p->slots[last] <= end + REL8_MAX)
			last++;
		if (promised)
			p->gain[p->failed[i]] += weight;
		for (uint32_t k = last; k-- > first;) {
			int32_t reach = p->ends[p->taken[k] - 1] + REL8_MIN;

			if (promised && k >= counted)
				p->gain[p->taken[k] - 1] += weight;
			low = reach < low ? reach : low;
			while (first && (int32_t)p->slots[first - 1] >= low && p->taken[first - 1])
				first--;
		}
		counted = last > counted ? last : counted;
		while (point < p->n_points && (int32_t)point_addr(p, point) < low)
			point++;
		for (; point < p->n_points && (int32_t)point_addr(p, point) <= end + REL8_MAX;
		     point++)
			p->point_gain[point] += weight;
	}
}

/*
 * From the last slot down: one can be spared if it is free, or if its site finds
 * another, farther on, that can be spared in turn; else it is missed.
 */
struct spare {
	uint32_t k;      /* slots from here on have been looked at */
	int32_t nearest; /* the first of these that can be spared */
};

#define NO_SPARE (INT32_MAX - 1)

static struct spare spare_start(const struct place *p)
{
	return (struct spare){ p->n_slots, NO_SPARE };
}

/* Look at all slots down to what a site reaches that ends here. */
static inline void spare_down_to(struct place *p, struct spare *x, int32_t end, uint32_t missed)
{
	while (x->k && (int32_t)p->slots[x->k - 1] >= end + REL8_MIN) {
		uint32_t taken = p->taken[--x->k];

		if (!taken || x->nearest <= p->ends[taken - 1] + REL8_MAX)
			x->nearest = (int32_t)p->slots[x->k];
		else
			p->loss[x->k] += missed;
	}
}

static void score_needs(struct place *p, const struct play *g)
{
	struct spare x = spare_start(p);
	uint32_t picked = g->n_picked;

	for (uint32_t s = p->n_sites; s-- > 0;) {
		int32_t end = p->ends[s];

		spare_down_to(p, &x, end, PICKED);
		if (picked && p->picked[picked - 1] == s)
			picked--;
		else if (x.nearest > end + REL8_MAX)
			p->gain[s]++;
	}
	spare_down_to(p, &x, INT32_MIN / 2, PICKED);
}

/*
 * All heads at once: who is long, and would find nothing if short, stays long. Returns
 * how many fail.
 */
static uint32_t score_heads(struct place *p)
{
	struct play g = play_heads(p);
	struct spare x = spare_start(p);

	score_failures(p, &g, PROMISED * PICKED, true);
	for (uint32_t i = g.n_picked; i-- > 0;) {
		uint32_t s = p->picked[i];

		spare_down_to(p, &x, p->ends[s], PROMISED * PICKED);
		if (!p->shorts[s] && x.nearest > p->ends[s] + REL8_MAX)
			p->gain[s] += PROMISED * PICKED;
	}
	spare_down_to(p, &x, INT32_MIN / 2, PROMISED * PICKED);
	return g.n_failed;
}

/*
 * One patch at a time: who reaches nothing, and slots that somebody has no other than.
 * Returns how many short ones reach nothing.
 */
static uint32_t score_alone(struct place *p)
{
	uint32_t low = 0, high = 0, missed = 0;

	for (uint32_t s = 0; s < p->n_sites; s++) {
		int32_t end = p->ends[s];

		while (low < p->n_slots && (int32_t)p->slots[low] < end + REL8_MIN)
			low++;
		while (high < p->n_slots && (int32_t)p->slots[high] <= end + REL8_MAX)
			high++;
		missed += high == low && p->shorts[s];
		if (high == low)
			p->gain[s] += PROMISED * PICKED;
		else if (high - low == 1 && p->shorts[s])
			p->loss[low] += PROMISED * PICKED;
	}
	return missed;
}

/*
 * Fills gain, point_gain and loss; returns the number of failures in all plays.
 * missed: promises that are not kept.
 */
static uint32_t appraise(struct place *p, uint32_t *missed)
{
	uint32_t seed = 0x64796e6f, failed = 0;

	prepare(p);
	memset(p->point_gain, 0, p->n_points * sizeof(*p->point_gain));
	memset(p->gain, 0, p->n_sites * sizeof(*p->gain));
	memset(p->loss, 0, p->n_slots * sizeof(*p->loss));
	for (int i = 0; i < PLAYS; i++) {
		struct play g = play_tenth(p, &seed);

		score_failures(p, &g, PICKED, false);
		score_needs(p, &g);
		failed += g.n_failed;
	}
	*missed = score_heads(p);
	*missed += score_alone(p);
	return failed;
}

/* ---- changes ---- */

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

static bool worth(const struct choice *c, uint32_t least)
{
	return (uint64_t)c->gain * LEAST_UNIT * PLAYS_UNIT >=
	       (uint64_t)least * c->cost * PICKED * PLAYS;
}

/* The best improvement in each window, as long as bytes are left and it is worth it. */
static uint32_t improve(struct place *p, uint32_t least, uint32_t bytes)
{
	uint32_t s = 0, k = 0, spent = 0;

	for (uint32_t start = 0; start < p->addr[p->n] && spent < bytes; start += WINDOW) {
		struct choice best = { 0, 1, 0, false };

		for (; s < p->n_sites && p->addr[p->sites[s]] < start + WINDOW; s++) {
			const struct node *n = &p->nodes[p->sites[s]];
			uint32_t cost = p->gain[s] && is_short(p, s) ? lengthen_cost(n) : 0;

			if (cost)
				consider(&best, p->gain[s], cost, s, false);
		}
		for (; k < p->n_points && p->addr[p->points[k]] < start + WINDOW; k++) {
			uint32_t cost = p->point_gain[k] ? open_cost(p, k) : NO_OPENING;

			if (cost != NO_OPENING)
				consider(&best, p->point_gain[k], cost, k, true);
		}
		if (!best.gain || !worth(&best, least))
			continue;
		if (best.is_point)
			p->nodes[p->points[best.index]].slots++;
		else
			lengthen(&p->nodes[p->sites[best.index]]);
		spent += best.cost;
	}
	return spent;
}

/* Is one of this point's slots never missed? slot: where its slots start in p->slots. */
static bool one_idle(const struct place *p, uint32_t k, uint32_t *slot)
{
	uint32_t from = point_addr(p, k), end = from + point_slots(p, k) * SLOT_LEN;
	bool idle = false;

	while (*slot < p->n_slots && p->slots[*slot] < from)
		++*slot;
	for (; *slot < p->n_slots && p->slots[*slot] < end; ++*slot)
		idle |= !p->loss[*slot];
	return idle;
}

/* What is paid for and gains nothing is taken back; neighbours may have relied on each other. */
static uint32_t take_back(struct place *p)
{
	uint32_t s = 0, k = 0, slot = 0, saved = 0;

	for (uint32_t start = 0; start < p->addr[p->n]; start += KEEPSAKE) {
		struct node *idle = NULL;

		for (; k < p->n_points && p->addr[p->points[k]] < start + KEEPSAKE; k++) {
			struct node *n = &p->nodes[p->points[k]];

			if (n->kind == PLACE_INSN && n->slots && one_idle(p, k, &slot) && !idle) {
				n->slots--;
				saved += SLOT_LEN;
				idle = n;
			}
		}
		for (; s < p->n_sites && p->addr[p->sites[s]] < start + KEEPSAKE; s++) {
			struct node *n = &p->nodes[p->sites[s]];

			if (!idle && !p->gain[s] && !n->gift && lengthened_by(n)) {
				saved += lengthened_by(n);
				shorten(n);
				idle = n;
			}
		}
	}
	return saved;
}

enum balance place_balance(struct place *p, uint64_t limit, uint32_t least, uint32_t *left)
{
	uint32_t missed, failed = appraise(p, &missed), saved;
	uint64_t spent = (uint64_t)p->addr[p->n] + MISSED_COST * missed;

	*left = spent < limit ? (uint32_t)(limit - spent) : 0;
	if ((uint64_t)failed * ENOUGH <= (uint64_t)p->n_sites * PLAYS / PICK_ONE_IN)
		return BALANCE_ENOUGH;
	saved = take_back(p);
	return improve(p, least, *left * 2 / 3 + saved) || saved ? BALANCE_CHANGED
	                                                         : BALANCE_NOTHING;
}
