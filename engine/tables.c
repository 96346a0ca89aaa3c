/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * tables.c - a jump through a jump table of the notes goes through the table's shadow (code.h), whose entries lead to translations.
 *
 *     jmp *d(b,i,8)                                            jmp *shadow+d(b,i,8)
 *     movslq d(b,i,4),r ; add b,r ; jmp *r                     jmp *shadow+2d(b,i,8)
 *
 * In the second form the table holds distances from its own address, so b is that address. Invariant: in front of the new jump the state is the
 * original's in front of what it stands for; where it leads, nothing differs but r and the flags of the sum, which nobody
 * reads there.
 */
#include "compact.h"
#include "pass.h"

#include "dynopt_notes.h"

#define REX 0x40
#define REX_W 0x08
#define REX_X 0x02
#define REX_B 0x01
#define OPCODE_GROUP5 0xff
#define GROUP5_JMP 4
#define OPCODE_MOVSXD 0x63
#define RM_SIB 4
#define SIB_NO_BASE 5
#define SCALE_8 3

/* jmp *disp(base,index,8), as an instruction at addr. */
static bool make_jump(struct pass *pass, const struct insn_mem *mem, s64 disp, u64 table, u64 addr,
                      struct insn *out)
{
	bool based = mem->base != MEM_NO_REG;
	u8 rex = (u8)(REX | (mem->index & 8 ? REX_X : 0) | (based && mem->base & 8 ? REX_B : 0));
	u8 base = based ? mem->base & 7 : SIB_NO_BASE;
	s32 field = (s32)disp;
	u8 bytes[INSN_MAX_LEN];
	u32 n = 0;

	if (field != disp)
		return false;
	if (rex != REX)
		bytes[n++] = rex;
	bytes[n++] = OPCODE_GROUP5;
	bytes[n++] = (u8)((based ? 0x80 : 0) | GROUP5_JMP << 3 | RM_SIB);
	bytes[n++] = (u8)(SCALE_8 << 6 | (mem->index & 7) << 3 | base);
	memcpy(bytes + n, &field, sizeof(field));
	n += sizeof(field);
	if (decode_insn(bytes, n, addr, pass->decoder, out, NULL) != STATUS_OK ||
	    out->role != ROLE_JMP_INDIRECT || out->len != n)
		return false;
	out->flags |= INSN_TABLE;
	out->target = table;
	out->rip_at = (u8)(n - sizeof(field));
	return true;
}

static bool has_operand(const struct insn *insn, u8 scale)
{
	const struct insn_mem *mem = &insn->mem[0];

	return insn->n_mem && mem->index != MEM_NO_REG && mem->scale == scale && !mem->segment &&
	       mem->size;
}

/* Registers of an instruction with REX.W whose ModRM follows one byte of opcode; -1: it is none. */
static int modrm_of(const struct insn *insn, u8 opcode, u8 *rex)
{
	u32 at = insn->opcode_at;

	*rex = at ? insn->bytes[at - 1] : 0;
	if ((*rex & (0xf0 | REX_W)) != (REX | REX_W) || insn->bytes[at] != opcode)
		return -1;
	return insn->bytes[at + 1];
}

/* movslq d(b,i,4),r: r; or -1. */
static int loads_distance(const struct insn *insn)
{
	u8 rex;
	int modrm = modrm_of(insn, OPCODE_MOVSXD, &rex), reg;

	if (modrm < 0 || !has_operand(insn, 4) || insn->mem[0].base == MEM_NO_REG)
		return -1;
	reg = (modrm >> 3 & 7) | (rex & 4 ? 8 : 0);
	return reg == insn->mem[0].base ? -1 : reg;
}

/* add b,r */
static bool adds(const struct insn *insn, u32 b, u32 r)
{
	static const u8 opcodes[] = { 0x01, 0x03 }; /* r/m += reg; reg += r/m */

	for (u32 i = 0; i < sizeof(opcodes); i++) {
		u8 rex;
		int modrm = modrm_of(insn, opcodes[i], &rex);
		u32 reg = (u32)(modrm >> 3 & 7) | (rex & 4 ? 8 : 0);
		u32 rm = (u32)(modrm & 7) | (rex & REX_B ? 8 : 0);

		if (modrm >= 0xc0)
			return i ? reg == r && rm == b : reg == b && rm == r;
	}
	return false;
}

/* jmp *r */
static bool jumps_to(const struct insn *insn, u32 r)
{
	u32 at = insn->opcode_at;
	bool extended = at && (insn->bytes[at - 1] & (0xf0 | REX_B)) == (REX | REX_B);

	return !insn->n_mem && insn->bytes[at] == OPCODE_GROUP5 &&
	       insn->bytes[at + 1] == (0xc0 | GROUP5_JMP << 3 | (r & 7)) && extended == (r > 7);
}

static bool is_exact(const struct ir_tree *tree, u32 op)
{
	return !tree->op_state || !tree->op_state[op];
}

/* The jump for the block's last instructions, in the place of `*n` of them; false: it stays as it is. */
static bool shadow(struct pass *pass, const struct ir_block *block, struct insn *out, u32 *n)
{
	const struct ir_tree *tree = pass->tree;
	const struct insn *last = &tree->ops[block->first + block->n - (block->n > 0)];
	struct text_table *table;
	int r;

	if (!block->n || last->role != ROLE_JMP_INDIRECT || block->frame ||
	    !is_exact(tree, block->first + block->n - 1))
		return false;
	table = text_table_at(pass->text, last->addr);
	if (!table)
		return false;
	*n = 1;
	if (table->form == DYNOPT_TABLE_ABS64)
		return has_operand(last, 8) && make_jump(pass, &last->mem[0], last->mem[0].disp,
		                                         table->addr, last->addr, out);
	if (block->n < 3 || !is_exact(tree, block->first + block->n - 3))
		return false;
	*n = 3;
	r = loads_distance(&last[-2]);
	return r >= 0 && last[-2].addr + last[-2].len == last[-1].addr &&
	       last[-1].addr + last[-1].len == last->addr &&
	       adds(&last[-1], last[-2].mem[0].base, (u32)r) && jumps_to(last, (u32)r) &&
	       text_table_spare(pass->text, table, (u32)r, pass->decoder) &&
	       make_jump(pass, &last[-2].mem[0], last[-2].mem[0].disp * 2, table->addr,
	                 last[-2].addr, out);
}

enum status pass_tables(struct pass *pass)
{
	struct ir_tree *tree = pass->tree;
	u8 *gone = arena_alloc(pass->arena, tree->n_ops, sizeof(*gone));
	struct insn *ops = arena_alloc(pass->arena, tree->n_ops, sizeof(*ops));
	struct insn *made = arena_alloc(pass->arena, 1, sizeof(*made));
	bool any = false;

	if (!gone || !ops || !made)
		return failed(pass->fail, STATUS_WORKSPACE, tree->head, pass->arena->size);
	memcpy(ops, tree->ops, tree->n_ops * sizeof(*ops));
	for (u32 b = 0; b < tree->n_blocks; b++) {
		const struct ir_block *block = &tree->blocks[b];
		u32 n, end = block->first + block->n;

		if (!shadow(pass, block, made, &n) || !pass_may(pass))
			continue;
		ops[end - n] = *made;
		memset(gone + end - n + 1, 1, n - 1);
		any = true;
	}
	if (!any)
		return STATUS_OK;
	tree->ops = ops;
	return compact_ops(pass, gone);
}
