/* SPDX-License-Identifier: MIT */
/*
 * place_model.h - the section as place.c and place_balance.c see it.
 *
 * Addresses (a model of the assembler's relaxation), sites (instructions that a
 * block can be patched at) and points (where slots are or can be opened: behind
 * barriers, in padding). All indices are into the caller's units; sites and
 * points are in address order.
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

struct place {
	struct place_unit *units;
	uint32_t n;
	uint32_t nop_max; /* longest NOP the assembler pads with */
	uint32_t *addr;   /* n + 1: where a label in front of the unit stands */
	uint32_t *sites;
	uint32_t n_sites;
	uint32_t *points;
	uint32_t n_points;
	uint32_t *load; /* per site or point: working space of the pass that runs */
	uint32_t *gain; /* likewise */
	uint32_t *needy; /* per site: was found without what it was promised */
	uint32_t *work; /* likewise */
};

/*
 * Recompute addresses; returns the section's size. Branches that an earlier layout
 * found out of reach stay long, until they are forgotten.
 */
uint32_t model_layout(struct place *p);
void model_forget_relaxed(struct place *p);
void model_find_sites(struct place *p, struct place_stats *stats);
void model_find_points(struct place *p);

uint32_t insn_len(const struct place_unit *u);
uint32_t padding(const struct place *p, uint32_t unit);

/* Cost in bytes of making a site long enough for a jmp rel32; 0 if it is or cannot be. */
uint32_t lengthen_cost(const struct place_unit *u);
bool lengthen(struct place_unit *u);
bool forced_long(const struct place_unit *u);

/* Where the jump written at a site ends: rel8 counts from here. */
static inline int64_t site_end(const struct place *p, uint32_t unit)
{
	return (int64_t)p->addr[unit] + JMP_REL8_LEN;
}

bool is_short(const struct place *p, uint32_t s);

bool is_gap(const struct place *p, uint32_t unit);
/* First slot's address and number of slots, reserved or found, at a point's unit. */
uint32_t point_addr(const struct place *p, uint32_t unit);
uint32_t point_slots(const struct place *p, uint32_t unit);
/* Bytes of padding that hold no slot, so that code before it may have them. */
uint32_t point_spare(const struct place *p, uint32_t unit);

/* What one more slot at a point would cost in bytes; NO_OPENING: nothing to be had there. */
#define NO_OPENING UINT32_MAX
uint32_t open_cost(const struct place *p, uint32_t unit);

#endif
