// SPDX-License-Identifier: MIT
/*
 * place_model.c - nodes, addresses, sites, points and slots (place_model.h).
 *
 * Branches start short and only grow, the least fixed point, as the assembler
 * finds it. A branch that a decision has forced to its long form stays long.
 */
#include "place_model.h"

#include <string.h>

#define LONG_NOP_LEN 8 /* 0f 1f 84 + SIB + disp32: the last five bytes are free */
#define MAX_SLOTS_PER_POINT 12

/* ---- layout ---- */

static uint32_t assign_addresses(struct place *p)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < p->n; i++) {
		const struct node *n = &p->nodes[i];

		at += n->before;
		p->addr[i] = at;
		if (n->kind == PLACE_INSN)
			at += node_len(n) + n->slots * SLOT_LEN;
		else
			at += n->kind == PLACE_ALIGN ? node_padding_at(at, n) : n->arg;
	}
	p->addr[p->n] = at;
	return at;
}

uint32_t model_layout(struct place *p)
{
	bool grew;
	uint32_t size;

	do {
		grew = false;
		size = assign_addresses(p);
		for (uint32_t k = 0; k < p->n_branches; k++) {
			struct node *n = &p->nodes[p->branches[k]];
			int64_t d;

			if (n->force_long)
				continue;
			d = (int64_t)p->addr[n->arg] - (p->addr[p->branches[k]] + node_len(n));
			if (d < REL8_MIN || d > REL8_MAX) {
				n->force_long = RELAXED;
				grew = true;
			}
		}
	} while (grew);
	return size;
}

void model_forget_relaxed(struct place *p)
{
	for (uint32_t k = 0; k < p->n_branches; k++)
		p->nodes[p->branches[k]].force_long &= FORCED;
}

/* ---- sites ---- */

bool lengthen(struct node *n)
{
	if (!lengthen_cost(n))
		return false;
	if (relaxable(n))
		n->force_long |= FORCED;
	else
		n->prefixes = (uint8_t)(JMP_REL32_LEN - n->size);
	return true;
}

uint32_t lengthened_by(const struct node *n)
{
	return n->prefixes + (forced_long(n) ? n->size_long - n->size : 0u);
}

void shorten(struct node *n)
{
	n->prefixes = 0;
	n->force_long = 0;
	n->gift = false;
}

/* First instruction of two bytes or more of the block that starts at unit i. */
static uint32_t find_site(const struct place_unit *units, uint32_t n, uint32_t i)
{
	if (units[i].kind == PLACE_ALIGN && !(units[i].flags & PLACE_FORBIDDEN))
		return i;
	for (uint32_t first = i; i < n; i++) {
		const struct place_unit *u = &units[i];

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

/*
 * Does an instruction further on take the place of the short site i? It must be proven
 * independent of all in between (the caller's part), and nothing may lead between them.
 */
static bool hoists(const struct place_unit *units, uint32_t n, uint32_t i)
{
	const uint8_t never = PLACE_LEADER | PLACE_FORBIDDEN | PLACE_BRANCH | PLACE_BARRIER;
	uint32_t from = i + units[i].hoist;

	if (from == i || from >= n || units[i].size >= JMP_REL32_LEN ||
	    units[from].size <= units[i].size)
		return false;
	for (uint32_t k = i + 1; k <= from; k++)
		if (units[k].kind != PLACE_INSN || (units[k].flags & never))
			return false;
	return true;
}

#define IS_SITE 1
#define IS_HEAD 2

/* marks[i]: IS_SITE, IS_HEAD. */
static void mark_sites(struct place_unit *units, uint32_t n, uint32_t *marks,
                       struct place_stats *stats)
{
	bool falls_in = false; /* a block starts here because a branch ended one */

	for (uint32_t i = 0; i < n; i++) {
		const struct place_unit *u = &units[i];

		if ((u->flags & PLACE_LEADER) || falls_in) {
			uint32_t site = find_site(units, n, i);

			if (site != PLACE_NO_TARGET) {
				stats->loop_heads += u->flags & PLACE_LOOP_HEAD ? 1 : 0;
				marks[site] |= u->flags & PLACE_LOOP_HEAD ? IS_SITE | IS_HEAD
				                                          : IS_SITE;
				units[site].hoisted = hoists(units, n, site);
			}
		}
		if (u->kind != PLACE_ALIGN) /* behind padding the same block goes on */
			falls_in = (u->flags & PLACE_BRANCH) && !(u->flags & PLACE_BARRIER);
	}
}

/* ---- nodes ---- */

static bool is_node(const struct place_unit *u, uint32_t marks)
{
	return marks || u->kind == PLACE_ALIGN ||
	       (u->flags & (PLACE_BRANCH | PLACE_BARRIER | PLACE_LEADER));
}

static uint32_t fixed_size(const struct place_unit *u)
{
	return u->kind == PLACE_BYTES ? u->arg : u->size;
}

static void add_node(struct place *p, const struct place_unit *u, uint32_t i, uint32_t before,
                     uint32_t marks)
{
	struct node *n = &p->nodes[p->n];

	memset(n, 0, sizeof(*n));
	n->before = before;
	n->unit = i;
	n->arg = u->arg;
	n->kind = u->kind;
	n->flags = u->flags & ~PLACE_LOOP_HEAD;
	n->flags |= marks & IS_HEAD ? PLACE_LOOP_HEAD : 0;
	n->size = u->size;
	n->size_long = u->size_long;
	n->max = u->max;
	n->site = marks & IS_SITE;
	if (n->site)
		p->sites[p->n_sites++] = p->n;
	if (!(u->flags & PLACE_FORBIDDEN) && (u->kind == PLACE_ALIGN || (u->flags & PLACE_BARRIER)))
		p->points[p->n_points++] = p->n;
	p->n++;
}

void model_init(struct place *p, struct place_unit *units, size_t n, void *room,
                struct place_stats *stats)
{
	const size_t row = n + 2;
	uint32_t *words = (uint32_t *)((struct node *)room + n + 1);
	uint32_t before = 0, moved = UINT32_MAX, moved_size = 0, *marks, *node_of;

	p->nodes = room;
	p->addr = words;
	p->sites = words + 1 * row;
	p->points = words + 2 * row;
	p->reach = marks = words + 3 * row;
	p->gain = node_of = words + 4 * row;
	p->point_gain = words + 5 * row;
	p->picked = words + 6 * row; /* a row for the picked, one for the failed */
	p->failed = words + 7 * row;
	p->slots = words + 8 * row;
	p->taken = words + 10 * row;
	p->loss = words + 12 * row;
	p->ends = (int32_t *)(words + 14 * row);
	p->shorts = (uint8_t *)(words + 15 * row);
	p->branches = words + 16 * row;
	p->max_slots = 2 * (uint32_t)row; /* two at every point, at least */

	memset(marks, 0, n * sizeof(*marks));
	mark_sites(units, (uint32_t)n, marks, stats);
	for (uint32_t i = 0; i < n; i++) {
		node_of[i] = p->n;
		if (is_node(&units[i], marks[i])) {
			add_node(p, &units[i], i, before, marks[i]);
			before = 0;
		} else {
			before += i == moved ? moved_size : fixed_size(&units[i]);
		}
		if (units[i].hoisted) { /* the two sizes change places */
			moved = i + units[i].hoist;
			moved_size = units[i].size;
			p->nodes[p->n - 1].size = units[moved].size;
			p->nodes[p->n - 1].size_long = units[moved].size;
		}
	}
	for (uint32_t i = 0; i < p->n; i++) {
		struct node *node = &p->nodes[i];

		if (node->kind != PLACE_INSN || node->arg == PLACE_NO_TARGET)
			continue;
		node->arg = node_of[node->arg]; /* targets are leaders, so nodes */
		if (relaxable(node))
			p->branches[p->n_branches++] = i;
	}
	/* what follows the last node, as bytes that never change */
	p->nodes[p->n++] =
		(struct node){ .before = before, .kind = PLACE_BYTES, .unit = (uint32_t)n };
	memset(p->gain, 0, p->n_sites * sizeof(*p->gain));
	stats->sites = p->n_sites;
}

/* ---- points and slots ---- */

/*
 * Padding behind a barrier: never executed. But where something leads to it (a jump
 * table's entry for an impossible case may) nobody else may use it.
 */
static bool is_gap(const struct place *p, uint32_t node)
{
	const struct node *n = &p->nodes[node];

	return n->kind == PLACE_ALIGN && !(n->flags & PLACE_LEADER) && node && !n->before &&
	       (n[-1].flags & PLACE_BARRIER);
}

/*
 * Padding that is executed holds a slot too, where its first NOP is one of 8 bytes
 * or more: 0f 1f 84 and 5 bytes of operand, which may as well read `jmp rel32`;
 * but a NOP that starts a block may be wanted as that block's site.
 */
static uint32_t long_nop(const struct place *p, uint32_t node)
{
	uint32_t pad = padding(p, node);
	uint32_t len = pad < p->nop_max ? pad : p->nop_max;

	return len >= LONG_NOP_LEN && !p->nodes[node].site ? len : 0;
}

uint32_t point_addr(const struct place *p, uint32_t k)
{
	uint32_t node = p->points[k];

	if (p->nodes[node].kind == PLACE_INSN)
		return p->addr[node] + node_len(&p->nodes[node]);
	if (is_gap(p, node) || !long_nop(p, node))
		return p->addr[node];
	return p->addr[node] + long_nop(p, node) - SLOT_LEN;
}

uint32_t point_slots(const struct place *p, uint32_t k)
{
	uint32_t node = p->points[k], slots;

	if (p->nodes[node].kind == PLACE_INSN)
		return p->nodes[node].slots;
	if (!is_gap(p, node))
		return long_nop(p, node) ? 1 : 0;
	slots = padding(p, node) / SLOT_LEN;
	return slots < MAX_SLOTS_PER_POINT ? slots : MAX_SLOTS_PER_POINT;
}

uint32_t spare_padding(const struct place *p, uint32_t node)
{
	uint32_t pad = padding(p, node);

	if (p->nodes[node].max)
		return 0; /* filling it up could make it appear or vanish */
	if (is_gap(p, node))
		return pad % SLOT_LEN;
	return long_nop(p, node) ? pad - LONG_NOP_LEN : pad;
}

uint32_t open_cost(const struct place *p, uint32_t k)
{
	uint32_t node = p->points[k];
	const struct node *n = &p->nodes[node];

	if (n->kind != PLACE_INSN || n->slots >= MAX_SLOTS_PER_POINT)
		return NO_OPENING;
	if (n[1].kind != PLACE_ALIGN || n[1].before)
		return SLOT_LEN;
	/* padding that holds a slot is one already; else a whole alignment step is due */
	if (padding(p, node + 1) < SLOT_LEN)
		return n[1].arg;
	return is_gap(p, node + 1) ? NO_OPENING : 0;
}

/* Number of slots if no point had more than so many. */
static uint64_t count_slots(const struct place *p, uint32_t most)
{
	uint64_t n = 0;

	for (uint32_t k = 0; k < p->n_points; k++) {
		uint32_t slots = point_slots(p, k);

		n += slots < most ? slots : most;
	}
	return n;
}

/*
 * Where padding holds more slots than there is room for, some in the middle are left
 * out: whoever reaches any slot of a point reaches its first or its last.
 */
void model_list_slots(struct place *p)
{
	uint32_t most = MAX_SLOTS_PER_POINT;

	while (most > 2 && count_slots(p, most) > p->max_slots)
		most--;
	p->n_slots = 0;
	for (uint32_t k = 0; k < p->n_points; k++) {
		uint32_t slots = point_slots(p, k);

		for (uint32_t i = 0; i < slots; i++)
			if (i + 1 < most || i + 1 == slots)
				p->slots[p->n_slots++] = point_addr(p, k) + i * SLOT_LEN;
	}
}

uint32_t model_count_slots(const struct place *p)
{
	return (uint32_t)count_slots(p, MAX_SLOTS_PER_POINT);
}
