/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * state.h - from an interrupted translation to the state the original program would have.
 *
 * Used by signal wrappers, by whoever undoes a fault, and by the fuzzer. Pure: it touches memory only through
 * the two functions it is given, so that each of them decides what is safe where it runs.
 */
#ifndef DYNOPT_ENGINE_STATE_H
#define DYNOPT_ENGINE_STATE_H

#include "ir.h"
#include "port.h"

struct state_memory {
	bool (*load)(void *ctx, u64 addr, u64 *value); /* 8 bytes; false: cannot be read */
	bool (*store)(void *ctx, u64 addr, u64 value); /* 8 bytes; false: cannot be written */
	void *ctx;
};

/*
 * Makes good what `state` says: reloads registers, makes results, writes what is pending, moves rsp. `gpr` is in encoding order (rsp is
 * gpr[4]), `base` the load bias. Returns false if a load or store was denied; all the others are done.
 */
bool state_apply(const struct ir_state *state, const struct ir_pending *pendings, u64 base,
                 u64 gpr[16], const struct state_memory *memory);

#endif
