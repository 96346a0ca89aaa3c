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
 *
 * Undo is the inverse in the opposite order of stages, without CODE bytes: those are kept until
 * every thread was seen outside. Invariant (rule 2): a SITE edit lies inside one original instruction
 * and starts where that starts; the model test puts a CPU on every instruction between all steps.
 */
#ifndef DYNOPT_ENGINE_PLAN_H
#define DYNOPT_ENGINE_PLAN_H

#include "arena.h"
#include "engine_status.h"
#include "hops.h"
#include "port.h"

#define EDIT_BYTES 16 /* the largest: a far slot */

enum edit_stage { STAGE_CODE, STAGE_HOP, STAGE_SITE, STAGE_LINK, STAGE_N };
/* STAGE_LINK: 4-byte fields of jumps in translations that are already live (exits linked or cut, back-edges cut). */

struct edit {
	u64 addr;
	u8 len, stage;
	u8 old[EDIT_BYTES];
	u8 new[EDIT_BYTES];
};

struct plan {
	struct edit *edits;
	u32 n, max;
};

__must_check enum status plan_init(struct plan *plan, u32 max, struct arena *arena);
/* STATUS_PLAN_FULL. Bytes are copied. */
__must_check enum status plan_add(struct plan *plan, enum edit_stage stage, u64 addr,
                                  const u8 *old, const u8 *new, u32 len, struct failure *fail);
/*
 * Adds the edits of one hop: far slot, slot, site. `old_site`: the site's original bytes (len of them count);
 * free places are expected to hold what `old_at` says (slots 0xCC or padding): old bytes of JMP_REL32_LEN / far slot size.
 */
__must_check enum status plan_add_hop(struct plan *plan, const struct hop *hop, const u8 *old_site,
                                      const u8 *old_slot, const u8 *old_far,
                                      struct failure *fail);
/* Sorts by (stage, address) and checks that no two edits overlap: STATUS_PLAN_OVERLAP. */
__must_check enum status plan_finish(struct plan *plan, struct failure *fail);
/* The plan that takes `plan` back, in *out (initialized by the caller with room for plan->n). CODE edits are left out. */
__must_check enum status plan_invert(const struct plan *plan, struct plan *out,
                                     struct failure *fail);

#endif
