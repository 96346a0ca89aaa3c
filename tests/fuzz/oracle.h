/* SPDX-License-Identifier: MIT */
/*
 * oracle.h - the slow, exact comparison: both sides single-stepped.
 *
 * The original's run is logged: for each instruction its address, registers, flags, vector state, and what it wrote to
 * memory. The translation's run is held against the log at every one of its instructions: the origin table must name an
 * original address at which the original had that very state, in the same order, with the same writes in between.
 * Instructions without effect on the state (jumps) may be missing. While the original runs, each instruction is also held
 * against what decode_insn() says it may change.
 */
#ifndef DYNOPT_FUZZ_ORACLE_H
#define DYNOPT_FUZZ_ORACLE_H

#include "states.h"

#define ORACLE_STEPS 400

/* Steps the original from native.in; what it did is the log. Returns the rule that decode.h breaks, NULL if none. */
const char *oracle_original(const struct guest *g, struct outcome *out);
/* Steps the translation from native.in; returns the rule that it breaks, NULL if none. */
const char *oracle_translation(const struct guest *g, struct outcome *out);
/*
 * Steps the original from native.in once more. dead[k] for byte k of the stack: since it was last written, it has lain
 * below the red zone, where signals may write, or below rsp at a return: a callee's. False if the run did not end.
 */
bool oracle_dead(const struct guest *g, u8 *dead);
/* Instructions in the log. */
u32 oracle_steps(void);
/* Says where a rule was broken. */
void oracle_print(void);

#endif
