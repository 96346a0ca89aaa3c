/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * state.c - see state.h. Reloads come first, for pending writes may name the registers they bring back; rsp
 * moves last, for all offsets count from the real one.
 */
#include "state.h"

#define RSP 4

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
	for (u32 i = 0; i < state->n; i++) {
		const struct ir_pending *p = &pendings[state->first + i];
		u64 value = p->kind == PENDING_RETURN ? base + p->value : gpr[p->reg];

		if (p->kind != RELOAD_REG)
			all &= memory->store(memory->ctx, real + (u64)(s64)p->at, value);
	}
	gpr[RSP] = real + (u64)(s64)state->rsp;
	return all;
}
