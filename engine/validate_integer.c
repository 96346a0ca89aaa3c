/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * validate_integer.c - what integer instructions say of flags and values, over and above that they are functions.
 *
 * The flags of a comparison are those of its two operands, whatever instruction compares them; those of a logical operation are
 * the ones of its result against 0, and so are zero, sign and parity of a sum or a difference. Constants are values; what has its upper
 * bits cleared already is not changed by clearing them. Only forms of 8, 32 and 64 bits, without prefixes but REX.
 */
#include "validate_private.h"

#define REX_W 8
#define REX_R 4
#define REX_B 1

/* Bits of validator flags by their number in the machine: CF PF AF ZF SF DF OF. */
#define OF_RESULT (1u << 1 | 1u << 3 | 1u << 4)
#define OF_LOGIC (OF_RESULT | 1u << 0 | 1u << 6)
#define OF_COMPARISON (OF_LOGIC | 1u << 2)

struct form {
	const u8 *at; /* opcode */
	u8 rex, width, reg, rm;
	bool memory; /* rm is none */
	u32 left; /* bytes from the opcode on */
};

/* False: it has other prefixes. */
static bool form_of(const struct insn *insn, struct form *f)
{
	u32 i = 0;

	while (i < insn->opcode_at && insn->bytes[i] == 0x2e)
		i++;
	f->rex = i < insn->opcode_at ? insn->bytes[i++] : 0;
	f->at = insn->bytes + insn->opcode_at;
	f->left = insn->len - insn->opcode_at;
	if (i != insn->opcode_at || (f->rex && (f->rex & 0xf0) != 0x40) ||
	    insn->role != ROLE_PLAIN || (insn->flags & INSN_OPAQUE))
		return false;
	f->memory = insn->n_mem;
	f->width = f->rex & REX_W ? 64 : 32;
	f->reg = (u8)((f->at[1] >> 3 & 7) | (f->rex & REX_R ? 8 : 0));
	f->rm = (u8)((f->at[1] & 7) | (f->rex & REX_B ? 8 : 0));
	return true;
}

static s64 constant_at(const u8 *at, u32 n)
{
	s32 value;

	if (n == 1)
		return (s8)at[0];
	memcpy(&value, at, sizeof(value));
	return value;
}

static u32 constant(struct validator *v, s64 value, u8 width)
{
	return value_of(&v->values, 0,
	                width == 64 ? value : (s64)((u64)value & (((u64)1 << width) - 1)));
}

/* The lower `width` bits of a value, by which it is known in comparisons. */
static u32 operand(struct validator *v, u32 value, u8 width)
{
	struct sum sum = value_sum(&v->values, value);

	if (!sum.atom)
		return constant(v, sum.c, width);
	return width == 64 ? value : value_narrow(&v->values, value);
}

static void set_flags(struct validator *v, struct machine *m, u32 a, u32 b, u8 width, u32 which)
{
	struct node node = { .n = 4, .word = { NODE_COMPARE, width, a, b } };
	u32 number = node_number(&v->values, &node);

	for (u32 i = 0; i < N_FLAGS; i++)
		if (which >> i & 1)
			m->v[SLOT_FLAGS + i] = number << SLOT_BITS | (SLOT_FLAGS + i);
}

/* Do bytes named by a form of 8 bits belong to a register's lowest? */
static bool low_byte(const struct form *f, u8 reg)
{
	return f->rex || reg < 4;
}

/* cmp, test of a register with itself: 38 to 3d, 80, 81, 83 /7, 84, 85. */
static bool compares(struct validator *v, const struct machine *m, const struct form *f, u32 *a,
                     u32 *b, u8 *width)
{
	u8 opcode = f->at[0], rm = f->rm, other = f->reg;
	bool byte = !(opcode & 1), by_constant = false;

	*width = byte ? 8 : f->width;
	switch (opcode) {
	case 0x38:
	case 0x39:
		break;
	case 0x3a:
	case 0x3b:
		rm = f->reg;
		other = f->rm;
		break;
	case 0x3c:
	case 0x3d:
		rm = 0;
		by_constant = true;
		break;
	case 0x80:
	case 0x81:
	case 0x83:
		if ((f->at[1] >> 3 & 7) != 7)
			return false;
		by_constant = true;
		break;
	case 0x84:
	case 0x85:
		if (f->reg != f->rm || (byte && !low_byte(f, rm)))
			return false;
		*a = operand(v, m->v[rm], *width);
		*b = constant(v, 0, *width);
		return true;
	default:
		return false;
	}
	if (byte && (!low_byte(f, rm) || (!by_constant && !low_byte(f, other))))
		return false;
	*a = operand(v, m->v[rm], *width);
	if (by_constant) {
		u32 n = byte || opcode == 0x83 ? 1 : 4;

		*b = constant(v, constant_at(f->at + f->left - n, n), *width);
	} else {
		*b = operand(v, m->v[other], *width);
	}
	return true;
}

/* Of which flags does the result in *reg tell, 32 or 64 bits? add or and sub xor, inc, dec: of which AF is none. */
static u32 flags_of_result(const struct form *f, u8 *reg)
{
	static const u32 told[] = { OF_RESULT, OF_LOGIC, 0, 0, OF_LOGIC, OF_RESULT, OF_LOGIC, 0 };
	u8 opcode = f->at[0], group = f->at[1] >> 3 & 7;

	*reg = f->rm;
	if (opcode < 0x40 && (opcode & 1)) {
		if ((opcode & 7) == 3)
			*reg = f->reg;
		else if ((opcode & 7) == 5)
			*reg = 0;
		return (opcode & 7) == 3 || ((opcode & 7) <= 5 && !f->memory) ? told[opcode >> 3]
		                                                              : 0;
	}
	if (f->memory)
		return 0;
	if (opcode == 0x81 || opcode == 0x83)
		return told[group];
	if (opcode == 0xff && group <= 1)
		return OF_RESULT;
	if ((opcode == 0xc1 && group == 5 && f->at[2] & (f->width - 1)) ||
	    (opcode == 0xd1 && group == 5))
		return OF_RESULT;
	return 0;
}

void integer_flags(struct validator *v, struct machine *m, const struct insn *insn)
{
	struct form f;
	u32 a, b, which;
	u8 width, reg;

	if (!insn->flags_def || !form_of(insn, &f))
		return;
	if (!f.memory && compares(v, m, &f, &a, &b, &width)) {
		set_flags(v, m, a, b, width, f.at[0] >= 0x84 ? OF_LOGIC : OF_COMPARISON);
		return;
	}
	which = flags_of_result(&f, &reg);
	if (which)
		set_flags(v, m, operand(v, m->v[reg], f.width), constant(v, 0, f.width), f.width,
		          which);
}

/* add, sub of a constant to eax's whole register: 48 05, 48 2d; inc, dec: 48 ff /0, /1. */
static bool adds(const struct form *f, u8 *reg, s64 *c)
{
	u8 opcode = f->at[0], group = f->at[1] >> 3 & 7;

	*reg = f->rm;
	if (f->width != 64)
		return false;
	if (opcode == 0xff && group <= 1) {
		*c = group ? -1 : 1;
		return true;
	}
	if (opcode != 0x05 && opcode != 0x2d)
		return false;
	*reg = 0;
	*c = constant_at(f->at + 1, 4);
	*c = opcode == 0x2d ? -*c : *c;
	return true;
}

/* mov of a constant: b8 to bf, c7 /0. */
static bool is_constant(const struct form *f, u8 *reg, s64 *c)
{
	u8 opcode = f->at[0];

	*reg = f->rm;
	if (opcode == 0xc7 && !(f->at[1] & 0x38)) {
		*c = constant_at(f->at + f->left - 4, 4);
		return true;
	}
	if ((opcode & 0xf8) != 0xb8)
		return false;
	*reg = (u8)((opcode & 7) | (f->rex & REX_B ? 8 : 0));
	if (f->left == 9)
		memcpy(c, f->at + 1, sizeof(*c));
	else
		*c = constant_at(f->at + 1, 4);
	return true;
}

/* Sums and moves of constants, xor and sub of a register with itself, zero extension of what is extended. */
bool integer_value(struct validator *v, const struct machine *m, const struct insn *insn, u8 *reg,
                   u32 *value)
{
	struct form f;
	u8 opcode;
	s64 c;

	if (!form_of(insn, &f) || f.memory)
		return false;
	opcode = f.at[0];
	if (is_constant(&f, reg, &c)) {
		*value = constant(v, c, f.width);
		return true;
	}
	if (adds(&f, reg, &c)) {
		*value = value_plus(&v->values, m->v[*reg], c);
		return true;
	}
	if ((opcode == 0x31 || opcode == 0x33 || opcode == 0x29 || opcode == 0x2b) &&
	    f.reg == f.rm) {
		*reg = f.rm;
		*value = constant(v, 0, 64);
		return true;
	}
	if (opcode == 0x0f && (f.at[1] == 0xb6 || f.at[1] == 0xb7)) {
		u8 from = (u8)((f.at[2] & 7) | (f.rex & REX_B ? 8 : 0));

		*reg = (u8)((f.at[2] >> 3 & 7) | (f.rex & REX_R ? 8 : 0));
		*value = m->v[from];
		return (f.at[1] == 0xb7 || low_byte(&f, from)) &&
		       range_most(&v->values, *value) <= (f.at[1] == 0xb6 ? 0xffu : 0xffffu);
	}
	return false;
}
