/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * stub.c - see stub.h. The state in front of each instruction is that of the stub's beginning, seen from where rsp is by
 * then; from the first `lea rax` on, rax itself has to be brought back from where it was saved.
 */
#include "stub.h"

#include "reencode.h"
#include "stack_op.h"

#define RAX 0
#define BELOW 136 /* the red zone's 128 bytes and a word */

struct stub {
	struct code *code;
	struct ir_state *states;
	struct ir_pending *pendings;
	struct ir_state from;
	u64 target;
	s32 moved; /* rsp so far, against the stub's beginning */
	bool rax_saved;
};

/* The state here; from.first's pendings are copied with their offsets seen from the moved rsp. */
static u32 state_here(struct stub *s)
{
	struct ir_state state = { .rsp = s->from.rsp - s->moved, .first = s->code->n_pendings };

	for (u32 i = 0; i < s->from.n; i++) {
		struct ir_pending pending = s->pendings[s->from.first + i];

		pending.at -= s->moved;
		s->pendings[s->code->n_pendings++] = pending;
	}
	if (s->rax_saved)
		s->pendings[s->code->n_pendings++] =
			(struct ir_pending){ .kind = RELOAD_REG, .reg = RAX, .at = 0 };
	state.n = (u16)(s->code->n_pendings - state.first);
	s->states[s->code->n_states] = state;
	return s->code->n_states++;
}

static void put(struct stub *s, const u8 *bytes, u32 n)
{
	struct code *code = s->code;

	code->origins[code->n_origins++] = (struct code_origin){ .origin = s->target,
		                                                 .at = code->size,
		                                                 .state = state_here(s) };
	/* cppcheck-suppress uninitvar ; reencode_...() write them */
	memcpy(code->bytes + code->size, bytes, n);
	code->size += n;
}

static void move_rsp(struct stub *s, s32 by)
{
	u8 bytes[INSN_MAX_LEN];
	u32 n;

	if (by == 0)
		return;
	n = reencode_lea(bytes, RSP, by);
	put(s, bytes, n);
	s->moved += by;
}

static void balance(struct stub *s)
{
	static const u8 call[] = { 0xe8, 0x01, 0x00, 0x00, 0x00 }, int3 = 0xcc;
	s32 pushed = 0;

	for (u32 i = 0; i < s->from.n; i++) {
		put(s, call, sizeof(call));
		s->code->bytes[s->code->size++] = int3;
		s->moved -= 8;
		pushed += 8;
	}
	move_rsp(s, pushed);
}

/* lea rax, [rip + value]; mov [rsp + at], rax */
static void write_return(struct stub *s, const struct ir_pending *pending)
{
	static const u8 lea[] = { 0x48, 0x8d, 0x05, 0, 0, 0, 0 };
	u8 bytes[INSN_MAX_LEN];
	struct code *code = s->code;
	u32 at = code->size;

	put(s, lea, sizeof(lea));
	s->rax_saved = true;
	code->fixups[code->n_fixups++] = (struct code_fixup){
		.kind = FIXUP_DATA, .target = pending->value, .at = at + 3, .end = at + sizeof(lea)
	};
	put(s, bytes, reencode_store(bytes, RAX, pending->at - s->moved));
}

/* They come first among what is owed, and each is made once. */
static void make_results(struct stub *s)
{
	while (s->from.n && s->pendings[s->from.first].kind == PENDING_RESULT) {
		const struct ir_pending result = s->pendings[s->from.first];
		u8 bytes[RESULT_MAX_LEN];

		result_unpack(result.value, bytes);
		put(s, bytes, (u32)result.at);
		s->from.first++;
		s->from.n--;
	}
}

/* They come last among what is owed, and are written before the return addresses. */
static void write_registers(struct stub *s)
{
	u32 n = stub_debts(&s->from, s->pendings).returns;

	for (u32 i = n; i < s->from.n; i++) {
		const struct ir_pending *pending = &s->pendings[s->from.first + i];
		u8 bytes[INSN_MAX_LEN];

		put(s, bytes, reencode_store(bytes, pending->reg, pending->at));
	}
	s->from.n = (u16)n;
}

void stub_emit(struct code *code, struct ir_state *states, struct ir_pending *pendings, u16 state,
               u64 target)
{
	struct stub s = { code, states, pendings, states[state], target, 0, false };
	u8 bytes[INSN_MAX_LEN];

	make_results(&s);
	write_registers(&s);
	if (!s.from.n) {
		move_rsp(&s, s.from.rsp);
		return;
	}
	move_rsp(&s, s.from.rsp - BELOW);
	balance(&s);
	put(&s, bytes, reencode_store(bytes, RAX, 0));
	for (u32 i = 1; i <= s.from.n; i++) /* no address of ours stays on the stack */
		put(&s, bytes, reencode_store(bytes, RAX, -(s32)(8 * i)));
	for (u32 i = 0; i < s.from.n; i++) {
		const struct ir_pending pending = pendings[s.from.first + i];

		write_return(&s, &pending);
	}
	put(&s, bytes, reencode_load(bytes, RAX, 0));
	s.rax_saved = false;
	s.from.n = 0; /* all is written */
	move_rsp(&s, BELOW);
}
