/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * result.c - see result.h. Forms and fields: SDM volume 2, 2.1.3 to 2.2.1.3 and the instructions' pages. A unit test executes each
 * form beside the processor. Invariant: what is not recognized to its last byte is not executed.
 */
#include "result.h"

#define RSP 4
#define REX_W 8
#define REX_R 4
#define REX_X 2
#define REX_B 1
#define NO_INDEX 4

struct form {
	const u8 *at; /* what is left to read */
	u32 left;
	u64 *gpr;
	u8 rex, reg, rm;
	bool has_rex, ok, wide;
	u8 to; /* where the result goes */
	u64 made;
};

static u8 next(struct form *f)
{
	if (!f->left) {
		f->ok = false;
		return 0;
	}
	f->left--;
	return *f->at++;
}

static u64 immediate(struct form *f, u32 n)
{
	u64 value = 0;

	for (u32 i = 0; i < n; i++)
		value |= (u64)next(f) << 8 * i;
	return n == 1 ? (u64)(s64)(s8)value : (u64)(s64)(s32)value;
}

/* A register operand; rsp is none here. */
static u64 get(struct form *f, u8 reg)
{
	f->ok &= reg != RSP;
	return f->gpr[reg];
}

static u64 size_of(const struct form *f, u64 value)
{
	return f->wide ? value : (u32)value;
}

/* ModRM of two registers. */
static void registers(struct form *f)
{
	u8 modrm = next(f);

	f->ok &= modrm >= 0xc0;
	f->reg = (u8)((modrm >> 3 & 7) | (f->rex & REX_R ? 8 : 0));
	f->rm = (u8)((modrm & 7) | (f->rex & REX_B ? 8 : 0));
}

static void make(struct form *f, u8 to, u64 value)
{
	f->to = to;
	f->made = value;
}

/* The eight of 00 to 3f and of group 1; adc, sbb and cmp are none of ours. */
static void arithmetic(struct form *f, u8 kind, u8 to, u64 b)
{
	u64 a = get(f, to);

	switch (kind) {
	case 0:
		make(f, to, a + b);
		return;
	case 1:
		make(f, to, a | b);
		return;
	case 4:
		make(f, to, a & b);
		return;
	case 5:
		make(f, to, a - b);
		return;
	case 6:
		make(f, to, a ^ b);
		return;
	default:
		f->ok = false;
		return;
	}
}

static void shift(struct form *f, u8 kind, u8 by)
{
	u64 a = get(f, f->rm);

	by &= f->wide ? 63 : 31;
	switch (kind) {
	case 4:
		make(f, f->rm, a << by);
		return;
	case 5:
		make(f, f->rm, size_of(f, a) >> by);
		return;
	case 7:
		make(f, f->rm, f->wide ? (u64)((s64)a >> by) : (u64)(s64)((s32)a >> by));
		return;
	default:
		f->ok = false;
		return;
	}
}

/* Of a byte operand: without rex 4 to 7 are ah to bh. */
static u8 low_byte(struct form *f)
{
	f->ok &= f->has_rex || f->rm < 4;
	return (u8)get(f, f->rm);
}

/* lea: base, index and displacement; not relative to rip. */
static void address(struct form *f)
{
	u8 modrm = next(f), mod = modrm >> 6, sib;
	u8 base = (u8)((modrm & 7) | (f->rex & REX_B ? 8 : 0)), index;
	bool no_base = false;
	u64 sum = 0;

	f->reg = (u8)((modrm >> 3 & 7) | (f->rex & REX_R ? 8 : 0));
	f->ok &= mod != 3 && !(mod == 0 && (modrm & 7) == 5);
	if ((modrm & 7) == 4) {
		sib = next(f);
		base = (u8)((sib & 7) | (f->rex & REX_B ? 8 : 0));
		index = (u8)((sib >> 3 & 7) | (f->rex & REX_X ? 8 : 0));
		no_base = mod == 0 && (sib & 7) == 5;
		if (index != NO_INDEX)
			sum = f->gpr[index] << (sib >> 6);
	}
	if (!no_base)
		sum += get(f, base);
	if (mod == 1)
		sum += immediate(f, 1);
	else if (mod == 2 || no_base)
		sum += immediate(f, 4);
	make(f, f->reg, sum);
}

static void group(struct form *f, u8 opcode)
{
	u8 kind;

	registers(f);
	kind = f->reg & 7;
	switch (opcode) {
	case 0x81:
	case 0x83:
		arithmetic(f, kind, f->rm, immediate(f, opcode == 0x83 ? 1 : 4));
		return;
	case 0xc1:
		shift(f, kind, next(f));
		return;
	case 0xd1:
		shift(f, kind, 1);
		return;
	case 0xc7:
		f->ok &= kind == 0;
		make(f, f->rm, immediate(f, 4));
		return;
	case 0xf7:
		f->ok &= kind == 2 || kind == 3;
		make(f, f->rm, kind == 2 ? ~get(f, f->rm) : -get(f, f->rm));
		return;
	default: /* ff */
		f->ok &= kind <= 1;
		make(f, f->rm, get(f, f->rm) + (kind ? ~(u64)0 : 1));
		return;
	}
}

static void long_opcode(struct form *f)
{
	u8 opcode = next(f);

	registers(f);
	switch (opcode) {
	case 0xaf:
		make(f, f->reg, get(f, f->reg) * get(f, f->rm));
		return;
	case 0xb6:
		make(f, f->reg, low_byte(f));
		return;
	case 0xb7:
		make(f, f->reg, (u16)get(f, f->rm));
		return;
	case 0xbe:
		make(f, f->reg, (u64)(s64)(s8)low_byte(f));
		return;
	case 0xbf:
		make(f, f->reg, (u64)(s64)(s16)get(f, f->rm));
		return;
	default:
		f->ok = false;
		return;
	}
}

static void two_registers(struct form *f, u8 opcode)
{
	registers(f);
	switch (opcode) {
	case 0x63:
		f->ok &= f->wide;
		make(f, f->reg, (u64)(s64)(s32)get(f, f->rm));
		return;
	case 0x69:
	case 0x6b:
		make(f, f->reg, get(f, f->rm) * immediate(f, opcode == 0x6b ? 1 : 4));
		return;
	case 0x89:
		make(f, f->rm, get(f, f->reg));
		return;
	case 0x8b:
		make(f, f->reg, get(f, f->rm));
		return;
	default: /* 00 to 3f, the last three bits 1 or 3 */
		if (opcode & 2)
			arithmetic(f, opcode >> 3, f->reg, get(f, f->rm));
		else
			arithmetic(f, opcode >> 3, f->rm, get(f, f->reg));
		return;
	}
}

static void one_opcode(struct form *f)
{
	u8 opcode = next(f);

	switch (opcode) {
	case 0x0f:
		long_opcode(f);
		return;
	case 0x8d:
		address(f);
		return;
	case 0x98:
		make(f, 0, f->wide ? (u64)(s64)(s32)f->gpr[0] : (u64)(s64)(s16)f->gpr[0]);
		return;
	case 0xb8 ... 0xbf:
		f->ok &= !f->wide;
		make(f, (u8)((opcode & 7) | (f->rex & REX_B ? 8 : 0)), immediate(f, 4));
		return;
	case 0x81:
	case 0x83:
	case 0xc1:
	case 0xc7:
	case 0xd1:
	case 0xf7:
	case 0xff:
		group(f, opcode);
		return;
	case 0x63:
	case 0x69:
	case 0x6b:
	case 0x89:
	case 0x8b:
		two_registers(f, opcode);
		return;
	default:
		if (opcode < 0x40 && ((opcode & 7) == 1 || (opcode & 7) == 3))
			two_registers(f, opcode);
		else if (opcode < 0x40 && (opcode & 7) == 5)
			arithmetic(f, opcode >> 3, 0, immediate(f, 4));
		else
			f->ok = false;
		return;
	}
}

bool result_make(const u8 *bytes, u32 len, u64 gpr[16])
{
	struct form f = { .at = bytes, .left = len, .gpr = gpr, .ok = len && len <= RESULT_MAX_LEN };

	while (f.left && (*f.at == 0x2e || *f.at == 0x3e || *f.at == 0x26 || *f.at == 0x36))
		next(&f);
	if (f.left && (*f.at & 0xf0) == 0x40) {
		f.has_rex = true;
		f.rex = next(&f);
	}
	f.wide = f.rex & REX_W;
	one_opcode(&f);
	if (!f.ok || f.left || f.to == RSP)
		return false;
	gpr[f.to] = size_of(&f, f.made);
	return true;
}
