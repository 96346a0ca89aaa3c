/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * stub.h - the way out of a translation that owes the original something (struct ir_state).
 *
 * With R the original's rsp and A the real one:
 *
 *     the instructions of all results that are owed
 *     mov [rsp + ...], reg          for each pending register
 *     lea rsp, [rsp + R-A-136]      below the red zone of R: what follows touches nothing that lives
 *     call +1; int3                 once for each inlined frame: keeps the processor's return stack in step
 *     lea rsp, [rsp + 8n]           forgets what the calls have pushed
 *     mov [rsp], rax
 *     mov [rsp-8i], rax             over what the calls have pushed
 *     lea rax, [rip + value]        for each pending return address
 *     mov [rsp + ...], rax
 *     mov rax, [rsp]
 *     lea rsp, [rsp + 136]
 *
 * and the caller adds the jump. Flags are untouched but by results. Every instruction has a state of its own, so that an interrupt
 * anywhere in it can be made good: writes may be done twice.
 */
#ifndef DYNOPT_ENGINE_STUB_H
#define DYNOPT_ENGINE_STUB_H

#include "code.h"
#include "result.h"

/* What a state owes, by kind. */
struct stub_debts {
	u32 results, returns, regs;
};
static inline struct stub_debts stub_debts(const struct ir_state *state,
                                           const struct ir_pending *pendings)
{
	struct stub_debts debts = { 0 };

	for (u32 i = 0; i < state->n; i++) {
		u8 kind = pendings[state->first + i].kind;

		debts.results += kind == PENDING_RESULT;
		debts.returns += kind == PENDING_RETURN;
		debts.regs += kind == PENDING_REG;
	}
	return debts;
}

/* Upper bounds for one stub. */
static inline u32 stub_bytes(struct stub_debts d)
{
	return 48 + 29 * d.returns + 8 * d.regs + RESULT_MAX_LEN * d.results;
}
static inline u32 stub_insns(struct stub_debts d)
{
	u32 returns = d.returns ? 6 + 4 * d.returns : 1;

	return returns + d.regs + d.results;
}
static inline u32 stub_pendings(struct stub_debts d)
{
	u32 all = d.results + d.returns + d.regs;

	return (6 + 4 * d.returns) * (d.returns + 1) + (d.results + d.regs) * all;
}

/*
 * Appends the stub for `state` (of code->states) and exit target `target` to the code: bytes, origins, states, pendings and
 * data fixups, in arrays that have room for the bounds above.
 */
void stub_emit(struct code *code, struct ir_state *states, struct ir_pending *pendings, u16 state,
               u64 target);

#endif
