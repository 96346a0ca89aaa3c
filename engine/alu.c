/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * alu.c - see alu.h. Opcodes: SDM volume 2, appendix A (tables ).
 */
#include "alu.h"

#define REX 0x40
#define REX_W 8
#define REX_R 4
#define REX_B 1

enum shape {
	RM_REG = 1, /* first operand in rm, second in reg */
	REG_RM,
	RM_IMM, /* constant of the operand's width, 32 bits at most */
	RM_IMM8, /* constant of 8 bits */
	ACC_IMM, /* al, eax or rax and a constant */
	RM_ONE, /* and 1 */
	REG_ONLY, /* makes .reg of whatever */
	RM_ONLY,
	LOW_IMM, /* the register is in the opcode */
};

/* A row for each opcode; group: the middle field of ModRM, 8: any. */
struct row {
	u8 opcode, group, op, shape;
};

/* The eight columns of 00 to 3f are made by arithmetic(). */
static const struct row one_byte[] = {
	{ 0x80, 0, ALU_ADD, RM_IMM8 },    { 0x80, 1, ALU_OR, RM_IMM8 },
	{ 0x80, 4, ALU_AND, RM_IMM8 },    { 0x80, 5, ALU_SUB, RM_IMM8 },
	{ 0x80, 6, ALU_XOR, RM_IMM8 },    { 0x80, 7, ALU_CMP, RM_IMM8 },
	{ 0x81, 0, ALU_ADD, RM_IMM },     { 0x81, 1, ALU_OR, RM_IMM },
	{ 0x81, 2, ALU_OTHER, RM_ONLY },  { 0x81, 3, ALU_OTHER, RM_ONLY },
	{ 0x81, 4, ALU_AND, RM_IMM },     { 0x81, 5, ALU_SUB, RM_IMM },
	{ 0x81, 6, ALU_XOR, RM_IMM },     { 0x81, 7, ALU_CMP, RM_IMM },
	{ 0x83, 0, ALU_ADD, RM_IMM8 },    { 0x83, 1, ALU_OR, RM_IMM8 },
	{ 0x83, 2, ALU_OTHER, RM_ONLY },  { 0x83, 3, ALU_OTHER, RM_ONLY },
	{ 0x83, 4, ALU_AND, RM_IMM8 },    { 0x83, 5, ALU_SUB, RM_IMM8 },
	{ 0x83, 6, ALU_XOR, RM_IMM8 },    { 0x83, 7, ALU_CMP, RM_IMM8 },
	{ 0x84, 8, ALU_TEST, RM_REG },    { 0x85, 8, ALU_TEST, RM_REG },
	{ 0x88, 8, ALU_MOVE, RM_REG },    { 0x89, 8, ALU_MOVE, RM_REG },
	{ 0x8a, 8, ALU_MOVE, REG_RM },    { 0x8b, 8, ALU_MOVE, REG_RM },
	{ 0xc6, 0, ALU_MOVE, RM_IMM8 },   { 0xc7, 0, ALU_MOVE, RM_IMM },
	{ 0x63, 8, ALU_OTHER, REG_ONLY }, { 0x69, 8, ALU_OTHER, REG_ONLY },
	{ 0x6b, 8, ALU_OTHER, REG_ONLY }, { 0x8d, 8, ALU_LEA, REG_RM },
	{ 0xc1, 4, ALU_OTHER, RM_ONLY },  { 0xc1, 5, ALU_SHR, RM_IMM8 },
	{ 0xc1, 7, ALU_OTHER, RM_ONLY },  { 0xd1, 4, ALU_OTHER, RM_ONLY },
	{ 0xd1, 5, ALU_SHR, RM_ONE },     { 0xd1, 7, ALU_OTHER, RM_ONLY },
	{ 0xf7, 2, ALU_OTHER, RM_ONLY },  { 0xf7, 3, ALU_OTHER, RM_ONLY },
	{ 0xfe, 0, ALU_ADD, RM_ONE },     { 0xfe, 1, ALU_SUB, RM_ONE },
	{ 0xff, 0, ALU_ADD, RM_ONE },     { 0xff, 1, ALU_SUB, RM_ONE },
};

static const struct row two_bytes[] = {
	{ 0xaf, 8, ALU_OTHER, REG_ONLY },     { 0xb6, 8, ALU_ZERO_EXTEND, REG_RM },
	{ 0xb7, 8, ALU_ZERO_EXTEND, REG_RM }, { 0xbe, 8, ALU_OTHER, REG_ONLY },
	{ 0xbf, 8, ALU_OTHER, REG_ONLY },
};

static bool find(const struct row *rows, u32 n, u8 opcode, u8 group, struct row *out)
{
	for (u32 i = 0; i < n; i++) {
		if (rows[i].opcode != opcode || (rows[i].group != 8 && rows[i].group != group))
			continue;
		*out = rows[i];
		return true;
	}
	return false;
}

/* add or adc sbb and sub xor cmp, six columns each: 00 to 3d. */
static bool arithmetic(u8 opcode, struct row *out)
{
	static const u8 ops[] = { ALU_ADD, ALU_OR,  ALU_OTHER, ALU_OTHER,
		                  ALU_AND, ALU_SUB, ALU_XOR,   ALU_CMP };
	static const u8 shapes[8] = { RM_REG, RM_REG, REG_RM, REG_RM, ACC_IMM, ACC_IMM };

	if (opcode >= 0x40 || !shapes[opcode & 7])
		return false;
	*out = (struct row){ opcode, 8, ops[opcode >> 3 & 7], shapes[opcode & 7] };
	return true;
}

static bool row_of(const struct insn *insn, struct row *row)
{
	const u8 *op = insn->bytes + insn->opcode_at;
	u8 group = op[0] == 0x0f ? 8 : op[1] >> 3 & 7;

	if (op[0] == 0x0f && (op[1] & 0xf0) == 0x40) { /* cmov */
		*row = (struct row){ op[1], 8, ALU_OTHER, REG_ONLY };
		return true;
	}
	if (op[0] == 0x0f)
		return find(two_bytes, sizeof(two_bytes) / sizeof(*two_bytes), op[1], group, row);
	if ((op[0] & 0xf0) == 0xb0) {
		*row = (struct row){ op[0], 8, ALU_MOVE, LOW_IMM };
		return true;
	}
	if (op[0] == 0xa8 || op[0] == 0xa9) {
		*row = (struct row){ op[0], 8, ALU_TEST, ACC_IMM };
		return true;
	}
	return arithmetic(op[0], row) ||
	       find(one_byte, sizeof(one_byte) / sizeof(*one_byte), op[0], group, row);
}

/* 2e, which says nothing, and REX; false if there are other prefixes, such as 66 of 16-bit operands. */
static bool read_prefixes(const struct insn *insn, u8 *rex)
{
	u32 i = 0;

	*rex = 0;
	while (i < insn->opcode_at && insn->bytes[i] == 0x2e)
		i++;
	if (i < insn->opcode_at && (insn->bytes[i] & 0xf0) == REX)
		*rex = insn->bytes[i++];
	return i == insn->opcode_at;
}

static u64 constant_of(const struct insn *insn, u32 n)
{
	const u8 *at = insn->bytes + insn->len - n;
	s64 value = (s8)at[0];
	s32 wide;

	if (n == 8) {
		memcpy(&value, at, sizeof(value));
	} else if (n == 4) {
		memcpy(&wide, at, sizeof(wide));
		value = wide;
	}
	return (u64)value;
}

/* Bytes of the constant at the end; 0: there is none. */
static u32 constant_size(const struct row *row, u8 width, u8 rex)
{
	switch (row->shape) {
	case RM_IMM8:
		return 1;
	case RM_IMM:
	case ACC_IMM:
		return width == 64 ? 4 : width / 8u;
	case LOW_IMM:
		return width == 64 && (rex & REX_W) ? 8 : width / 8u;
	default:
		return 0;
	}
}

static bool is_byte_reg_high(u8 width, u8 rex, u8 reg)
{
	return width == 8 && !rex && reg != ALU_NO_REG && reg >= 4;
}

static void set_operands(struct alu *alu, const struct row *row, const struct insn *insn, u8 rex)
{
	const u8 *op = insn->bytes + insn->opcode_at;
	u8 modrm = op[op[0] == 0x0f ? 2 : 1];
	u8 reg = (u8)((modrm >> 3 & 7) | (rex & REX_R ? 8 : 0));
	u8 rm = modrm < 0xc0 ? (u8)ALU_NO_REG : (u8)((modrm & 7) | (rex & REX_B ? 8 : 0));

	alu->to = rm;
	alu->from = ALU_NO_REG;
	switch (row->shape) {
	case RM_REG:
		alu->from = reg;
		break;
	case REG_RM:
		alu->to = reg;
		alu->from = rm;
		break;
	case REG_ONLY:
		alu->to = reg;
		break;
	case ACC_IMM:
		alu->to = 0;
		break;
	case LOW_IMM:
		alu->to = (u8)((op[0] & 7) | (rex & REX_B ? 8 : 0));
		break;
	default:
		break;
	}
}

static void set_address(struct alu *alu, const struct insn *insn)
{
	const struct insn_mem *mem = &insn->mem[0];

	if (!insn->n_mem || mem->index != MEM_NO_REG || mem->base == MEM_NO_REG) {
		alu->op = ALU_OTHER;
		return;
	}
	alu->from = mem->base;
	alu->constant = true;
	alu->value = (u64)mem->disp;
}

static const struct alu none = { .to = ALU_NO_REG, .from = ALU_NO_REG };

struct alu alu_of(const struct insn *insn)
{
	const u8 *op = insn->bytes + insn->opcode_at;
	struct alu alu = none;
	struct row row;
	u32 n;
	u8 rex;

	if (insn->role != ROLE_PLAIN ||
	    (insn->flags & (INSN_OPAQUE | INSN_LOCKED | INSN_REP | INSN_STACK)) ||
	    !read_prefixes(insn, &rex) || !row_of(insn, &row))
		return none;
	alu.op = row.op;
	alu.width = rex & REX_W ? 64 : 32;
	if (op[0] == 0x0f)
		alu.from_width = op[1] == 0xb6 ? 8 : 16;
	else if (row.shape == LOW_IMM ? op[0] < 0xb8 : !(op[0] & 1))
		alu.width = 8;
	set_operands(&alu, &row, insn, rex);
	n = constant_size(&row, alu.width, rex);
	alu.constant = n || row.shape == RM_ONE;
	alu.value = (n ? constant_of(insn, n) : 1) & alu_mask(alu.width);
	if (is_byte_reg_high(alu.width, rex, alu.to) ||
	    is_byte_reg_high(alu.width, rex, alu.from) ||
	    (alu.op == ALU_ZERO_EXTEND && is_byte_reg_high(alu.from_width, rex, alu.from)))
		return none;
	if (alu.op == ALU_SHR) {
		alu.value &= alu.width - 1u;
		return alu.value && alu.width >= 32 ? alu : none;
	}
	if (alu.op == ALU_LEA)
		set_address(&alu, insn);
	return alu;
}
