/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * validate_tables.c - does a jump through the shadow of a jump table lead where the original's jump leads?
 *
 * Entry i of the shadow leads to where the table's entry i leads, or to a translation that starts there (code.h), so both sides must
 * choose the same entry. The notes say that the original's jump chooses one of the table's. In the first form both name it by the same
 * registers. In the second the original adds a distance to a register; the table's targets are distances from the table,
 * so that register is the table's address, which is checked where it is known. What the sum leaves behind has to be dead.
 */
#include "validate_private.h"

#include "dynopt_notes.h"

#define OPCODE_MOVSXD 0x63
#define OPCODE_ADD_TO_RM 0x01
#define OPCODE_ADD_TO_REG 0x03

/* An operand base + index * scale + disp. */
struct operand {
	u8 base, index;
	s64 disp;
};

static bool take_operand(const struct insn *insn, u8 scale, u16 size, struct operand *out)
{
	const struct insn_mem *mem = &insn->mem[0];

	*out = (struct operand){ mem->base, mem->index, mem->disp };
	return insn->n_mem == 1 && mem->load && !mem->segment && mem->size == size &&
	       mem->index != MEM_NO_REG && mem->scale == scale && !(insn->flags & INSN_RIP);
}

static bool chooses(const struct operand *ours, const struct operand *theirs)
{
	return ours->base == theirs->base && ours->index == theirs->index;
}

/* 64-bit operands: the number of the one register that is written; 16: it is not like that. */
static u32 written(const struct insn *insn)
{
	u16 gpr = insn->def.gpr;
	u8 rex = insn->opcode_at ? insn->bytes[insn->opcode_at - 1] : 0;

	if (!gpr || (gpr & (gpr - 1)) || (rex & 0xf8) != 0x48)
		return 16;
	return (u32)__builtin_ctz(gpr);
}

/* movslq d(b,i,4),r at addr, r being none of b */
static bool loads(struct validator *v, u64 *addr, struct operand *from, u32 *r)
{
	const struct insn *insn = original_insn(v, *addr);

	if (!insn || insn->bytes[insn->opcode_at] != OPCODE_MOVSXD ||
	    !take_operand(insn, 4, 4, from) || from->base == MEM_NO_REG)
		return false;
	*r = written(insn);
	*addr += insn->len;
	return *r < 16 && *r != from->base;
}

/* add b,r at addr */
static bool adds(struct validator *v, u64 *addr, u32 b, u32 r)
{
	const struct insn *insn = original_insn(v, *addr);

	if (!insn || insn->n_mem || insn->role != ROLE_PLAIN || written(insn) != r ||
	    insn->use.gpr != (1u << b | 1u << r))
		return false;
	*addr += insn->len;
	return insn->bytes[insn->opcode_at] == OPCODE_ADD_TO_RM ||
	       insn->bytes[insn->opcode_at] == OPCODE_ADD_TO_REG;
}

static bool jumps(struct validator *v, u64 addr, u32 r)
{
	const struct insn *insn = original_insn(v, addr);

	return insn && insn->role == ROLE_JMP_INDIRECT && !insn->n_mem &&
	       insn->use.gpr == (1u << r);
}

/* Where the register's value is known to be an address of the module, it is the table's. */
static bool may_be(struct validator *v, const struct path *path, u32 b, u64 table)
{
	struct sum known = value_sum(&v->values, path->original.v[b]);
	struct sum wanted = value_sum(&v->values, value_text(&v->values, table));

	return known.atom != wanted.atom || known.c == wanted.c;
}

static bool by_distances(struct validator *v, const struct path *path, const struct operand *ours,
                         const struct code_fixup *fixup)
{
	struct operand theirs;
	struct text_table *table;
	u64 addr = path->pc;
	u32 r;

	if (!loads(v, &addr, &theirs, &r) || !adds(v, &addr, theirs.base, r) || !jumps(v, addr, r))
		return false;
	table = text_table_at(v->text, addr);
	return table && table->form == DYNOPT_TABLE_REL32 && table->addr == fixup->target &&
	       chooses(ours, &theirs) && (s32)fixup->to == 2 * theirs.disp &&
	       may_be(v, path, theirs.base, table->addr) &&
	       text_table_spare(v->text, table, r, v->decoder);
}

static bool by_addresses(struct validator *v, const struct insn *insn, const struct operand *ours,
                         const struct code_fixup *fixup)
{
	const struct text_table *table = text_table_at(v->text, insn->addr);
	struct operand theirs;

	return table && table->form == DYNOPT_TABLE_ABS64 && table->addr == fixup->target &&
	       take_operand(insn, 8, 8, &theirs) && chooses(ours, &theirs) &&
	       (s32)fixup->to == theirs.disp;
}

bool table_leads_on(struct validator *v, const struct path *path, const struct code_fixup *fixup)
{
	const struct insn *insn = original_insn(v, path->pc);
	struct operand ours;

	if (!insn || !take_operand(v->insn, 8, 8, &ours))
		return false;
	return insn->role == ROLE_JMP_INDIRECT ? by_addresses(v, insn, &ours, fixup)
	                                       : by_distances(v, path, &ours, fixup);
}
