/* SPDX-License-Identifier: MIT */
/*
 * place_balance.h - makes many patches at the same time likelier to fit.
 *
 * Only adds to what place.c has decided; addresses must be current, and are not
 * any more when something was spent.
 */
#ifndef DYNOPT_PLACE_BALANCE_H
#define DYNOPT_PLACE_BALANCE_H

#include "place_model.h"

enum balance {
	BALANCE_ENOUGH,  /* nearly every patch fits */
	BALANCE_NOTHING, /* nothing found that gains as much as asked */
	BALANCE_SPENT,
};

/*
 * One round: spend up to about `bytes` on slots and longer instructions that gain
 * at least least / LEAST_UNIT plays a byte.
 */
#define LEAST_UNIT 4
enum balance place_balance(struct place *p, uint32_t bytes, uint32_t least);

/* Patch all loop heads at once: returns how many find no slot; they are in p->failed. */
uint32_t play_loop_heads(struct place *p);
/* The same, but those that cannot be made longer choose before the others do. */
uint32_t play_stiff_heads_first(struct place *p);

#endif
