/* SPDX-License-Identifier: MIT */
/*
 * oracle_frames.h - the slow comparison where calls are inlined: every instruction of the translation interrupted.
 *
 * The original's run is kept state by state, the stack with it. At each instruction of the translation what it owes is made good in
 * a copy (state.h), as a signal's handler would see it; that copy must be a state of the original, in order, at the
 * address that the origin table names. Only what is dead may differ: flags that the next instructions do not read, and
 * bytes of the stack that have lain, since the original last wrote them, below the red zone or, at a return, below rsp. Nothing that
 * lives may lie where a signal's frame would be, nor may making good write there.
 *
 * Code may do what no compiler's does and the engine need not bear: read bytes that are dead, flags from before a call or return or
 * flags that the manual leaves undefined, touch a return address but by call and return, index an array to below rsp, call on a stack
 * that is not the guest's.
 * Such runs of the original say nothing (frames_odd).
 */
#ifndef DYNOPT_FUZZ_ORACLE_FRAMES_H
#define DYNOPT_FUZZ_ORACLE_FRAMES_H

#include "states.h"

/* Steps the original from native.in and keeps its states. */
void frames_log(const struct guest *g, struct outcome *out);
/* Steps the translation from native.in; returns the rule that it breaks, NULL if none. */
const char *frames_check(const struct guest *g, struct outcome *out);
/* Steps the original without keeping states: dead[k] for byte k of the stack at its end. False if it did not end. */
bool frames_dead(const struct guest *g, u8 *dead);
/* Of the original's last run. */
bool frames_odd(void);
/*
 * The original's last run faulted at a store that a translation may owe, for there is no stack any more (docs/engine.md): a call's, or
 * of a word in the frame of a call that is not over. The translation meets that elsewhere, or never.
 */
bool frames_stack_ends(void);
/* Flags that are dead at its end, for they come from before a call or return or are undefined. */
u64 frames_stale(void);
u32 frames_steps(void);
void frames_print(void);

#endif
