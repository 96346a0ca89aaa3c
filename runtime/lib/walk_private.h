/* SPDX-License-Identifier: MIT */
/*
 * walk_private.h - parts of a walk: memory (walk_memory.c), integer instructions (walk_insn.c), vector ones (walk_vec.c), those that the processor executes (walk_native.c).
 */
#ifndef DYNOPT_WALK_PRIVATE_H
#define DYNOPT_WALK_PRIVATE_H

#include "walk.h"

#define WALK_ALL 0xff /* bytes of a word */

/* A value of 1, 2, 4 or 8 bytes. */
struct walk_value {
	u64 v;
	bool known;
};

/* An instruction under way, and what its operands are. */
struct walk_step {
	struct walk *w;
	const struct insn *insn;
	struct walk_code *code;
	const struct walk_form *form;
	const u8 *op; /* its opcode */
	u8 rex, modrm, prefix; /* prefix: f2, f3 or 0 */
	bool word, memory; /* prefix 66; the operand of ModRM lies in memory */
	u8 size; /* of operands of the usual kind: 2, 4, 8 */
	u64 addr; /* of mem[0] */
	bool addr_known;
	bool ended; /* w->end says why */
};

static inline void walk_stop(struct walk_step *s, enum walk_end end)
{
	s->w->end = end;
	s->ended = true;
}

static inline u8 walk_mask(u32 size)
{
	return (u8)((1u << size) - 1);
}

static inline u8 walk_reg_field(const struct walk_step *s)
{
	return (u8)((s->modrm >> 3 & 7) | (s->rex & 4) << 1);
}

static inline u8 walk_rm_field(const struct walk_step *s)
{
	return (u8)((s->modrm & 7) | (s->rex & 1) << 3);
}

static inline struct walk_value walk_known(u64 v)
{
	return (struct walk_value){ v, true };
}

/* walk_memory.c: `size` is at most 8. */
struct walk_word walk_load_bytes(struct walk *w, u64 addr, u32 size);
void walk_store_bytes(struct walk_step *s, u64 addr, struct walk_word word, u32 size);
struct walk_value walk_load(struct walk_step *s, u64 addr, bool addr_known, u32 size);
void walk_store(struct walk_step *s, u64 addr, bool addr_known, struct walk_value value, u32 size);
void walk_push(struct walk_step *s, struct walk_value value);
struct walk_value walk_pop(struct walk_step *s);
/* What a return would pop, as far as it can be relied on. */
struct walk_value walk_return_address(struct walk_step *s);
/* Operand `number` of insn->mem. */
u64 walk_address(const struct walk *w, const struct insn *insn, u32 number, bool *known);

/* False: it is none of theirs, and nothing is changed. They change all but rip. */
bool walk_insn(struct walk_step *s);
bool walk_vec(struct walk_step *s);
bool walk_native(struct walk_step *s);

struct walk_form walk_form(const struct insn *insn);

/* Does condition `cc` hold? False: that is not known. */
bool walk_condition(const struct walk_machine *m, u8 cc, bool *holds);
void walk_set_flags(struct walk_machine *m, u16 which, u16 flags);

#endif
