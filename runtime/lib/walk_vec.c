/* SPDX-License-Identifier: MIT */
/*
 * walk_vec.c - vector registers as far as integers and the flow of control come by them: moves, clearing, and comparisons of two floating-point numbers, which need
 * no arithmetic. Legacy encodings of 128 bits alone.
 */
#include "walk_private.h"

static struct walk_word part(struct walk_word word, u32 size)
{
	word.known &= walk_mask(size);
	word.value &= size == 8 ? ~(u64)0 : ((u64)1 << 8 * size) - 1;
	return word;
}

static const struct walk_word zero = { 0, WALK_ALL };

/* The operand of ModRM, of 4, 8 or 16 bytes. */
static void load(struct walk_step *s, u32 size, struct walk_word out[2])
{
	const struct walk_word nothing = { 0, 0 };

	out[1] = nothing;
	if (!s->memory) {
		out[0] = part(s->w->m.vec[walk_rm_field(s)][0], size < 8 ? size : 8);
		if (size == 16)
			out[1] = s->w->m.vec[walk_rm_field(s)][1];
		return;
	}
	out[0] = nothing;
	if (!s->addr_known)
		return;
	out[0] = walk_load_bytes(s->w, s->addr, size < 8 ? size : 8);
	if (size == 16)
		out[1] = walk_load_bytes(s->w, s->addr + 8, 8);
}

static void store(struct walk_step *s, u32 size)
{
	const struct walk_word *from = s->w->m.vec[walk_reg_field(s)];

	if (!s->addr_known) {
		walk_stop(s, WALK_STORE);
		return;
	}
	walk_store_bytes(s, s->addr, from[0], size < 8 ? size : 8);
	if (size == 16 && !s->ended)
		walk_store_bytes(s, s->addr + 8, from[1], 8);
}

/* Loads of 4 and 8 bytes clear the rest; moves between registers leave it. */
static void move(struct walk_step *s, u32 size, bool to_rm)
{
	struct walk_word *to = s->w->m.vec[to_rm ? walk_rm_field(s) : walk_reg_field(s)], value[2];

	if (to_rm && s->memory) {
		store(s, size);
		return;
	}
	load(s, size, value);
	if (to_rm) {
		value[0] = part(s->w->m.vec[walk_reg_field(s)][0], size < 8 ? size : 8);
		value[1] = s->w->m.vec[walk_reg_field(s)][1];
	}
	if (size == 16) {
		to[0] = value[0];
		to[1] = value[1];
	} else if (s->memory) {
		value[0].known |= (u8)~walk_mask(size);
		to[0] = value[0];
		to[1] = zero;
	} else {
		u64 bits = size == 8 ? ~(u64)0 : 0xffffffff;

		to[0].value = (to[0].value & ~bits) | value[0].value;
		to[0].known = (u8)((to[0].known & ~walk_mask(size)) | value[0].known);
	}
}

/* movd, movq between general and vector registers or memory; size: 4 or 8. */
static void move_general(struct walk_step *s, bool to_rm)
{
	u32 size = s->rex & 8 ? 8 : 4;
	struct walk_word *vec = s->w->m.vec[walk_reg_field(s)];
	struct walk_word *gpr = &s->w->m.gpr[walk_rm_field(s)];

	if (to_rm && s->memory) {
		store(s, size);
	} else if (to_rm) {
		*gpr = part(vec[0], size);
		gpr->known |= (u8)~walk_mask(size);
	} else {
		struct walk_word value[2];

		if (s->memory)
			load(s, size, value);
		else
			value[0] = part(*gpr, size);
		value[0].known |= (u8)~walk_mask(size);
		vec[0] = value[0];
		vec[1] = zero;
	}
}

/* movq xmm, xmm/m64: the upper half is cleared. */
static void move_low(struct walk_step *s)
{
	struct walk_word value[2];

	load(s, 8, value);
	s->w->m.vec[walk_reg_field(s)][0] = value[0];
	s->w->m.vec[walk_reg_field(s)][1] = zero;
}

static bool is_nan(u64 bits, bool wide)
{
	return wide ? bits << 1 > (u64)0x7ff << 53 : (u32)(bits << 1) > 0xffu << 24;
}

/* Numbers of the same order as the floating-point ones: those below zero count backwards, and both zeros are one. */
static s64 order(u64 bits, bool wide)
{
	u64 sign = wide ? (u64)1 << 63 : (u64)1 << 31, size = bits & (sign - 1);

	return bits & sign ? -(s64)size : (s64)size;
}

/* ucomiss, ucomisd, comiss, comisd */
static void compare(struct walk_step *s)
{
	bool wide = s->word;
	u32 size = wide ? 8 : 4;
	u8 mask = walk_mask(size);
	struct walk_word a = part(s->w->m.vec[walk_reg_field(s)][0], size), b[2];
	s64 x, y;
	u16 flags;

	load(s, size, b);
	if (a.known != mask || b[0].known != mask) {
		s->w->m.flags_known &= (u16) ~(FLAG_ZF | FLAG_PF | FLAG_CF);
		walk_set_flags(&s->w->m, FLAG_OF | FLAG_SF | FLAG_AF, 0);
		return;
	}
	x = order(a.value, wide);
	y = order(b[0].value, wide);
	flags = x < y ? FLAG_CF : x == y ? FLAG_ZF : 0;
	if (is_nan(a.value, wide) || is_nan(b[0].value, wide))
		flags = FLAG_ZF | FLAG_PF | FLAG_CF;
	walk_set_flags(&s->w->m, FLAG_ZF | FLAG_PF | FLAG_CF | FLAG_OF | FLAG_SF | FLAG_AF, flags);
}

static bool clear(struct walk_step *s)
{
	if (s->memory || walk_reg_field(s) != walk_rm_field(s))
		return false;
	s->w->m.vec[walk_reg_field(s)][0] = s->w->m.vec[walk_reg_field(s)][1] = zero;
	return true;
}

/* Bytes that 0f 10, 11 move; by prefix. */
static u32 moved(const struct walk_step *s)
{
	return s->prefix == 0xf2 ? 8 : s->prefix == 0xf3 ? 4 : 16;
}

bool walk_vec(struct walk_step *s)
{
	if (s->op[0] != 0x0f)
		return false;
	switch (s->op[1]) {
	case 0x10:
	case 0x11:
		move(s, moved(s), s->op[1] == 0x11);
		return true;
	case 0x28:
	case 0x29:
		move(s, 16, s->op[1] == 0x29);
		return true;
	case 0x2e:
	case 0x2f:
		compare(s);
		return true;
	case 0x57: /* xorps, xorpd */
		return clear(s);
	case 0xef: /* pxor; without 66 of MMX registers */
		return s->word && clear(s);
	case 0x6e:
	case 0x7e:
		if (s->prefix == 0xf3 && s->op[1] == 0x7e)
			move_low(s);
		else if (s->word && !s->prefix)
			move_general(s, s->op[1] == 0x7e);
		else
			return false;
		return true;
	case 0x6f:
	case 0x7f:
		if (!s->word && s->prefix != 0xf3)
			return false;
		move(s, 16, s->op[1] == 0x7f);
		return true;
	case 0xd6: /* movq to memory or to a register, whose upper half it clears */
		if (!s->word || s->prefix)
			return false;
		if (s->memory) {
			store(s, 8);
		} else {
			s->w->m.vec[walk_rm_field(s)][0] = s->w->m.vec[walk_reg_field(s)][0];
			s->w->m.vec[walk_rm_field(s)][1] = zero;
		}
		return true;
	default:
		return false;
	}
}
