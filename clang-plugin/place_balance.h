/* SPDX-License-Identifier: MIT */
/*
 * place_balance.h - makes many patches at the same time likelier to fit.
 *
 * Works on what place.c has decided; addresses must be current, and are not any more
 * when something was changed. Leaves in p->gain, per site, what it is worth to be
 * long: padding is spent by it.
 */
#ifndef DYNOPT_PLACE_BALANCE_H
#define DYNOPT_PLACE_BALANCE_H

#include "place_model.h"

enum balance {
	BALANCE_ENOUGH,  /* nearly every patch fits */
	BALANCE_NOTHING, /* nothing found that gains as much as asked */
	BALANCE_CHANGED,
};

/*
 * One round: take back what gains nothing, and spend that and two thirds of what is
 * left of the limit on slots and longer instructions that gain at least
 * least / LEAST_UNIT of PLAYS_UNIT plays a byte. left: bytes below the limit, without
 * those that the promises will take that are not kept now.
 */
#define LEAST_UNIT 4
#define PLAYS_UNIT 64
enum balance place_balance(struct place *p, uint64_t limit, uint32_t least, uint32_t *left);

/* Patch all loop heads at once: returns how many find no slot; they are in p->failed. */
uint32_t play_loop_heads(struct place *p);
/* The same, but those that cannot be made longer choose before the others do. */
uint32_t play_stiff_heads_first(struct place *p);

#endif
