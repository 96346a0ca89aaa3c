/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * state.c - see state.h. Reloads come first, for results may be made of the registers they bring back, and pending writes may name
 * either; rsp moves last, for all offsets count from the real one.
 */
#include "state.h"

#include "result.h"

#define RSP 4

/* Instructions one after the other: one may read what another has made. */
static bool make_results(const struct ir_state *state, const struct ir_pending *pendings,
                         u64 gpr[16])
{
	bool all = true;

	for (u32 i = 0; i < state->n; i++) {
		const struct ir_pending *p = &pendings[state->first + i];
		u8 bytes[RESULT_MAX_LEN];

		if (p->kind != PENDING_RESULT)
			continue;
		result_unpack(p->value, bytes);
		all &= result_make(bytes, (u32)p->at, gpr);
	}
	return all;
}

bool state_apply(const struct ir_state *state, const struct ir_pending *pendings, u64 base,
                 u64 gpr[16], const struct state_memory *memory)
{
	u64 real = gpr[RSP];
	bool all = true;

	for (u32 i = 0; i < state->n; i++) {
		const struct ir_pending *p = &pendings[state->first + i];

		if (p->kind == RELOAD_REG)
			all &= memory->load(memory->ctx, real + (u64)(s64)p->at, &gpr[p->reg]);
	}
	all &= make_results(state, pendings, gpr);
	for (u32 i = 0; i < state->n; i++) {
		const struct ir_pending *p = &pendings[state->first + i];
		u64 value = p->kind == PENDING_RETURN ? base + p->value : gpr[p->reg];

		if (p->kind == PENDING_RETURN || p->kind == PENDING_REG)
			all &= memory->store(memory->ctx, real + (u64)(s64)p->at, value);
	}
	gpr[RSP] = real + (u64)(s64)state->rsp;
	return all;
}
