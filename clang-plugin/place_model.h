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

/* Cost in bytes of making a site long enough for a jmp rel32; 0 if it is or cannot be. */
uint32_t lengthen_cost(const struct node *n);
bool lengthen(struct node *n);
uint32_t lengthened_by(const struct node *n); /* bytes that were spent so */
void shorten(struct node *n);
bool forced_long(const struct node *n);
bool is_short(const struct place *p, uint32_t s);

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
