/* SPDX-License-Identifier: MIT */
/*
 * walk_insn.c - integer instructions, executed on what a walk knows. Forms and fields: SDM volume 2, 2.1.3 to 2.2.1.3 and the instructions' pages. A result of
 * anything unknown is unknown, and so are the flags that the manual leaves undefined. What is not among these forms is left to who calls.
 */
#include "walk_private.h"

#define RAX 0
#define RCX 1
#define RDX 2
#define RSP 4
#define RBP 5
#define ARITHMETIC (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

/* ---- flags ---- */

void walk_set_flags(struct walk_machine *m, u16 which, u16 flags)
{
	m->flags = (u16)((m->flags & ~which) | (flags & which));
	m->flags_known |= which;
}

static void forget_flags(struct walk_step *s, u16 which)
{
	s->w->m.flags_known &= (u16)~which;
}

static u64 low_bits(u32 size)
{
	return size == 8 ? ~(u64)0 : ((u64)1 << 8 * size) - 1;
}

static bool is_negative(u64 v, u32 size)
{
	return v >> (8 * size - 1) & 1;
}

/* ZF, SF, PF of a result. */
static u16 result_flags(u64 r, u32 size)
{
	u16 flags = is_negative(r, size) ? FLAG_SF : 0;

	if (!(r & low_bits(size)))
		flags |= FLAG_ZF;
	return flags | (__builtin_popcountll(r & 0xff) % 2 ? 0 : FLAG_PF);
}

/* Which flags a condition reads, and whether it holds. */
bool walk_condition(const struct walk_machine *m, u8 cc, bool *holds)
{
	static const u16 reads[] = { FLAG_OF,           FLAG_CF,
		                     FLAG_ZF,           FLAG_CF | FLAG_ZF,
		                     FLAG_SF,           FLAG_PF,
		                     FLAG_SF | FLAG_OF, FLAG_ZF | FLAG_SF | FLAG_OF };
	u16 need = reads[cc >> 1 & 7], f = m->flags;
	bool less = !(f & FLAG_SF) != !(f & FLAG_OF), is;

	switch (cc >> 1 & 7) {
	case 6:
		is = less;
		break;
	case 7:
		is = less || (f & FLAG_ZF);
		break;
	default:
		is = f & need;
		break;
	}
	*holds = is != (cc & 1);
	return (m->flags_known & need) == need;
}

/* ---- operands ---- */

/* Without rex the byte registers 4 to 7 are ah to bh. */
static bool is_high(const struct walk_step *s, u8 reg, u32 size)
{
	return size == 1 && !s->rex && reg >= 4;
}

static struct walk_value get(const struct walk_step *s, u8 reg, u32 size)
{
	bool high = is_high(s, reg, size);
	const struct walk_word *r = &s->w->m.gpr[high ? reg - 4 : reg];
	u64 v = high ? r->value >> 8 : r->value;
	u8 mask = high ? 2 : walk_mask(size);

	return (struct walk_value){ v & low_bits(size), (r->known & mask) == mask };
}

/* 32 bits clear the upper half; fewer leave the rest. */
static void set(const struct walk_step *s, u8 reg, u32 size, struct walk_value value)
{
	bool high = is_high(s, reg, size);
	struct walk_word *r = &s->w->m.gpr[high ? reg - 4 : reg];
	u64 bits = size >= 4 ? ~(u64)0 : low_bits(size) << (high ? 8 : 0);
	u8 mask = size >= 4 ? WALK_ALL : high ? 2 : walk_mask(size);
	u64 v = size == 4 ? (u32)value.v : value.v;

	r->value = (r->value & ~bits) | ((high ? v << 8 : v) & bits);
	r->known = (u8)(value.known ? r->known | mask : r->known & ~mask);
	if (size == 4 && !value.known)
		r->known = 0xf0;
}

static struct walk_value get_rm(struct walk_step *s, u32 size)
{
	if (s->memory)
		return walk_load(s, s->addr, s->addr_known, size);
	return get(s, walk_rm_field(s), size);
}

static void set_rm(struct walk_step *s, u32 size, struct walk_value value)
{
	if (s->memory)
		walk_store(s, s->addr, s->addr_known, value, size);
	else
		set(s, walk_rm_field(s), size, value);
}

/* The constant at the instruction's end. */
static struct walk_value constant(const struct walk_step *s, u32 bytes)
{
	u64 v = 0;

	memcpy(&v, s->insn->bytes + s->insn->len - bytes, bytes);
	if (bytes < 8 && is_negative(v, bytes))
		v |= ~low_bits(bytes);
	return walk_known(v);
}

static u32 constant_size(u32 size)
{
	return size == 8 ? 4 : size;
}

/* ---- arithmetic ---- */

enum { ADD, OR, ADC, SBB, AND, SUB, XOR, CMP };

static u64 add_flags(struct walk_step *s, u64 a, u64 b, u64 c, u32 size)
{
	u64 bits = low_bits(size), r = (a + b + c) & bits;
	bool carry = (a & bits) > bits - (b & bits) || ((a + b) & bits) > bits - c;
	bool overflow = is_negative(~(a ^ b) & (a ^ r), size);

	walk_set_flags(&s->w->m, ARITHMETIC,
	               result_flags(r, size) | (carry ? FLAG_CF : 0) | (overflow ? FLAG_OF : 0) |
	                       ((a ^ b ^ r) & FLAG_AF));
	return r;
}

static u64 sub_flags(struct walk_step *s, u64 a, u64 b, u64 c, u32 size)
{
	u64 bits = low_bits(size), r = (a - b - c) & bits;
	bool carry = (a & bits) < (b & bits) || (c && (a & bits) == (b & bits));
	bool overflow = is_negative((a ^ b) & (a ^ r), size);

	walk_set_flags(&s->w->m, ARITHMETIC,
	               result_flags(r, size) | (carry ? FLAG_CF : 0) | (overflow ? FLAG_OF : 0) |
	                       ((a ^ b ^ r) & FLAG_AF));
	return r;
}

static u64 logic_flags(struct walk_step *s, u64 r, u32 size)
{
	walk_set_flags(&s->w->m, ARITHMETIC & ~FLAG_AF, result_flags(r, size));
	forget_flags(s, FLAG_AF);
	return r & low_bits(size);
}

static struct walk_value arithmetic(struct walk_step *s, u8 kind, struct walk_value a,
                                    struct walk_value b, u32 size)
{
	struct walk_machine *m = &s->w->m;
	bool known = a.known && b.known;
	u64 carry = m->flags & FLAG_CF ? 1 : 0, r;

	if (kind == ADC || kind == SBB)
		known &= (m->flags_known & FLAG_CF) != 0;
	if (!known) {
		forget_flags(s, ARITHMETIC);
		return (struct walk_value){ 0, false };
	}
	switch (kind) {
	case ADD:
		r = add_flags(s, a.v, b.v, 0, size);
		break;
	case ADC:
		r = add_flags(s, a.v, b.v, carry, size);
		break;
	case SBB:
		r = sub_flags(s, a.v, b.v, carry, size);
		break;
	case SUB:
	case CMP:
		r = sub_flags(s, a.v, b.v, 0, size);
		break;
	case OR:
		r = logic_flags(s, a.v | b.v, size);
		break;
	case AND:
		r = logic_flags(s, a.v & b.v, size);
		break;
	default:
		r = logic_flags(s, a.v ^ b.v, size);
		break;
	}
	return walk_known(r);
}

/* xor r, r and sub r, r are known whatever is in r. */
static bool is_zeroing(const struct walk_step *s, u8 kind)
{
	return (kind == XOR || kind == SUB) && !s->memory && walk_reg_field(s) == walk_rm_field(s);
}

/* 00 to 3f. */
static void two_operands(struct walk_step *s)
{
	u8 kind = s->op[0] >> 3, form = s->op[0] & 7;
	u32 size = form & 1 ? s->size : 1;
	struct walk_value a, b, r;

	if (form >= 4) {
		a = get(s, RAX, size);
		b = constant(s, constant_size(size));
	} else {
		struct walk_value reg = get(s, walk_reg_field(s), size), rm = get_rm(s, size);

		if (is_zeroing(s, kind))
			reg = rm = walk_known(0);
		a = form & 2 ? reg : rm;
		b = form & 2 ? rm : reg;
	}
	r = arithmetic(s, kind, a, b, size);
	if (kind == CMP)
		return;
	if (form >= 4)
		set(s, RAX, size, r);
	else if (form & 2)
		set(s, walk_reg_field(s), size, r);
	else
		set_rm(s, size, r);
}

static void group_1(struct walk_step *s)
{
	u8 kind = s->modrm >> 3 & 7;
	u32 size = s->op[0] == 0x80 ? 1 : s->size;
	struct walk_value r = arithmetic(s, kind, get_rm(s, size),
	                                 constant(s, s->op[0] == 0x81 ? constant_size(size) : 1),
	                                 size);

	if (kind != CMP)
		set_rm(s, size, r);
}

static void step_by_one(struct walk_step *s, u32 size)
{
	struct walk_value a = get_rm(s, size);
	u16 carry = s->w->m.flags & FLAG_CF, carry_known = s->w->m.flags_known & FLAG_CF;
	struct walk_value r = arithmetic(s, s->modrm >> 3 & 7 ? SUB : ADD, a, walk_known(1), size);

	walk_set_flags(&s->w->m, FLAG_CF, carry);
	if (!carry_known)
		forget_flags(s, FLAG_CF);
	set_rm(s, size, r);
}

static void set_product(struct walk_step *s, bool known, bool fits)
{
	forget_flags(s, ARITHMETIC);
	if (known)
		walk_set_flags(&s->w->m, FLAG_CF | FLAG_OF, fits ? 0 : FLAG_CF | FLAG_OF);
}

static s64 extended(u64 v, u32 size)
{
	return is_negative(v, size) ? (s64)(v | ~low_bits(size)) : (s64)(v & low_bits(size));
}

static void multiply(struct walk_step *s, struct walk_value a, struct walk_value b)
{
	__int128 product = (__int128)extended(a.v, s->size) * extended(b.v, s->size);
	u64 low = (u64)product & low_bits(s->size);

	set(s, walk_reg_field(s), s->size, (struct walk_value){ low, a.known && b.known });
	set_product(s, a.known && b.known, extended(low, s->size) == product);
}

/* mul, imul to rdx:rax; of bytes to ax. */
static void multiply_wide(struct walk_step *s, u32 size, bool is_signed)
{
	struct walk_value a = get(s, RAX, size), b = get_rm(s, size);
	bool known = a.known && b.known;
	unsigned __int128 product =
		is_signed ? (unsigned __int128)((__int128)extended(a.v, size) * extended(b.v, size))
			  : (unsigned __int128)(a.v & low_bits(size)) * (b.v & low_bits(size));
	u64 low = (u64)product & low_bits(size), high = (u64)(product >> 8 * size) & low_bits(size);
	bool fits = is_signed ? (__int128)product == extended(low, size) : !high;

	if (size == 1) {
		set(s, RAX, 2, (struct walk_value){ (u64)product & 0xffff, known });
	} else {
		set(s, RAX, size, (struct walk_value){ low, known });
		set(s, RDX, size, (struct walk_value){ high, known });
	}
	set_product(s, known, fits);
}

/* Division of rdx:rax; only where the dividend's upper half is nothing but its sign. */
static void divide(struct walk_step *s, u32 size, bool is_signed)
{
	struct walk_value low = get(s, RAX, size), high = get(s, RDX, size), by = get_rm(s, size);
	u64 bits = low_bits(size);
	bool known = size > 1 && low.known && high.known && by.known && by.v;
	s64 a = extended(low.v, size), b = extended(by.v, size);
	u64 q = 0, r = 0;

	forget_flags(s, ARITHMETIC);
	if (is_signed)
		known &= high.v == (a < 0 ? bits : 0) && !(b == -1 && low.v == (bits >> 1) + 1);
	else
		known &= high.v == 0;
	if (known) {
		q = is_signed ? (u64)(a / b) : (low.v & bits) / (by.v & bits);
		r = is_signed ? (u64)(a % b) : (low.v & bits) % (by.v & bits);
	}
	if (size == 1) {
		set(s, RAX, 2, (struct walk_value){ 0, false });
		return;
	}
	set(s, RAX, size, (struct walk_value){ q & bits, known });
	set(s, RDX, size, (struct walk_value){ r & bits, known });
}

static void group_3(struct walk_step *s)
{
	u32 size = s->op[0] == 0xf6 ? 1 : s->size;
	struct walk_value a;

	switch (s->modrm >> 3 & 7) {
	case 0:
	case 1:
		(void)arithmetic(s, AND, get_rm(s, size), constant(s, constant_size(size)), size);
		return;
	case 2:
		a = get_rm(s, size);
		set_rm(s, size, (struct walk_value){ ~a.v & low_bits(size), a.known });
		return;
	case 3:
		set_rm(s, size, arithmetic(s, SUB, walk_known(0), get_rm(s, size), size));
		return;
	case 4:
	case 5:
		multiply_wide(s, size, s->modrm >> 3 & 1);
		return;
	default:
		divide(s, size, s->modrm >> 3 & 1);
		return;
	}
}

/* ---- shifts ---- */

enum { ROL, ROR, RCL, RCR, SHL, SHR, SAL, SAR };

static u64 shifted(struct walk_step *s, u8 kind, u64 a, u32 by, u32 size)
{
	u32 bits = 8 * size;
	u64 r;
	bool carry;

	if (kind == SHL || kind == SAL) {
		r = by < bits ? a << by : 0;
		carry = by <= bits && a >> (bits - by) & 1;
	} else if (kind == SHR) {
		r = by < bits ? a >> by : 0;
		carry = by <= bits && a >> (by - 1) & 1;
	} else {
		r = (u64)(extended(a, size) >> (by < bits ? by : bits - 1));
		carry = extended(a, size) >> (by - 1 < bits ? by - 1 : bits - 1) & 1;
	}
	logic_flags(s, r, size);
	walk_set_flags(&s->w->m, FLAG_CF, carry ? FLAG_CF : 0);
	if (by == 1) {
		bool over = kind == SAR   ? false
		            : kind == SHR ? is_negative(a, size)
		                          : is_negative(r, size) != carry;

		walk_set_flags(&s->w->m, FLAG_OF, over ? FLAG_OF : 0);
	} else {
		forget_flags(s, FLAG_OF);
	}
	if (by >= bits) /* of bytes and words: the manual does not say */
		forget_flags(s, FLAG_CF);
	return r & low_bits(size);
}

static u64 rotated(struct walk_step *s, u8 kind, u64 a, u32 by, u32 size)
{
	u32 bits = 8 * size, left = (kind == ROL ? by : bits - by % bits) % bits;
	u64 r = left ? (a << left | a >> (bits - left)) & low_bits(size) : a;
	bool carry = kind == ROL ? r & 1 : is_negative(r, size);

	walk_set_flags(&s->w->m, FLAG_CF, carry ? FLAG_CF : 0);
	forget_flags(s, FLAG_OF);
	return r;
}

static void shift(struct walk_step *s)
{
	u8 kind = s->modrm >> 3 & 7;
	u32 size = s->op[0] & 1 ? s->size : 1;
	struct walk_value a = get_rm(s, size), by = s->op[0] < 0xd0   ? constant(s, 1)
	                                            : s->op[0] < 0xd2 ? walk_known(1)
	                                                              : get(s, RCX, 1);
	u32 n = (u32)by.v & (size == 8 ? 63 : 31);

	if (by.known && !n) {
		if (size == 4)
			set_rm(s, size, a); /* clears the upper half all the same */
		return;
	}
	if (!a.known || !by.known || kind == RCL || kind == RCR) {
		forget_flags(s, ARITHMETIC);
		set_rm(s, size, (struct walk_value){ 0, false });
		return;
	}
	set_rm(s, size,
	       walk_known(kind < RCL ? rotated(s, kind, a.v, n, size)
	                             : shifted(s, kind, a.v, n, size)));
}

/* ---- moves ---- */

static void extend(struct walk_step *s, u32 from, bool is_signed)
{
	struct walk_value a = get_rm(s, from);

	if (is_signed)
		a.v = (u64)extended(a.v, from) & low_bits(s->size);
	set(s, walk_reg_field(s), s->size, a);
}

static void exchange(struct walk_step *s, u32 size)
{
	struct walk_value reg = get(s, walk_reg_field(s), size), rm = get_rm(s, size);

	set_rm(s, size, reg);
	if (!s->ended)
		set(s, walk_reg_field(s), size, rm);
}

static void exchange_add(struct walk_step *s, u32 size)
{
	struct walk_value reg = get(s, walk_reg_field(s), size), rm = get_rm(s, size);
	struct walk_value sum = arithmetic(s, ADD, rm, reg, size);

	set(s, walk_reg_field(s), size, rm);
	set_rm(s, size, sum);
}

static void compare_exchange(struct walk_step *s, u32 size)
{
	struct walk_value rax = get(s, RAX, size), rm = get_rm(s, size);

	(void)arithmetic(s, CMP, rax, rm, size);
	if (!rax.known || !rm.known) {
		set(s, RAX, size, (struct walk_value){ 0, false });
		set_rm(s, size, (struct walk_value){ 0, false });
	} else if (s->w->m.flags & FLAG_ZF) {
		set_rm(s, size, get(s, walk_reg_field(s), size));
	} else {
		set(s, RAX, size, rm);
	}
}

static void move_if(struct walk_step *s)
{
	bool holds, known = walk_condition(&s->w->m, s->op[1] & 15, &holds);
	struct walk_value rm = get_rm(s, s->size), reg = get(s, walk_reg_field(s), s->size);

	if (!known && (!rm.known || !reg.known || rm.v != reg.v))
		reg.known = false;
	set(s, walk_reg_field(s), s->size, known && holds ? rm : reg);
}

static void set_if(struct walk_step *s)
{
	bool holds, known = walk_condition(&s->w->m, s->op[1] & 15, &holds);

	set_rm(s, 1, (struct walk_value){ holds, known });
}

/* bsf, bsr; tzcnt, lzcnt with f3. */
static void find_bit(struct walk_step *s)
{
	struct walk_value a = get_rm(s, s->size);
	bool from_top = s->op[1] == 0xbd, counts = s->prefix == 0xf3;
	u32 bits = 8 * s->size;
	u64 r = bits;

	forget_flags(s, ARITHMETIC);
	if (a.known && !counts)
		walk_set_flags(&s->w->m, FLAG_ZF, a.v ? 0 : FLAG_ZF);
	if (a.known && a.v)
		r = from_top ? 63 - (u64)__builtin_clzll(a.v) : (u64)__builtin_ctzll(a.v);
	if (counts && from_top && a.v)
		r = bits - 1 - r;
	if (counts && a.known)
		walk_set_flags(&s->w->m, FLAG_ZF | FLAG_CF,
		               (a.v ? 0 : FLAG_CF) | (r ? 0 : FLAG_ZF));
	set(s, walk_reg_field(s), s->size, (struct walk_value){ r, a.known && (a.v || counts) });
}

/* bt, bts, btr, btc of a register or with a constant; in memory a register may lead elsewhere. */
static bool test_bit(struct walk_step *s)
{
	bool by_constant = s->op[1] == 0xba;
	u8 kind = by_constant ? s->modrm >> 3 & 3 : s->op[1] >> 3 & 3;
	struct walk_value a, by;
	u64 bit;

	if (s->memory && !by_constant)
		return false;
	a = get_rm(s, s->size);
	by = by_constant ? constant(s, 1) : get(s, walk_reg_field(s), s->size);
	bit = (u64)1 << (by.v & (8 * s->size - 1));
	forget_flags(s, ARITHMETIC & ~FLAG_ZF);
	if (a.known && by.known)
		walk_set_flags(&s->w->m, FLAG_CF, a.v & bit ? FLAG_CF : 0);
	if (kind)
		set_rm(s, s->size,
		       (struct walk_value){ kind == 1   ? a.v | bit
		                            : kind == 2 ? a.v & ~bit
		                                        : a.v ^ bit,
		                            a.known && by.known });
	return true;
}

static void swap_bytes(struct walk_step *s)
{
	u8 reg = (u8)((s->op[1] & 7) | (s->rex & 1) << 3);
	struct walk_value a = get(s, reg, s->size);

	a.v = s->size == 8 ? __builtin_bswap64(a.v) : __builtin_bswap32((u32)a.v);
	a.known &= s->size != 2;
	set(s, reg, s->size, a);
}

static bool long_opcode(struct walk_step *s)
{
	u32 size = s->op[1] & 1 ? s->size : 1;

	switch (s->op[1]) {
	case 0x40 ... 0x4f:
		move_if(s);
		return true;
	case 0x90 ... 0x9f:
		set_if(s);
		return true;
	case 0xa3:
	case 0xab:
	case 0xb3:
	case 0xba:
	case 0xbb:
		return test_bit(s);
	case 0xaf:
		multiply(s, get(s, walk_reg_field(s), s->size), get_rm(s, s->size));
		return true;
	case 0xb0:
	case 0xb1:
		compare_exchange(s, size);
		return true;
	case 0xb6:
	case 0xb7:
		extend(s, s->op[1] & 1 ? 2 : 1, false);
		return true;
	case 0xbe:
	case 0xbf:
		extend(s, s->op[1] & 1 ? 2 : 1, true);
		return true;
	case 0xbc:
	case 0xbd:
		find_bit(s);
		return true;
	case 0xc0:
	case 0xc1:
		exchange_add(s, size);
		return true;
	case 0xc8 ... 0xcf:
		swap_bytes(s);
		return true;
	default:
		return false;
	}
}

static bool stack_opcode(struct walk_step *s)
{
	u8 reg = (u8)((s->op[0] & 7) | (s->rex & 1) << 3);
	struct walk_machine *m = &s->w->m;

	if (s->word)
		return false;
	switch (s->op[0]) {
	case 0x50 ... 0x57:
		walk_push(s, get(s, reg, 8));
		return true;
	case 0x58 ... 0x5f:
		set(s, reg, 8, walk_pop(s));
		return true;
	case 0x68:
	case 0x6a:
		walk_push(s, constant(s, s->op[0] == 0x6a ? 1 : 4));
		return true;
	case 0xc9:
		m->gpr[RSP] = m->gpr[RBP];
		set(s, RBP, 8, walk_pop(s));
		return true;
	default: /* push of what ModRM names; rsp in its address is that before the push */
		walk_push(s, get_rm(s, 8));
		return true;
	}
}

/* cbw, cwde, cdqe; cwd, cdq, cqo */
static void widen(struct walk_step *s)
{
	u32 from = s->op[0] == 0x98 ? s->size / 2 : s->size;
	struct walk_value a = get(s, RAX, from);

	if (s->op[0] == 0x98)
		set(s, RAX, s->size,
		    (struct walk_value){ (u64)extended(a.v, from) & low_bits(s->size), a.known });
	else
		set(s, RDX, s->size,
		    (struct walk_value){ is_negative(a.v, from) ? low_bits(s->size) : 0, a.known });
}

static void move(struct walk_step *s, u32 size)
{
	if (s->op[0] < 0x8a)
		set_rm(s, size, get(s, walk_reg_field(s), size));
	else
		set(s, walk_reg_field(s), size, get_rm(s, size));
}

static bool short_opcode(struct walk_step *s)
{
	u8 op = s->op[0], low = (u8)((op & 7) | (s->rex & 1) << 3);
	u32 size = op & 1 ? s->size : 1;

	switch (op) {
	case 0x00 ... 0x3f:
		two_operands(s);
		return true;
	case 0x50 ... 0x5f:
	case 0x68:
	case 0x6a:
	case 0xc9:
		return stack_opcode(s);
	case 0x63:
		extend(s, 4, true);
		return true;
	case 0x69:
	case 0x6b:
		multiply(s, get_rm(s, s->size),
		         constant(s, op == 0x6b ? 1 : constant_size(s->size)));
		return true;
	case 0x80:
	case 0x81:
	case 0x83:
		group_1(s);
		return true;
	case 0x84:
	case 0x85:
		(void)arithmetic(s, AND, get_rm(s, size), get(s, walk_reg_field(s), size), size);
		return true;
	case 0x86:
	case 0x87:
		exchange(s, size);
		return true;
	case 0x88 ... 0x8b:
		move(s, size);
		return true;
	case 0x8d:
		set(s, walk_reg_field(s), s->size,
		    (struct walk_value){ s->addr & low_bits(s->size), s->addr_known });
		return true;
	case 0x91 ... 0x97:
	case 0x90: {
		struct walk_value a = get(s, RAX, s->size), b = get(s, low, s->size);

		set(s, RAX, s->size, b);
		set(s, low, s->size, a);
		return true;
	}
	case 0x98:
	case 0x99:
		widen(s);
		return true;
	case 0xa8:
	case 0xa9:
		(void)arithmetic(s, AND, get(s, RAX, size), constant(s, constant_size(size)), size);
		return true;
	case 0xb0 ... 0xb7:
		set(s, low, 1, constant(s, 1));
		return true;
	case 0xb8 ... 0xbf:
		set(s, low, s->size, constant(s, s->size));
		return true;
	case 0xc0:
	case 0xc1:
	case 0xd0 ... 0xd3:
		shift(s);
		return true;
	case 0xc6:
	case 0xc7:
		if (s->modrm >> 3 & 7)
			return false;
		set_rm(s, size, constant(s, constant_size(size)));
		return true;
	case 0xf6:
	case 0xf7:
		group_3(s);
		return true;
	case 0xfe:
	case 0xff:
		if ((s->modrm >> 3 & 7) == 6)
			return stack_opcode(s);
		if ((s->modrm >> 3 & 7) > 1)
			return false;
		step_by_one(s, size);
		return true;
	default:
		return false;
	}
}

bool walk_insn(struct walk_step *s)
{
	if (s->form->encoding != WALK_LEGACY)
		return false;
	if (s->prefix && (s->op[0] != 0x0f || (s->op[1] != 0xbc && s->op[1] != 0xbd)))
		return false;
	return s->op[0] == 0x0f ? long_opcode(s) : short_opcode(s);
}
