/* SPDX-License-Identifier: MIT */
/*
 * walk_vec.c - vector registers as far as integers and the flow of control come by them: moves, byte by byte, and comparisons of two floating-point numbers, which need
 * no arithmetic. All else is the processor's (walk_native.c).
 */
#include "walk_private.h"

#define WORDS 8 /* of a register */

static const struct walk_word zero = { 0, WALK_ALL };

static struct walk_word part(struct walk_word word, u32 size)
{
	word.known &= walk_mask(size);
	word.value &= size == 8 ? ~(u64)0 : ((u64)1 << 8 * size) - 1;
	return word;
}

static struct walk_word get(const struct walk_machine *m, u32 reg, u32 word)
{
	return (struct walk_word){ m->vec[reg][word], (u8)(m->vec_known[reg] >> 8 * word) };
}

static void set(struct walk_machine *m, u32 reg, u32 word, struct walk_word value)
{
	m->vec[reg][word] = value.value;
	m->vec_known[reg] = (m->vec_known[reg] & ~((u64)0xff << 8 * word)) | (u64)value.known
	                                                                             << 8 * word;
}

/* Words from `from` on are cleared: up to 16 bytes, or with VEX all. */
static void clear_from(struct walk_step *s, u32 reg, u32 from)
{
	u32 to = s->form->encoding == WALK_LEGACY ? 2 : WORDS;

	for (u32 i = from; i < to; i++)
		set(&s->w->m, reg, i, zero);
}

/* A word of the operand of ModRM, of `size` bytes. */
static struct walk_word load(struct walk_step *s, u32 word, u32 size)
{
	if (!s->memory)
		return part(get(&s->w->m, s->form->rm, word), size);
	if (!s->addr_known)
		return (struct walk_word){ 0, 0 };
	return walk_load_bytes(s->w, s->addr + 8 * word, size);
}

static void store(struct walk_step *s, u32 size)
{
	if (!s->addr_known)
		walk_stop(s, WALK_STORE);
	for (u32 at = 0; at < size && !s->ended; at += 8)
		walk_store_bytes(s, s->addr + at, get(&s->w->m, s->form->reg, at / 8),
		                 size - at < 8 ? size - at : 8);
}

/* The low `size` bytes, fewer than a vector's, between registers: the rest of `to` stays. */
static void merge(struct walk_step *s, u32 to, u32 from, u32 size)
{
	struct walk_word old = get(&s->w->m, to, 0), new = part(get(&s->w->m, from, 0), size);
	u64 bits = size == 8 ? ~(u64)0 : 0xffffffff;

	set(&s->w->m, to, 0,
	    (struct walk_word){ (old.value & ~bits) | new.value,
	                        (u8)((old.known & ~walk_mask(size)) | new.known) });
}

static bool move(struct walk_step *s, u32 size, bool to_rm)
{
	struct walk_machine *m = &s->w->m;
	u32 to = to_rm ? s->form->rm : s->form->reg, from = to_rm ? s->form->reg : s->form->rm;
	u32 words = (size + 7) / 8;

	if (s->form->mask || (!s->memory && size < 16 && s->form->encoding != WALK_LEGACY))
		return false; /* that has three operands */
	if (to_rm && s->memory) {
		store(s, size);
	} else if (s->memory) {
		for (u32 i = 0; i < words; i++) {
			struct walk_word word = load(s, i, size < 8 ? size : 8);

			if (size < 8)
				word.known |= (u8)~walk_mask(size);
			set(m, to, i, word);
		}
		clear_from(s, to, words);
	} else if (size < 16) {
		merge(s, to, from, size);
	} else {
		for (u32 i = 0; i < words; i++)
			set(m, to, i, get(m, from, i));
		clear_from(s, to, words);
	}
	return true;
}

/* movd, movq between general and vector registers or memory. */
static void move_general(struct walk_step *s, bool to_rm)
{
	u32 size = s->form->rex & 8 ? 8 : 4;
	struct walk_machine *m = &s->w->m;
	struct walk_word word;

	if (to_rm && s->memory) {
		store(s, size);
		return;
	}
	word = to_rm       ? part(get(m, s->form->reg, 0), size)
	       : s->memory ? load(s, 0, size)
	                   : part(m->gpr[s->form->rm & 15], size);
	word.known |= (u8)~walk_mask(size);
	if (to_rm) {
		m->gpr[s->form->rm & 15] = word;
		return;
	}
	set(m, s->form->reg, 0, word);
	clear_from(s, s->form->reg, 1);
}

/* movq between vector registers, or from memory: what is above is cleared. */
static void move_low(struct walk_step *s, u32 to, struct walk_word word)
{
	set(&s->w->m, to, 0, word);
	clear_from(s, to, 1);
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
	bool wide = s->form->word;
	u32 size = wide ? 8 : 4;
	u8 mask = walk_mask(size);
	struct walk_word a = part(get(&s->w->m, s->form->reg, 0), size), b = load(s, 0, size);
	s64 x, y;
	u16 flags;

	if (a.known != mask || b.known != mask) {
		s->w->m.flags_known &= (u16) ~(FLAG_ZF | FLAG_PF | FLAG_CF);
		walk_set_flags(&s->w->m, FLAG_OF | FLAG_SF | FLAG_AF, 0);
		return;
	}
	x = order(a.value, wide);
	y = order(b.value, wide);
	flags = x < y ? FLAG_CF : x == y ? FLAG_ZF : 0;
	if (is_nan(a.value, wide) || is_nan(b.value, wide))
		flags = FLAG_ZF | FLAG_PF | FLAG_CF;
	walk_set_flags(&s->w->m, FLAG_ZF | FLAG_PF | FLAG_CF | FLAG_OF | FLAG_SF | FLAG_AF, flags);
}

/* xorps, xorpd, pxor of a register with itself; pxor without 66 is of MMX registers. */
static bool clear(struct walk_step *s)
{
	if (s->form->encoding != WALK_LEGACY || s->memory || s->form->reg != s->form->rm ||
	    (s->form->opcode == 0xef && !s->form->word))
		return false;
	clear_from(s, s->form->reg, 0);
	return true;
}

/* Bytes that 10, 11 move; by prefix. */
static u32 moved(const struct walk_form *form)
{
	return form->prefix == 0xf2 ? 8 : form->prefix == 0xf3 ? 4 : form->width;
}

static bool is_vector_move(const struct walk_form *form)
{
	return form->word || form->prefix == 0xf3 ||
	       (form->encoding == WALK_EVEX && form->prefix == 0xf2);
}

bool walk_vec(struct walk_step *s)
{
	const struct walk_form *form = s->form;

	if (form->map != 1)
		return false;
	switch (form->opcode) {
	case 0x10:
	case 0x11:
		return move(s, moved(form), form->opcode == 0x11);
	case 0x28:
	case 0x29:
		return !form->prefix && move(s, form->width, form->opcode == 0x29);
	case 0x2e:
	case 0x2f:
		if (form->prefix)
			return false;
		compare(s);
		return true;
	case 0x57:
	case 0xef:
		return !form->prefix && clear(s);
	case 0x6e:
	case 0x7e:
		if (form->prefix == 0xf3 && form->opcode == 0x7e)
			move_low(s, form->reg, load(s, 0, 8));
		else if (form->word && !form->prefix)
			move_general(s, form->opcode == 0x7e);
		else
			return false;
		return true;
	case 0x6f:
	case 0x7f:
		return is_vector_move(form) && move(s, form->width, form->opcode == 0x7f);
	case 0xd6:
		if (!form->word || form->prefix)
			return false;
		if (s->memory)
			store(s, 8);
		else
			move_low(s, form->rm, get(&s->w->m, form->reg, 0));
		return true;
	default:
		return false;
	}
}
