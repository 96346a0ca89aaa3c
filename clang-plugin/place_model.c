// SPDX-License-Identifier: MIT
/*
 * place_model.c - addresses, sites and points (place_model.h).
 *
 * Branches start short and only grow, the least fixed point, as the assembler
 * finds it. A branch that a decision has forced to its long form stays long.
 */
#include "place_model.h"

#define LONG_NOP_LEN 8 /* 0f 1f 84 + SIB + disp32: the last five bytes are free */
#define MAX_SLOTS_PER_BARRIER 12

#define RELAXED 1 /* in force_long: out of reach of rel8 anyway */
#define FORCED 2

uint32_t insn_len(const struct place_unit *u)
{
	return u->prefixes + (u->force_long ? u->size_long : u->size);
}

uint32_t padding(const struct place *p, uint32_t unit)
{
	const struct place_unit *u = &p->units[unit];
	uint32_t pad = -p->addr[unit] & (u->arg - 1);

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
			at += padding(p, i);
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

uint32_t model_layout(struct place *p)
{
	bool grew;
	uint32_t size;

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

void model_forget_relaxed(struct place *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		p->units[i].force_long &= FORCED;
}

uint32_t lengthen_cost(const struct place_unit *u)
{
	uint32_t len = insn_len(u);

	if (u->kind != PLACE_INSN)
		return 0;
	if (relaxable(u) && !u->force_long)
		return u->size_long - u->size;
	if ((u->flags & PLACE_PREFIXABLE) && len < JMP_REL32_LEN)
		return JMP_REL32_LEN - len;
	return 0;
}

bool lengthen(struct place_unit *u)
{
	if (!lengthen_cost(u))
		return false;
	if (relaxable(u))
		u->force_long |= FORCED;
	else
		u->prefixes = (uint8_t)(JMP_REL32_LEN - u->size);
	return true;
}

bool forced_long(const struct place_unit *u)
{
	return u->force_long & FORCED;
}

/* What a site offers to be overwritten; padding of less than two bytes is no site. */
bool is_short(const struct place *p, uint32_t s)
{
	uint32_t unit = p->sites[s];

	if (p->units[unit].kind == PLACE_ALIGN)
		return padding(p, unit) >= JMP_REL8_LEN && padding(p, unit) < JMP_REL32_LEN;
	return insn_len(&p->units[unit]) < JMP_REL32_LEN;
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

void model_find_sites(struct place *p, struct place_stats *stats)
{
	bool falls_in = false; /* a block starts here because a branch ended one */

	p->n_sites = 0;
	for (uint32_t i = 0; i < p->n; i++) {
		struct place_unit *u = &p->units[i];

		if (u->kind == PLACE_ALIGN && ((u->flags & PLACE_LEADER) || falls_in) &&
		    !(u->flags & PLACE_FORBIDDEN))
			p->sites[p->n_sites++] = i; /* if there is padding, it is a block */
		if (u->kind != PLACE_INSN)
			continue;
		if ((u->flags & PLACE_LEADER) || falls_in) {
			uint32_t site = find_site(p, i);

			if (site != PLACE_NO_TARGET) {
				p->sites[p->n_sites++] = site;
				stats->sites++;
			}
			if (site != PLACE_NO_TARGET && (u->flags & PLACE_LOOP_HEAD)) {
				stats->loop_heads++;
				p->units[site].flags |= PLACE_LOOP_HEAD;
			}
		}
		falls_in = (u->flags & PLACE_BRANCH) && !(u->flags & PLACE_BARRIER);
	}
}

/*
 * Padding behind a barrier: never executed. But where something leads to it (a jump
 * table's entry for an impossible case may) nobody else may use it.
 */
bool is_gap(const struct place *p, uint32_t unit)
{
	return p->units[unit].kind == PLACE_ALIGN && !(p->units[unit].flags & PLACE_LEADER) &&
	       unit && (p->units[unit - 1].flags & PLACE_BARRIER);
}

/*
 * Padding that is executed holds a slot too, where its first NOP is one of 8 bytes
 * or more: 0f 1f 84 and 5 bytes of operand, which may as well read `jmp rel32`;
 * but a NOP that starts a block may be wanted as that block's site.
 */
static uint32_t long_nop(const struct place *p, uint32_t unit)
{
	bool starts_block = (p->units[unit].flags & PLACE_LEADER) ||
	                    (unit && (p->units[unit - 1].flags & PLACE_BRANCH));
	uint32_t pad = padding(p, unit);
	uint32_t len = pad < p->nop_max ? pad : p->nop_max;

	return len >= LONG_NOP_LEN && !starts_block ? len : 0;
}

uint32_t point_addr(const struct place *p, uint32_t unit)
{
	const struct place_unit *u = &p->units[unit];

	if (u->kind == PLACE_INSN)
		return p->addr[unit] + insn_len(u);
	if (is_gap(p, unit) || !long_nop(p, unit))
		return p->addr[unit];
	return p->addr[unit] + long_nop(p, unit) - SLOT_LEN;
}

uint32_t point_slots(const struct place *p, uint32_t unit)
{
	const struct place_unit *u = &p->units[unit];

	if (u->kind == PLACE_INSN)
		return u->slots;
	if (is_gap(p, unit))
		return padding(p, unit) / SLOT_LEN;
	return long_nop(p, unit) ? 1 : 0;
}

uint32_t point_spare(const struct place *p, uint32_t unit)
{
	uint32_t pad = padding(p, unit);

	if (p->units[unit].max)
		return 0; /* filling it up could make it appear or vanish */
	if (is_gap(p, unit))
		return pad % SLOT_LEN;
	return long_nop(p, unit) ? pad - LONG_NOP_LEN : pad;
}

uint32_t open_cost(const struct place *p, uint32_t unit)
{
	const struct place_unit *u = &p->units[unit];

	if (u->kind != PLACE_INSN || u->slots >= MAX_SLOTS_PER_BARRIER)
		return NO_OPENING;
	if (unit + 1 >= p->n || u[1].kind != PLACE_ALIGN)
		return SLOT_LEN;
	/* padding that holds a slot is one already; else a whole alignment step is due */
	if (padding(p, unit + 1) < SLOT_LEN)
		return u[1].arg;
	return is_gap(p, unit + 1) ? NO_OPENING : 0;
}

void model_find_points(struct place *p)
{
	p->n_points = 0;
	for (uint32_t i = 0; i < p->n; i++) {
		const struct place_unit *u = &p->units[i];

		if (!(u->flags & PLACE_FORBIDDEN) &&
		    (u->kind == PLACE_ALIGN || (u->flags & PLACE_BARRIER)))
			p->points[p->n_points++] = i;
	}
}
