/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * plan.h - writes to live text as data: what was there, what comes, in which order.
 *
 * A plan is computed, inverted and checked before anything is written; those who apply it
 * (the embedded gate, the kernel's gate and cookie, the model in the tests) are short interpreters.
 * Order is the order of edits[]: stage by stage, all of a stage before the next.
 *
 *   stage 0 CODE   code cache bytes, far slots: nobody can arrive there yet
 *   stage 1 HOP    slots: nobody executes them before a site leads there
 *   stage 2 SITE   live instructions, atomically each; the moment of publication
 *   stage 3 LINK   4-byte fields of jumps in translations that are live, and 8-byte entries of shadows, atomically each: exits and entries
 *                  linked or cut, back-edges cut
 *
 * A plan may be left after any edit. Undo has two steps. plan_invert() gives the way back for what is live (LINK, then SITE);
 * after it nobody arrives any more, but threads may still stand in hops and code. When every thread, in every
 * process that can reach it, was seen outside, plan_reclaim() gives the way back for the rest. Invariant (rule 2): a SITE
 * edit lies inside one original instruction and starts where that starts; the model in tests/patch puts a CPU on
 * every instruction between all steps.
 */
#ifndef DYNOPT_ENGINE_PLAN_H
#define DYNOPT_ENGINE_PLAN_H

#include "arena.h"
#include "engine_status.h"
#include "hops.h"
#include "port.h"

#define EDIT_BYTES 16 /* the largest: a far slot */

enum edit_stage { STAGE_CODE, STAGE_HOP, STAGE_SITE, STAGE_LINK, STAGE_N };

struct edit {
	u64 addr;
	u8 len, stage; /* STAGE_... */
	u8 old[EDIT_BYTES];
	u8 new[EDIT_BYTES];
};

struct plan {
	struct edit *edits;
	u32 n, max;
};

/* STATUS_PLAN_FULL above LIMIT_PLAN_EDITS, STATUS_WORKSPACE. */
__must_check enum status plan_init(struct plan *plan, u32 max, struct arena *arena);
/*
 * Bytes are copied; more than EDIT_BYTES of them become several edits. `old` NULL: 0xCC, as in slots and the code cache.
 * STATUS_PLAN_FULL.
 */
__must_check enum status plan_add(struct plan *plan, enum edit_stage stage, u64 addr, const u8 *old,
                                  const u8 *new, u32 len, struct failure *fail);
/*
 * Adds the edits of one hop: far slot, slot, site; all or none. `old_site`: the bytes of the site's instruction; `old_slot`
 * and `old_far` (JMP_REL32_LEN and DYNOPT_FARSLOT_SIZE bytes; NULL: 0xCC) are what the places hold while they are free.
 * `bias`: what the process adds to module addresses, for the absolute address in a far slot. STATUS_PLAN_FULL, STATUS_PLAN_HOP,
 * STATUS_PLACE_REACH.
 */
__must_check enum status plan_add_hop(struct plan *plan, const struct hop *hop, u64 bias,
                                      const u8 *old_site, const u8 *old_slot, const u8 *old_far,
                                      struct failure *fail);
/* Sorts by (stage, address) and checks that no two edits overlap: STATUS_PLAN_OVERLAP. */
__must_check enum status plan_finish(struct plan *plan, struct failure *fail);
/*
 * The way back of a finished plan in two steps, into *out (initialized by the caller with room for plan->n; what it
 * held is dropped). The order is that of out->edits. STATUS_PLAN_FULL.
 */
__must_check enum status plan_invert(const struct plan *plan, struct plan *out,
                                     struct failure *fail);
__must_check enum status plan_reclaim(const struct plan *plan, struct plan *out,
                                      struct failure *fail);
/*
 * A later edit (of STAGE_LINK, of this or another plan) has changed bytes that this plan wrote: those are what its way back has
 * to expect.
 */
void plan_amend(struct plan *plan, const struct edit *later);
/* Are the bytes at the edit's address, edit->len of them, what it expects? STATUS_PLAN_STALE. */
__must_check enum status plan_check(const struct edit *edit, const u8 *now, struct failure *fail);

#endif
