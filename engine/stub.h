/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * stub.h - the way out of a translation that owes the original something (struct ir_state).
 *
 * With R the original's rsp and A the real one:
 *
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
 * and the caller adds the jump. Flags are untouched. Every instruction has a state of its own, so that an interrupt
 * anywhere in it can be made good: writes may be done twice.
 */
#ifndef DYNOPT_ENGINE_STUB_H
#define DYNOPT_ENGINE_STUB_H

#include "code.h"

/* Upper bounds for one stub with n pending return addresses and r registers. */
static inline u32 stub_bytes(u32 n, u32 r)
{
	return 48 + 29 * n + 8 * r;
}
static inline u32 stub_insns(u32 n, u32 r)
{
	return 6 + 4 * n + r;
}
static inline u32 stub_pendings(u32 n, u32 r)
{
	return stub_insns(n, 0) * (n + 1) + r * (n + r);
}
/* How many return addresses a state owes. */
static inline u32 stub_returns(const struct ir_state *state, const struct ir_pending *pendings)
{
	u32 n = 0;

	while (n < state->n && pendings[state->first + n].kind == PENDING_RETURN)
		n++;
	return n;
}

/*
 * Appends the stub for `state` (of code->states) and exit target `target` to the code: bytes, origins, states, pendings and
 * data fixups, in arrays that have room for the bounds above.
 */
void stub_emit(struct code *code, struct ir_state *states, struct ir_pending *pendings, u16 state,
               u64 target);

#endif
