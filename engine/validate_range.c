/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * validate_range.c - conditions that follow from other conditions.
 *
 * What a path has tested so far, and how a value was made, bound it with and without sign. A condition that all values between the
 * bounds fulfil holds, one that none fulfils does not; anything else is not known. Bounds only ever get narrower, and facts that
 * contradict one another are not used.
 */
#include "validate_private.h"

#define OPCODE_BYTES 16

struct bounds {
	u64 low, high; /* without sign */
	s64 least, most; /* with */
};

/* A condition on flags of one comparison: value `a` against the constant `b`, of `width` bits. */
struct test {
	u32 a;
	u64 b;
	u8 cc, width; /* half the condition code */
};

static u64 mask_of(u8 width)
{
	return width == 64 ? ~(u64)0 : ((u64)1 << width) - 1;
}

static s64 with_sign(u64 value, u8 width)
{
	u64 sign = (u64)1 << (width - 1);

	return (s64)((value ^ sign) - sign);
}

static struct bounds anything(u8 width)
{
	u64 sign = (u64)1 << (width - 1);

	return (struct bounds){ 0, mask_of(width), -(s64)(sign - 1) - 1, (s64)(sign - 1) };
}

/* ---- how it was made ---- */

/* An operation from its opcode on; wide: 64 bits. */
struct operation {
	u8 at[2 * OPCODE_BYTES];
	u32 n;
	bool wide;
};

/* Of a value that is what an instruction has made of a general register. False: of another, or with prefixes that are not understood. */
static bool operation_of(const struct values *values, u32 value, struct operation *o)
{
	const u32 *words = value_node(values, value);
	u8 bytes[2 * OPCODE_BYTES] = { 0 };
	u32 i = 0;

	if (!words || (words[0] != NODE_OPERANDS && words[0] != NODE_INSN) ||
	    (value & ((1u << SLOT_BITS) - 1)) >= SLOT_VEC || words[1] > OPCODE_BYTES)
		return false;
	memcpy(bytes, words + 2, words[1]);
	while (i < words[1] && bytes[i] == 0x2e)
		i++;
	o->wide = bytes[i] & 8;
	if (words[0] == NODE_OPERANDS || (bytes[i] & 0xf0) == 0x40)
		i++;
	else
		o->wide = false;
	if (i >= words[1])
		return false;
	o->n = words[1] - i;
	memcpy(o->at, bytes + i, OPCODE_BYTES);
	return true;
}

/* Opcodes that write a register of 32 bits, so that its upper half is cleared (SDM 1, 3.4.1.1). */
static bool is_of_32_bits(const u8 *at)
{
	u8 opcode = at[0], group = at[1] >> 3 & 7;

	switch (opcode) {
	case 0x0f:
		return (at[1] & 0xf0) == 0x40 || at[1] == 0xaf || (at[1] & 0xf6) == 0xb6;
	case 0x63:
	case 0x69:
	case 0x6b:
	case 0x81:
	case 0x83:
	case 0x89:
	case 0x8b:
	case 0x8d:
	case 0xc1:
	case 0xd1:
	case 0xf7:
		return true;
	case 0xff:
		return group <= 1;
	default:
		return opcode < 0x40 && (opcode & 1) && (opcode & 7) <= 5;
	}
}

static u64 constant_behind(const struct operation *o, u32 n)
{
	s32 wide;

	if (o->n < n + 1)
		return ~(u64)0;
	if (n == 1)
		return (u64)(s64)(s8)o->at[o->n - 1];
	memcpy(&wide, o->at + o->n - 4, 4);
	return (u64)(s64)wide;
}

static u64 most_made(const struct operation *o)
{
	u64 mask = mask_of(o->wide ? 64 : 32);
	u8 opcode = o->at[0], group = o->at[1] >> 3 & 7;

	if (opcode == 0x0f && (o->at[1] & 0xfe) == 0xb6)
		return o->at[1] == 0xb6 ? 0xff : 0xffff;
	if (opcode == 0x25 || (opcode == 0x81 && group == 4))
		return constant_behind(o, 4) & mask;
	if (opcode == 0x83 && group == 4)
		return constant_behind(o, 1) & mask;
	if (opcode == 0xc1 && group == 5)
		return mask >> (constant_behind(o, 1) & (o->wide ? 63 : 31));
	if (opcode == 0xd1 && group == 5)
		return mask >> 1;
	return !o->wide && is_of_32_bits(o->at) ? mask : ~(u64)0;
}

u64 range_most(const struct values *values, u32 value)
{
	struct sum sum = value_sum(values, value);
	const u32 *words = value_node(values, value);
	struct operation o;

	if (!value)
		return ~(u64)0;
	if (!sum.atom)
		return (u64)sum.c;
	if (words[0] == NODE_ZERO)
		return mask_of(32);
	return operation_of(values, value, &o) ? most_made(&o) : ~(u64)0;
}

/* ---- what was tested ---- */

/* A condition is that of one comparison with a constant: only then is anything said of it. */
static bool test_of(const struct values *values, u32 condition, struct test *t)
{
	const u32 *words = value_node(values, condition), *compare;
	u32 n = value_node_words(values, condition);

	if (!words || words[0] != NODE_TEST || n < 3)
		return false;
	for (u32 i = 3; i < n; i++)
		if (words[i] >> SLOT_BITS != words[2] >> SLOT_BITS)
			return false;
	compare = value_node(values, words[2]);
	if (!compare || compare[0] != NODE_COMPARE || value_sum(values, compare[3]).atom)
		return false;
	*t = (struct test){ compare[2], (u64)value_sum(values, compare[3]).c, (u8)words[1],
		            (u8)compare[1] };
	t->b &= mask_of(t->width);
	return true;
}

static void at_least(struct bounds *b, u64 low)
{
	b->low = low > b->low ? low : b->low;
}

static void at_most(struct bounds *b, u64 high)
{
	b->high = high < b->high ? high : b->high;
}

static void signed_at_least(struct bounds *b, s64 least)
{
	b->least = least > b->least ? least : b->least;
}

static void signed_at_most(struct bounds *b, s64 most)
{
	b->most = most < b->most ? most : b->most;
}

/* What the bounds without sign say of those with, and the other way round. */
static void agree(struct bounds *b, u8 width)
{
	u64 sign = (u64)1 << (width - 1), mask = mask_of(width);

	if (b->high < sign || b->low >= sign) {
		signed_at_least(b, with_sign(b->low, width));
		signed_at_most(b, with_sign(b->high, width));
	}
	if (b->least >= 0 || b->most < 0) {
		at_least(b, (u64)b->least & mask);
		at_most(b, (u64)b->most & mask);
	}
}

static void exclude(struct bounds *b, u64 value, u8 width)
{
	s64 s = with_sign(value, width);

	b->low += b->low == value && b->low < b->high;
	b->high -= b->high == value && b->low < b->high;
	b->least += b->least == s && b->least < b->most;
	b->most -= b->most == s && b->least < b->most;
}

static void narrow(struct bounds *b, const struct test *t, bool holds)
{
	s64 s = with_sign(t->b, t->width);

	switch (t->cc) {
	case 1: /* below */
		if (!holds)
			at_least(b, t->b);
		else if (t->b)
			at_most(b, t->b - 1);
		break;
	case 2: /* equal */
		if (!holds) {
			exclude(b, t->b, t->width);
			break;
		}
		at_least(b, t->b);
		at_most(b, t->b);
		break;
	case 3: /* below or equal */
		if (holds)
			at_most(b, t->b);
		else if (t->b != mask_of(t->width))
			at_least(b, t->b + 1);
		break;
	case 4: /* the sign of the difference: of the value, if from 0 */
		if (t->b)
			break;
		if (holds)
			signed_at_most(b, -1);
		else
			signed_at_least(b, 0);
		break;
	case 6: /* less */
		if (!holds)
			signed_at_least(b, s);
		else if (s != anything(t->width).least)
			signed_at_most(b, s - 1);
		break;
	case 7: /* less or equal */
		if (holds)
			signed_at_most(b, s);
		else if (s != anything(t->width).most)
			signed_at_least(b, s + 1);
		break;
	default:
		break;
	}
}

static bool is_empty(const struct bounds *b)
{
	return b->low > b->high || b->least > b->most;
}

static struct bounds made_bounds(const struct values *values, u32 value, u8 width)
{
	struct bounds b = anything(width);
	struct sum sum = value_sum(values, value);
	u64 most = range_most(values, value);

	if (!sum.atom)
		b.low = b.high = (u64)sum.c & b.high;
	else if (most < b.high)
		b.high = most;
	agree(&b, width);
	return b;
}

/* Are the lower bits, as many as there are in the narrower and 32 at most, all there is of both, and the same? */
static bool is_same(struct values *values, u32 a, u8 width_a, u32 b, u8 width_b)
{
	u8 narrower = width_a < width_b ? width_a : width_b;
	u64 mask = mask_of(narrower < 32 ? narrower : 32);

	return value_narrow(values, a) == value_narrow(values, b) &&
	       (mask_of(width_a) == mask || range_most(values, a) <= mask) &&
	       (mask_of(width_b) == mask || range_most(values, b) <= mask);
}

/* What one fact says. */
static void use_fact(struct values *values, struct bounds *b, u32 value, u8 width,
                     const struct fact *fact)
{
	struct bounds tried = *b, other;
	struct test t;

	if (!test_of(values, fact->condition, &t))
		return;
	if (t.a == value && t.width == width) {
		narrow(&tried, &t, fact->holds);
	} else if (is_same(values, t.a, t.width, value, width)) {
		other = made_bounds(values, t.a, t.width);
		narrow(&other, &t, fact->holds);
		agree(&other, t.width);
		at_least(&tried, other.low);
		at_most(&tried, other.high);
	}
	agree(&tried, width);
	if (!is_empty(&tried))
		*b = tried;
}

static struct bounds tested_bounds(struct values *values, const struct path *path, struct bounds b,
                                   u32 value, u8 width)
{
	for (u32 i = 0; i < 2; i++) /* one may help another */
		for (const struct fact *fact = path->facts; fact; fact = fact->next)
			use_fact(values, &b, value, width, fact);
	return b;
}

static struct bounds bounds_of(struct values *values, const struct path *path, u32 value, u8 width)
{
	struct bounds b = made_bounds(values, value, width), base;
	struct sum sum = value_sum(values, value);

	if (width == 64 && sum.atom && sum.c) {
		base = tested_bounds(values, path, made_bounds(values, sum.atom, 64), sum.atom, 64);
		base.low += (u64)sum.c;
		base.high += (u64)sum.c;
		if (base.low <= base.high) {
			at_least(&b, base.low);
			at_most(&b, base.high);
		}
		agree(&b, width);
	}
	return tested_bounds(values, path, b, value, width);
}

/* ---- what follows ---- */

static int follows(bool yes, bool no)
{
	return yes ? 1 : no ? 0 : -1;
}

int range_condition(struct validator *v, const struct path *path, u32 condition)
{
	struct bounds b;
	struct test t;
	s64 s;

	if (!test_of(&v->values, condition, &t))
		return -1;
	b = bounds_of(&v->values, path, t.a, t.width);
	s = with_sign(t.b, t.width);
	switch (t.cc) {
	case 1:
		return follows(b.high < t.b, b.low >= t.b);
	case 2:
		return follows(b.low == t.b && b.high == t.b,
		               t.b < b.low || t.b > b.high || s < b.least || s > b.most);
	case 3:
		return follows(b.high <= t.b, b.low > t.b);
	case 4:
		return t.b ? -1 : follows(b.most < 0, b.least >= 0);
	case 6:
		return follows(b.most < s, b.least >= s);
	case 7:
		return follows(b.most <= s, b.least > s);
	default:
		return -1;
	}
}
