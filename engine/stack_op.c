/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * stack_op.c - see stack_op.h; opcodes from SDM volume 2 (push, pop, add, sub, lea, mov, leave).
 */
#include "stack_op.h"

#include "reencode.h"

#define REX_MASK 0xf0
#define REX 0x40
#define REX_W 8
#define REX_R 4
#define REX_B 1

/* An instruction without prefixes that mean nothing. */
struct core {
	const u8 *at; /* opcode */
	u32 n; /* bytes from there on */
	u8 rex;
	bool plain; /* no other prefix */
};

static struct core strip(const struct insn *insn)
{
	struct core core = { insn->bytes, insn->len, 0, true };

	while (core.n > 1 && core.at[0] == 0x2e)
		core.at++, core.n--;
	if (core.n > 1 && (core.at[0] & REX_MASK) == REX)
		core.rex = *core.at++, core.n--;
	core.plain = (u32)(core.at - insn->bytes) == insn->opcode_at;
	return core;
}

static s32 imm32(const u8 *at)
{
	s32 value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static struct stack_op push_or_pop(const struct core *c)
{
	struct stack_op op = { STACK_OTHER, (u8)((c->at[0] & 7) | (c->rex & REX_B ? 8 : 0)), false,
		               0 };

	if ((c->at[0] & 0xf8) == 0x50 && c->n == 1) {
		op.kind = op.reg == RSP ? STACK_OTHER : STACK_PUSH;
	} else if ((c->at[0] & 0xf8) == 0x58 && c->n == 1) {
		op.kind = op.reg == RSP ? STACK_OTHER : STACK_POP;
	} else if (c->at[0] == 0x6a && c->n == 2) {
		op.kind = STACK_PUSH_IMM;
		op.value = (s8)c->at[1];
	} else if (c->at[0] == 0x68 && c->n == 5) {
		op.kind = STACK_PUSH_IMM;
		op.value = imm32(c->at + 1);
	}
	return op;
}

/* add rsp, imm; sub rsp, imm: 48 83 /0 /5 ib, 48 81 /0 /5 id */
static struct stack_op arithmetic(const struct core *c)
{
	struct stack_op op = { STACK_OTHER, 0, true, 0 };
	bool short_form = c->at[0] == 0x83 && c->n == 3, long_form = c->at[0] == 0x81 && c->n == 6;

	if (c->rex != (REX | REX_W) || !(short_form || long_form) ||
	    (c->at[1] != 0xc4 && c->at[1] != 0xec))
		return op;
	op.value = short_form ? (s8)c->at[2] : imm32(c->at + 2);
	if (c->at[1] == 0xec) {
		if (op.value == -0x7fffffff - 1)
			return op;
		op.value = -op.value;
	}
	op.kind = STACK_MOVE;
	return op;
}

/* lea rsp, [rsp+disp]: 48 8d 64 24 ib, 48 8d a4 24 id */
static struct stack_op lea(const struct core *c)
{
	struct stack_op op = { STACK_OTHER, 0, false, 0 };

	if (c->rex != (REX | REX_W) || c->n < 4 || c->at[2] != 0x24)
		return op;
	if (c->at[1] == 0x64 && c->n == 4) {
		op.kind = STACK_MOVE;
		op.value = (s8)c->at[3];
	} else if (c->at[1] == 0xa4 && c->n == 7) {
		op.kind = STACK_MOVE;
		op.value = imm32(c->at + 3);
	}
	return op;
}

/* mov between rsp and another register, 64 bits: 89 /r (rm := reg), 8b /r (reg := rm) */
static struct stack_op mov(const struct core *c)
{
	struct stack_op op = { STACK_OTHER, 0, false, 0 };
	u8 reg, rm, to, from;

	if (!(c->rex & REX_W) || c->n != 2 || c->at[1] < 0xc0)
		return op;
	reg = (u8)((c->at[1] >> 3 & 7) | (c->rex & REX_R ? 8 : 0));
	rm = (u8)((c->at[1] & 7) | (c->rex & REX_B ? 8 : 0));
	to = c->at[0] == 0x89 ? rm : reg;
	from = c->at[0] == 0x89 ? reg : rm;
	if (from == RSP && to != RSP) {
		op.kind = STACK_COPY;
		op.reg = to;
	} else if (to == RSP && from == RBP) {
		op.kind = STACK_FROM_RBP;
	}
	return op;
}

static bool is_group(u8 opcode)
{
	static const u8 groups[] = { 0x80, 0x81, 0x83, 0x8f, 0xc0, 0xc1, 0xc6, 0xc7,
		                     0xd0, 0xd1, 0xd2, 0xd3, 0xd8, 0xd9, 0xda, 0xdb,
		                     0xdc, 0xdd, 0xde, 0xdf, 0xf6, 0xf7, 0xfe, 0xff };

	for (u32 i = 0; i < sizeof(groups); i++)
		if (opcode == groups[i])
			return true;
	return false;
}

/*
 * Could a register operand besides the memory operand's be rsp? In vector instructions the reg field of ModRM is a vector
 * register, in groups it is part of the opcode; VEX without vector registers (BMI) has a third operand: taken as yes.
 */
static bool reg_field_is_rsp(const struct insn *insn)
{
	u32 at = reencode_modrm_at(insn);
	u8 opcode = insn->bytes[insn->opcode_at];
	u8 before = insn->opcode_at ? insn->bytes[insn->opcode_at - 1] : 0;
	u8 rex = (before & REX_MASK) == REX ? before : 0;

	if (insn->use.vec || insn->def.vec || insn->use.mask || insn->def.mask)
		return false;
	if (!at || (!rex && at > insn->opcode_at + 3u))
		return true;
	for (u32 i = 0; i < insn->opcode_at; i++)
		if (insn->bytes[i] == 0xc4 || insn->bytes[i] == 0xc5)
			return true;
	if (opcode != 0x0f && is_group(opcode))
		return false;
	return (insn->bytes[at] >> 3 & 7) == RSP && !(rex & REX_R);
}

/* rsp is written by nothing but what is named above, and read as a base only. */
static bool is_operand(const struct insn *insn)
{
	if (insn->n_mem != 1 || insn->mem[0].base != RSP || insn->mem[0].index == RSP)
		return false;
	if ((insn->def.gpr & 1u << RSP) || (insn->flags & (INSN_STACK | INSN_OPAQUE | INSN_REP)))
		return false;
	return !reg_field_is_rsp(insn);
}

struct stack_op stack_op(const struct insn *insn)
{
	struct core c = strip(insn);
	struct stack_op op = { STACK_OTHER, 0, false, 0 };
	bool touches = (insn->use.gpr | insn->def.gpr) & 1u << RSP;

	for (u32 i = 0; i < insn->n_mem; i++)
		touches |= insn->mem[i].base == RSP || insn->mem[i].index == RSP;
	if (!touches && !(insn->flags & INSN_STACK)) {
		op.kind = STACK_NONE;
		return op;
	}
	if (c.plain) {
		switch (c.at[0]) {
		case 0x81:
		case 0x83:
			op = arithmetic(&c);
			break;
		case 0x8d:
			op = lea(&c);
			break;
		case 0x89:
		case 0x8b:
			op = mov(&c);
			break;
		case 0xc9:
			op.kind = STACK_LEAVE;
			break;
		default:
			op = push_or_pop(&c);
			break;
		}
	}
	if (op.kind == STACK_OTHER && is_operand(insn))
		op.kind = STACK_OPERAND;
	return op;
}
