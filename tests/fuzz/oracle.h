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
/* Instructions in the log. */
u32 oracle_steps(void);
/* Says where a rule was broken. */
void oracle_print(void);

/* ---- for oracle_frames.c ---- */

/* Steps from native.in; the hook is called at every instruction, its result says whether to go on. */
void oracle_run(const struct guest *g, bool (*hook)(void));
/* In a stub of the guest's: true, and *go_on is the hook's answer. */
bool oracle_in_stub(bool *go_on);
u64 oracle_mix(u64 hash, u64 value);
/* Hash of vector, floating-point and segment registers. */
u64 oracle_vector(const struct native_state *s);
/* The address that an operand has in a state. */
u64 oracle_address(const struct guest *g, const struct native_state *s, const struct insn *insn,
                   const struct insn_mem *mem);

#endif
