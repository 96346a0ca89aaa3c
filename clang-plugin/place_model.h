/* SPDX-License-Identifier: MIT */
/*
 * place_model.h - the section as place.c and place_balance.c see it.
 *
 * Only what can move or be decided upon is kept, as nodes in address order: sites
 * (instructions a block can be patched at), branches, barriers, padding, and what
 * branches lead to; all else is a number of bytes in front of the next node. A
 * layout gives every node an address by a model of the assembler's relaxation.
 */
#ifndef DYNOPT_PLACE_MODEL_H
#define DYNOPT_PLACE_MODEL_H

#include "place.h"

#include <stdbool.h>

#define JMP_REL8_LEN 2
#define JMP_REL32_LEN 5
#define SLOT_LEN 5
#define REL8_MIN (-128)
#define REL8_MAX 127

struct node {
	uint32_t before; /* bytes between the node before and this one */
	uint32_t unit;   /* the caller's index */
	uint32_t arg; /* INSN: node a relaxable branch leads to; ALIGN: alignment; BYTES: size */
	uint8_t kind, flags, size, size_long, max; /* as in struct place_unit */
	uint8_t prefixes, force_long, slots; /* decisions, likewise */
	bool site;
	bool gift; /* made longer at the expense of padding */
	bool needy; /* was found without what it was promised */
};

struct place {
	struct node *nodes;
	uint32_t n;
	uint32_t plain; /* bytes without any decision */
	uint32_t nop_max; /* longest NOP the assembler pads with */
	uint32_t *addr; /* n + 1: where a label in front of the node stands */
	uint32_t *branches; /* nodes that may have to grow */
	uint32_t n_branches;
	uint32_t *sites; /* nodes */
	uint32_t n_sites;
	uint32_t *points; /* nodes where slots are or can be opened */
	uint32_t n_points;
	uint32_t *slots; /* addresses of slots, reserved or found, ascending */
	uint32_t n_slots, max_slots;
	uint32_t *gain; /* per site: what it is worth to be long, as far as it is known */
	uint32_t *point_gain, *taken, *loss, *picked, *failed; /* place_balance.c's */
	int32_t *ends;
	uint8_t *shorts;
	uint32_t *reach; /* per site: slots in reach, as far as it was counted */
};

/* Build nodes, sites and points from units, decide what is hoisted; room: PLACE_SCRATCH(n) bytes. */
void model_init(struct place *p, struct place_unit *units, size_t n, void *room,
                struct place_stats *stats);

/*
 * Recompute addresses; returns the section's size. Branches that an earlier layout
 * found out of reach stay long, until they are forgotten.
 */
uint32_t model_layout(struct place *p);
void model_forget_relaxed(struct place *p);
void model_list_slots(struct place *p);
uint32_t model_count_slots(const struct place *p); /* all there are */

#define RELAXED 1 /* in force_long: out of reach of rel8 anyway */
#define FORCED 2

static inline uint32_t node_len(const struct node *n)
{
	return n->prefixes + (n->force_long ? n->size_long : n->size);
}

static inline uint32_t node_padding_at(uint32_t addr, const struct node *n)
{
	uint32_t pad = -addr & (n->arg - 1);

	return n->max && pad > n->max ? 0 : pad;
}

static inline uint32_t padding(const struct place *p, uint32_t node)
{
	return node_padding_at(p->addr[node], &p->nodes[node]);
}

static inline bool relaxable(const struct node *n)
{
	return n->kind == PLACE_INSN && n->size_long > n->size;
}

/* Cost in bytes of making a site long enough for a jmp rel32; 0 if it is or cannot be. */
static inline uint32_t lengthen_cost(const struct node *n)
{
	uint32_t len = node_len(n);

	if (n->kind != PLACE_INSN)
		return 0;
	if (relaxable(n) && !n->force_long)
		return n->size_long - n->size;
	if ((n->flags & PLACE_PREFIXABLE) && len < JMP_REL32_LEN)
		return JMP_REL32_LEN - len;
	return 0;
}

static inline bool forced_long(const struct node *n)
{
	return n->force_long & FORCED;
}

/* Padding that is a block of its own is a site too, if there are two bytes of it. */
static inline bool is_short(const struct place *p, uint32_t s)
{
	const struct node *n = &p->nodes[p->sites[s]];

	if (n->kind == PLACE_ALIGN)
		return padding(p, p->sites[s]) >= JMP_REL8_LEN &&
		       padding(p, p->sites[s]) < JMP_REL32_LEN;
	return node_len(n) < JMP_REL32_LEN;
}

bool lengthen(struct node *n);
uint32_t lengthened_by(const struct node *n); /* bytes that were spent so */
void shorten(struct node *n);

/* Where the jump written at a site ends: rel8 counts from here. */
static inline int64_t site_end(const struct place *p, uint32_t s)
{
	return (int64_t)p->addr[p->sites[s]] + JMP_REL8_LEN;
}

/* First slot's address and number of slots at a point. */
uint32_t point_addr(const struct place *p, uint32_t k);
uint32_t point_slots(const struct place *p, uint32_t k);
/* Bytes of the padding at a node that hold no slot, so that code before it may have them. */
uint32_t spare_padding(const struct place *p, uint32_t node);

/* What one more slot at a point would cost in bytes; NO_OPENING: nothing to be had there. */
#define NO_OPENING UINT32_MAX
uint32_t open_cost(const struct place *p, uint32_t k);

#endif
