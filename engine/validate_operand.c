/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * validate_operand.c - which registers an instruction names does not matter, only what is in them.
 *
 * For the integer instructions below, whose only operands are those of ModRM and a constant, the operation is the bytes without
 * the numbers of registers; what is read from each field follows in the order of the fields. So an instruction that reads a copy is
 * the one that reads the original. An operand of 32 bits or less is the same whether or not its upper half has been cleared.
 */
#include "validate_private.h"

#define REX 0x40
#define REX_W 8
#define REX_R 4
#define REX_X 2
#define REX_B 1
#define MODRM_GROUP 0x38 /* the middle field is part of the opcode */

/* Bits of the registers in the two fields; 0: the field is none. */
struct widths {
	u8 reg, rm;
};

static struct widths one_byte(u8 opcode, u8 kind, u8 size)
{
	u8 width = opcode & 1 ? size : 8;

	switch (opcode) {
	case 0x00 ... 0x03:
	case 0x08 ... 0x0b:
	case 0x10 ... 0x13:
	case 0x18 ... 0x1b:
	case 0x20 ... 0x23:
	case 0x28 ... 0x2b:
	case 0x30 ... 0x33:
	case 0x38 ... 0x3b: /* arithmetic */
	case 0x84:
	case 0x85: /* test */
	case 0x88 ... 0x8b: /* mov */
		return (struct widths){ width, width };
	case 0x63: /* movsxd */
		return (struct widths){ size, size == 64 ? 32 : 0 };
	case 0x69:
	case 0x6b: /* imul */
		return (struct widths){ size, size };
	case 0x8d: /* lea */
		return (struct widths){ size, 64 };
	case 0xc6:
	case 0xc7: /* mov of a constant */
		return (struct widths){ 0, kind == 0 ? width : 0 };
	case 0x80:
	case 0x81:
	case 0x83: /* arithmetic with a constant */
	case 0xc0:
	case 0xc1: /* shifts and rotations by one */
		return (struct widths){ 0, width };
	case 0xf6:
	case 0xf7: /* test, not, neg; the others have operands of their own */
		return (struct widths){ 0, kind <= 3 ? width : 0 };
	case 0xfe:
	case 0xff: /* inc, dec */
		return (struct widths){ 0, kind <= 1 ? width : 0 };
	default:
		return (struct widths){ 0, 0 };
	}
}

static struct widths two_bytes(u8 opcode, u8 size)
{
	switch (opcode) {
	case 0x40 ... 0x4f: /* cmov */
	case 0xaf: /* imul */
		return (struct widths){ size, size };
	case 0xb6:
	case 0xbe: /* movzx, movsx */
		return (struct widths){ size, 8 };
	case 0xb7:
	case 0xbf:
		return (struct widths){ size, 16 };
	default:
		return (struct widths){ 0, 0 };
	}
}

/* Prefixes that say nothing, segments, which stay part of the operation, and 66. */
static bool read_prefixes(const struct insn *insn, struct operands *o, u8 *size)
{
	u32 i = 0;

	*size = 32;
	for (; i < insn->opcode_at; i++) {
		u8 byte = insn->bytes[i];

		if (byte == 0x66)
			*size = 16;
		else if (byte != 0x2e && byte != 0x3e && byte != 0x26 && byte != 0x36 &&
		         byte != 0x64 && byte != 0x65)
			break;
	}
	o->prefixes = i;
	if (i < insn->opcode_at && (insn->bytes[i] & 0xf0) == REX)
		o->rex = insn->bytes[i++];
	if (o->rex & REX_W)
		*size = 64;
	return i == insn->opcode_at;
}

/* Is a register of 8 bits one of ah, ch, dh, bh? */
static bool is_high(const struct operands *o, u8 width, u8 number)
{
	return width == 8 && !o->rex && (number & 4);
}

bool operands_of(const struct insn *insn, struct operands *o)
{
	const u8 *opcode = insn->bytes + insn->opcode_at;
	struct widths w;
	u8 size, modrm;

	*o = (struct operands){ 0 };
	if ((insn->flags & (INSN_OPAQUE | INSN_LOCKED | INSN_REP | INSN_STACK)) ||
	    !read_prefixes(insn, o, &size))
		return false;
	o->modrm_at = insn->opcode_at + (opcode[0] == 0x0f ? 2u : 1u);
	if (o->modrm_at >= insn->len)
		return false;
	modrm = insn->bytes[o->modrm_at];
	w = opcode[0] == 0x0f ? two_bytes(opcode[1], size)
	                      : one_byte(opcode[0], modrm >> 3 & 7, size);
	if (!w.rm)
		return false;
	o->memory = modrm < 0xc0;
	o->reg_width = w.reg;
	o->rm_width = o->memory ? 0 : w.rm;
	if (is_high(o, o->reg_width, modrm >> 3) || is_high(o, o->rm_width, modrm))
		return false;
	o->reg = (u8)((modrm >> 3 & 7) | (o->rex & REX_R ? 8 : 0));
	o->rm = (u8)((modrm & 7) | (o->rex & REX_B ? 8 : 0));
	return true;
}

/* Bytes behind ModRM that belong to the address. */
static u32 address_bytes(const u8 *modrm, u32 left)
{
	bool sib = (modrm[0] & 7) == 4;

	if (modrm[0] >= 0xc0 || (sib && left < 2))
		return 0;
	switch (modrm[0] >> 6) {
	case 0:
		return sib + ((modrm[0] & 7) == 5 || (sib && (modrm[1] & 7) == 5) ? 4u : 0u);
	case 1:
		return sib + 1u;
	default:
		return sib + 4u;
	}
}

u32 operands_operation(const struct insn *insn, const struct operands *o, u8 *bytes)
{
	const u8 *modrm = insn->bytes + o->modrm_at;
	u32 n = o->prefixes, opcode = o->modrm_at - insn->opcode_at, tail;

	memcpy(bytes, insn->bytes, n);
	bytes[n++] = o->rex & REX_W;
	memcpy(bytes + n, insn->bytes + insn->opcode_at, opcode);
	n += opcode;
	bytes[n++] = (u8)((o->memory ? 0 : 0xc0) | (o->reg_width ? 0 : modrm[0] & MODRM_GROUP));
	tail = o->modrm_at + 1 + address_bytes(modrm, insn->len - o->modrm_at);
	if (tail < insn->len) {
		memcpy(bytes + n, insn->bytes + tail, insn->len - tail);
		n += insn->len - tail;
	}
	return n;
}

/* Fields whose old value is of no meaning if the register is replaced wholly: of moves, extensions, lea, imul by a constant. */
static bool only_writes(const struct insn *insn, bool rm)
{
	const u8 *opcode = insn->bytes + insn->opcode_at;

	switch (opcode[0]) {
	case 0x0f:
		return !rm && opcode[1] >= 0xb6;
	case 0x63:
	case 0x69:
	case 0x6b:
	case 0x8a:
	case 0x8b:
	case 0x8d:
		return !rm;
	case 0x88:
	case 0x89:
	case 0xc6:
	case 0xc7:
		return rm;
	default:
		return false;
	}
}

/* What is read of a register; of one that is written in part all of it. */
static void add_value(struct validator *v, const struct machine *m, const struct insn *insn, u8 reg,
                      u8 width, bool only_written)
{
	u32 value = m->v[SLOT_GPR + reg];
	bool whole = insn->full.gpr >> reg & 1;
	bool all = width == 64 || (width < 32 && !whole && (insn->def.gpr >> reg & 1));

	if (!width || !(insn->gpr_values >> reg & 1) || (only_written && whole))
		return;
	node_add(v->node, all ? value : value_narrow(&v->values, value));
}

void operands_add(struct validator *v, const struct machine *m, const struct insn *insn,
                  const struct operands *o)
{
	add_value(v, m, insn, o->reg, o->reg_width, only_writes(insn, false));
	add_value(v, m, insn, o->rm, o->rm_width, only_writes(insn, true));
}
