/* SPDX-License-Identifier: MIT */
/*
 * shadows.h - shadows of jump tables in the guest, and what a run says that goes through one.
 *
 * Runs start anywhere, so a jump's index may lie beyond its table, where neither side is held to anything: such runs say nothing.
 */
#ifndef DYNOPT_FUZZ_SHADOWS_H
#define DYNOPT_FUZZ_SHADOWS_H

#include "guest.h"
#include "states.h"

/* Makes a shadow behind the near cache for each table of the code; false if there is no room. Before code_place(). */
__must_check bool shadows_make(struct guest *g, struct code *code);
/* What the trees' tables of addresses hold, where the guest has them; behind their labels entries lead nowhere. */
void shadows_originals(const struct guest *g);
/* Entries that lead to the head of translation `to` lead there; how many. */
u32 shadows_link(const struct guest *g, u32 to);
/*
 * Did the original leave by a jump through a table that a code jumps through, and by none of its entries? The translation tells, too
 * (or NULL): around its shadow are entries that lead nowhere.
 */
bool shadows_strayed(const struct guest *g, const struct outcome *original,
                     const struct outcome *translation);
/*
 * Behind such a jump nobody reads the register that still holds where it led: makes it alike, and what was pushed of it, for
 * functions push any register to align their stack.
 */
void shadows_forgive(const struct guest *g, const struct outcome *a, struct outcome *b);
/* What the trees' jumps through tables need: the table's address in a register, a small number in another. */
void shadows_aim(const struct guest *g, u64 gpr[16], u64 *rnd);

#endif
