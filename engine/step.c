/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * step.c - see step.h. What is made is decoded again and compared field by field: nothing but the displacement may differ.
 */
#include "step.h"

#include "reencode.h"

#define REX_W 0x48
#define REX_B 0x01
#define REX_R 0x04
#define SIB_NONE 0x24 /* no index, the base in ModRM's place */
#define ADDRESS_SIZE 0x67

static bool fits(s64 value)
{
	return value >= -0x80000000ll && value <= 0x7fffffffll;
}

/* Behind an opcode and its ModRM byte: 8 or 32 bits, signed. */
static s64 immediate(const u8 *op)
{
	s32 value;

	if (op[0] == 0x83)
		return (s8)op[2];
	memcpy(&value, op + 2, sizeof(value));
	return value;
}

/* 83 /0, 81 /0: add; /5: sub, with one register. */
static bool is_sum(const struct insn *insn, s64 *by)
{
	const u8 *op = insn->bytes + insn->opcode_at;
	u8 group = op[1] >> 3 & 7;

	if ((op[0] != 0x83 && op[0] != 0x81) || op[1] < 0xc0 || (group != 0 && group != 5))
		return false;
	*by = group ? -immediate(op) : immediate(op);
	return true;
}

static bool is_lea(const struct insn *insn, u16 def, s64 *by)
{
	const struct insn_mem *mem = &insn->mem[0];

	if (insn->bytes[insn->opcode_at] != 0x8d || insn->n_mem != 1 || mem->base > 15 ||
	    1u << mem->base != def || mem->index != MEM_NO_REG || insn->bytes[0] == ADDRESS_SIZE)
		return false;
	*by = mem->disp;
	return true;
}

bool step_of(const struct insn *insn, u8 *reg, s64 *by)
{
	u16 def = insn->def.gpr;
	u8 rex = insn->opcode_at ? insn->bytes[insn->opcode_at - 1] : 0;

	if (insn->role != ROLE_PLAIN || (rex & 0xf8) != REX_W || !def || (def & (def - 1)) ||
	    insn->use.gpr != def || (!is_sum(insn, by) && !is_lea(insn, def, by)))
		return false;
	*reg = (u8)__builtin_ctz(def);
	return true;
}

static bool same_set(const struct reg_set *a, const struct reg_set *b)
{
	return a->gpr == b->gpr && a->vec == b->vec && a->mask == b->mask && a->other == b->other;
}

/* Is the second the first with `by` added to its address, and nothing else? */
static bool is_moved(const struct insn *a, const struct insn *b, s64 by)
{
	const struct insn_mem *p = &a->mem[0], *q = &b->mem[0];

	return a->mnemonic == b->mnemonic && a->role == b->role && a->flags == b->flags &&
	       b->n_mem == 1 && a->gpr_values == b->gpr_values && same_set(&a->use, &b->use) &&
	       same_set(&a->def, &b->def) && same_set(&a->full, &b->full) &&
	       a->flags_use == b->flags_use && a->flags_def == b->flags_def &&
	       a->flags_undef == b->flags_undef && p->base == q->base && p->index == q->index &&
	       p->scale == q->scale && p->segment == q->segment && p->size == q->size &&
	       p->load == q->load && p->store == q->store && q->disp == p->disp + by;
}

static bool may_move(const struct insn *insn, u8 reg)
{
	const u32 other = INSN_RIP | INSN_REP | INSN_STACK | INSN_OPAQUE | INSN_TABLE;
	const struct insn_mem *mem = &insn->mem[0];

	if (insn->role != ROLE_PLAIN || (insn->flags & other) || insn->n_mem != 1 ||
	    mem->base != reg || mem->index == reg || ((mem->load || mem->store) && !mem->size) ||
	    ((insn->gpr_values | insn->def.gpr) >> reg & 1))
		return false;
	for (u32 i = 0; i < insn->opcode_at; i++)
		if (insn->bytes[i] == ADDRESS_SIZE)
			return false;
	return true;
}

/* The displacement stands behind ModRM and SIB; rbp and r13 as a base take one in any case (SDM 2A, table 2-2). */
bool step_displace(const struct insn *insn, u8 reg, s64 by, void *decoder, struct insn *out)
{
	u32 at = may_move(insn, reg) ? reencode_modrm_at(insn) : 0, n, old;
	u8 bytes[INSN_MAX_LEN + 4], modrm;
	struct insn made;
	s64 disp;

	if (!at || at >= insn->len || insn->bytes[at] >= 0xc0)
		return false;
	modrm = insn->bytes[at];
	n = at + 1 + ((modrm & 7) == 4);
	old = modrm >> 6 == 1 ? 1 : modrm >> 6 == 2 ? 4 : 0;
	disp = insn->mem[0].disp + by;
	if (!fits(disp) || n + old > insn->len || insn->len - old + 4 > INSN_MAX_LEN)
		return false;
	memcpy(bytes, insn->bytes, n);
	bytes[at] = (u8)((modrm & 0x3f) | (disp == (s8)disp ? 0x40 : 0x80));
	if (disp == 0 && (reg & 7) != 5)
		bytes[at] = modrm & 0x3f;
	else if (disp == (s8)disp)
		bytes[n++] = (u8)disp;
	else
		memcpy(bytes + n, &disp, 4), n += 4;
	old += at + 1 + ((modrm & 7) == 4);
	memcpy(bytes + n, insn->bytes + old, insn->len - old);
	n += insn->len - old;
	if (decode_insn(bytes, n, insn->addr, decoder, &made, NULL) != STATUS_OK || made.len != n ||
	    !is_moved(insn, &made, by))
		return false;
	*out = made;
	return true;
}

bool step_make(const struct insn *insn, u8 reg, s64 by, void *decoder, struct insn *out)
{
	u8 bytes[8] = { (u8)(REX_W | (reg & 8 ? REX_R | REX_B : 0)), 0x8d,
		        (u8)(0x80 | (reg & 7) << 3 | (reg & 7)), SIB_NONE };
	u32 n = (reg & 7) == 4 ? 4 : 3;
	struct insn made;
	u8 of;
	s64 is;

	if (!fits(by))
		return false;
	if (by == (s8)by)
		bytes[2] ^= 0xc0, bytes[n++] = (u8)by;
	else
		memcpy(bytes + n, &by, 4), n += 4;
	if (decode_insn(bytes, n, insn->addr, decoder, &made, NULL) != STATUS_OK || made.len != n ||
	    !step_of(&made, &of, &is) || of != reg || is != by)
		return false;
	*out = made;
	return true;
}
