// SPDX-License-Identifier: MIT
/*
 * same_code_moves.c - finds instructions that changed places, and proves from their
 * bytes that it makes no difference (same_code.h).
 *
 * One instruction may pass up to MOST_PASSED others in front of it, if all of them only
 * compute in general registers and flags, without memory, the stack pointer or a
 * relocation, and none writes what the one that moves reads or writes, nor the other
 * way round. The compiler decides by LLVM's tables, this file by Zydis'.
 */
#include "same_code.h"

#include <Zydis/Zydis.h>
#include <string.h>

#define MOST_PASSED 3

struct effects {
	uint32_t reads, writes; /* a bit for each general register, one for the flags */
};

#define FLAGS (1u << 16)

static bool add_register(struct effects *e, ZydisRegister reg, bool read, bool write)
{
	ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
	uint32_t bit;

	if (reg == ZYDIS_REGISTER_NONE)
		return true;
	if (ZydisRegisterGetClass(reg) == ZYDIS_REGCLASS_FLAGS)
		bit = FLAGS;
	else if (ZydisRegisterGetClass(whole) == ZYDIS_REGCLASS_GPR64 &&
	         whole != ZYDIS_REGISTER_RSP)
		bit = 1u << ZydisRegisterGetId(whole);
	else
		return false;
	e->reads |= read ? bit : 0;
	e->writes |= write ? bit : 0;
	return true;
}

static bool add_operand(struct effects *e, const ZydisDecodedOperand *op)
{
	switch (op->type) {
	case ZYDIS_OPERAND_TYPE_REGISTER:
		return add_register(e, op->reg.value, op->actions & ZYDIS_OPERAND_ACTION_MASK_READ,
		                    op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE);
	case ZYDIS_OPERAND_TYPE_MEMORY:
		return op->mem.type == ZYDIS_MEMOP_TYPE_AGEN && /* lea */
		       add_register(e, op->mem.base, true, false) &&
		       add_register(e, op->mem.index, true, false);
	case ZYDIS_OPERAND_TYPE_IMMEDIATE:
		return !op->imm.is_relative;
	default:
		return false;
	}
}

/* Mnemonics that are known to do nothing else. */
static bool harmless(ZydisMnemonic m)
{
	switch (m) {
	case ZYDIS_MNEMONIC_MOV:
	case ZYDIS_MNEMONIC_MOVZX:
	case ZYDIS_MNEMONIC_MOVSX:
	case ZYDIS_MNEMONIC_MOVSXD:
	case ZYDIS_MNEMONIC_LEA:
	case ZYDIS_MNEMONIC_ADD:
	case ZYDIS_MNEMONIC_SUB:
	case ZYDIS_MNEMONIC_AND:
	case ZYDIS_MNEMONIC_OR:
	case ZYDIS_MNEMONIC_XOR:
	case ZYDIS_MNEMONIC_CMP:
	case ZYDIS_MNEMONIC_TEST:
	case ZYDIS_MNEMONIC_INC:
	case ZYDIS_MNEMONIC_DEC:
	case ZYDIS_MNEMONIC_NEG:
	case ZYDIS_MNEMONIC_NOT:
	case ZYDIS_MNEMONIC_SHL:
	case ZYDIS_MNEMONIC_SHR:
	case ZYDIS_MNEMONIC_SAR:
	case ZYDIS_MNEMONIC_SHLD:
	case ZYDIS_MNEMONIC_SHRD:
	case ZYDIS_MNEMONIC_IMUL:
	case ZYDIS_MNEMONIC_BT:
	case ZYDIS_MNEMONIC_BTS:
	case ZYDIS_MNEMONIC_BTR:
	case ZYDIS_MNEMONIC_BTC:
	case ZYDIS_MNEMONIC_BSWAP:
		return true;
	default:
		return (m >= ZYDIS_MNEMONIC_CMOVB && m <= ZYDIS_MNEMONIC_CMOVZ) ||
		       (m >= ZYDIS_MNEMONIC_SETB && m <= ZYDIS_MNEMONIC_SETZ);
	}
}

static bool effects_of(const struct part *s, const struct insn *i, struct effects *e)
{
	ZydisDecoder decoder;
	ZydisDecodedInstruction z;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];

	if (i->bare || i->field || i->int3 || reloc_in(s, i->at, i->at + i->length))
		return false;
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, s->bytes + i->at, i->length, &z, op)) ||
	    !harmless(z.mnemonic))
		return false;
	for (unsigned k = 0; k < z.operand_count; k++)
		if (!add_operand(e, &op[k]))
			return false;
	return true;
}

/* Equal but for prefixes that b has more than a. */
static bool same(const struct part *s, const struct part *t, const struct insn *a,
                 const struct insn *b)
{
	int added = b->extra - a->extra;

	return !a->bare && !b->bare && added >= 0 && a->length + added == b->length &&
	       !memcmp(s->bytes + a->at, t->bytes + b->at + added, a->length);
}

/* Has instruction i + n of s come in front of those from i on, in t? */
static bool came_in_front(const struct part *s, const struct part *t, size_t i, size_t n)
{
	if (i + n >= s->n_insns || i + n >= t->n_insns ||
	    !same(s, t, &s->insns[i + n], &t->insns[i]))
		return false;
	for (size_t k = 0; k < n; k++)
		if (!same(s, t, &s->insns[i + k], &t->insns[i + 1 + k]) ||
		    s->insns[i + k].length != t->insns[i + 1 + k].length)
			return false;
	return true;
}

size_t moved_from(const struct part *s, const struct part *t, size_t i)
{
	if (same(s, t, &s->insns[i], &t->insns[i]))
		return 0;
	for (size_t n = 1; n <= MOST_PASSED; n++)
		if (came_in_front(s, t, i, n))
			return n;
	return 0;
}

bool may_move(const struct part *s, size_t i, size_t n)
{
	struct effects moved = { 0 }, passed = { 0 };

	if (!effects_of(s, &s->insns[i + n], &moved))
		return false;
	for (size_t k = 0; k < n; k++)
		if (!effects_of(s, &s->insns[i + k], &passed))
			return false;
	return !(moved.writes & (passed.reads | passed.writes)) && !(moved.reads & passed.writes);
}
