/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * text_tables.c - where the jumps through the notes' jump tables lead, and what is dead there.
 *
 * A table's content may be relied on if the file says it (docs/notes-format.md: distances, or addresses of a program that is not
 * relocated), nobody can write it, and all of its entries are proven instructions. That the jump leads nowhere else is the
 * notes' word: its index is in the table.
 */
#include "limits.h"
#include "text_private.h"

#define WAYS 64
#define STEPS 4096 /* for all of a table's targets */
#define MET 2048
/* Bits that no arithmetic flag has. */
#define KEY_GPR 0x002u
#define KEY_LOW 0x008u

/* rbx, rbp, r12 to r15: a caller finds them as they were (psABI x86-64, 3.2.1). */
#define CALLEE_SAVED 0xf028u

struct text_table *text_table_at(const struct text *text, u64 site)
{
	u32 low = 0, high = text->n_tables;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (text->tables[middle].site < site)
			low = middle + 1;
		else
			high = middle;
	}
	/* One of several: the compiler has proven one table for a jump, or records contradict each other. */
	if (low == text->n_tables || text->tables[low].site != site || !text->tables[low].targets ||
	    (low + 1 < text->n_tables && text->tables[low + 1].site == site &&
	     text->tables[low + 1].addr != text->tables[low].addr))
		return NULL;
	return &text->tables[low];
}

const struct text_table *text_table_of(const struct text *text, u64 addr)
{
	for (u32 i = 0; i < text->n_tables; i++)
		if (text->tables[i].addr == addr && text->tables[i].targets)
			return &text->tables[i];
	return NULL;
}

/* ---- what is dead where a table leads ---- */

struct way {
	u64 addr;
	u16 gpr, flags; /* not yet written */
	bool low; /* the register's lowest byte is */
};

struct text_walk {
	u64 met[MET]; /* states of the walk, a hash table; 0: none */
	struct way ways[WAYS + 1]; /* still to be followed */
	u32 n;
};

enum verdict { GOES_ON, BRANCHES, ENDS, READ };

/* What an instruction does to the lowest byte of a register whose other bytes it leaves alone. */
enum byte_use { BYTE_NONE, BYTE_READ, BYTE_WRITTEN };

/* Number of a byte register; 16: ah, ch, dh, bh. SDM 2A, table 2-2. */
static u32 byte_register(const struct insn *insn, u32 field, u8 extension)
{
	u8 rex = insn->opcode_at ? insn->bytes[insn->opcode_at - 1] : 0;

	if ((rex & 0xf0) != 0x40)
		return field < 4 ? field : 16;
	return field | (rex & extension ? 8 : 0);
}

/* Of instructions with ModRM whose one or two operands are bytes, or whose source is one (movzx, movsx: the other is written whole). */
static enum byte_use byte_operands(const struct insn *insn, u32 reg)
{
	const u8 *opcode = insn->bytes + insn->opcode_at;
	bool two = opcode[0] == 0x0f;
	u8 op = opcode[two], modrm = opcode[two + 1];
	u32 r = byte_register(insn, modrm >> 3 & 7, 4);
	u32 rm = modrm >= 0xc0 ? byte_register(insn, modrm & 7, 1) : 17;
	bool arithmetic = !two && op < 0x40 && ((op & 7) == 0 || (op & 7) == 2);

	if (two && (op & 0xf0) == 0x90) /* setcc */
		return rm == reg ? BYTE_WRITTEN : BYTE_NONE;
	if (two && (op == 0xb6 || op == 0xbe))
		return rm == reg ? BYTE_READ : BYTE_NONE;
	if (two)
		return BYTE_NONE;
	if (arithmetic || op == 0x84) /* add or adc sbb and sub xor cmp, test */
		return (r == reg || rm == reg) && r != 16 && rm != 16 ? BYTE_READ : BYTE_NONE;
	if (op == 0x80) /* the same with an immediate operand */
		return rm == reg ? BYTE_READ : BYTE_NONE;
	if (op == 0xc6)
		return rm == reg ? BYTE_WRITTEN : BYTE_NONE;
	if (op == 0x88 && r == reg) /* mov r/m8, r8 */
		return BYTE_READ;
	if (op == 0x8a && rm == reg) /* mov r8, r/m8 */
		return BYTE_READ;
	return (op == 0x88 && rm == reg) || (op == 0x8a && r == reg) ? BYTE_WRITTEN : BYTE_NONE;
}

static enum byte_use byte_use(const struct insn *insn, u32 reg)
{
	u8 op = insn->bytes[insn->opcode_at];

	for (u32 i = 0; i < insn->n_mem; i++)
		if (insn->mem[i].base == reg || insn->mem[i].index == reg)
			return BYTE_NONE;
	for (u32 i = 0; i < insn->opcode_at; i++)
		if (insn->bytes[i] == 0xc4 || insn->bytes[i] == 0xc5 || insn->bytes[i] == 0x62 ||
		    insn->bytes[i] == 0x8f)
			return BYTE_NONE; /* VEX, EVEX, XOP */
	if ((op & 0xf8) == 0xb0) /* mov r8, imm8 */
		return byte_register(insn, op & 7, 1) == reg ? BYTE_WRITTEN : BYTE_NONE;
	if (reg == 0 && op < 0x40 && (op & 7) == 4) /* the arithmetic ones with al */
		return BYTE_READ;
	if (reg == 0 && op == 0xa8) /* test al */
		return BYTE_READ;
	return byte_operands(insn, reg);
}

/* Does it read bytes of the register that nobody has written? */
static bool reads(const struct insn *insn, struct way *way)
{
	enum byte_use use;

	if (!(insn->use.gpr & way->gpr))
		return false;
	use = byte_use(insn, (u32)__builtin_ctz(way->gpr));
	way->low |= use == BYTE_WRITTEN;
	return use == BYTE_NONE || !way->low;
}

/*
 * To another function, or to where no instruction is proven, as in a PLT; or by a pointer in memory, other than through what may be
 * a table.
 */
static bool is_tail_call(const struct text *text, const struct insn *insn)
{
	u16 marks = text_marks(text, insn->target);
	u64 start, end;

	if (insn->role == ROLE_JMP_INDIRECT)
		return insn->n_mem && insn->mem[0].index == MEM_NO_REG;
	if (insn->role != ROLE_JMP)
		return false;
	if (text_is_unread(text, insn->target))
		return text_function(text, insn->target, &start, &end) && start == insn->target;
	return !(marks & TEXT_INSN) || (marks & TEXT_FUNCTION);
}

/* Shifts and rotations by cl read no flag, and keep all if cl is 0 (SDM 2, SAL/SAR/SHL/SHR); rcl and rcr read the carry. */
static bool keeps_flags(const struct insn *insn)
{
	const u8 *opcode = insn->bytes + insn->opcode_at;
	u8 group = opcode[1] >> 3 & 7;

	return insn->flags_use && (opcode[0] & 0xfe) == 0xd2 && group != 2 && group != 3;
}

static enum verdict judge(const struct text *text, const struct insn *insn, struct way *way)
{
	u8 role = is_tail_call(text, insn) ? ROLE_RET : insn->role;

	if ((insn->flags & INSN_OPAQUE) || reads(insn, way))
		return READ;
	way->gpr &= (u16)~insn->full.gpr;
	if (!keeps_flags(insn)) {
		if (insn->flags_use & way->flags)
			return READ;
		way->flags &= (u16)~insn->flags_def;
	}
	switch (role) {
	case ROLE_PLAIN:
	case ROLE_JMP:
		return GOES_ON;
	case ROLE_JCC:
	case ROLE_COUNT:
		return BRANCHES;
	case ROLE_CALL:
	case ROLE_CALL_INDIRECT: /* the address of a jump is nobody's argument */
		way->gpr &= CALLEE_SAVED;
		way->flags = 0;
		return GOES_ON;
	case ROLE_RET:
		way->flags = 0;
		return way->gpr & CALLEE_SAVED ? READ : ENDS;
	default:
		return READ;
	}
}

/* ---- the walk ---- */

/* Was this state met already? Remembers it. A full table has met nothing, and the walk ends by its steps. */
static bool is_met(struct text_walk *w, const struct way *way)
{
	u64 key = way->addr << 12 | way->flags | (way->gpr ? KEY_GPR : 0) |
	          (way->low ? KEY_LOW : 0);
	u32 at = (u32)(key * 0x9e3779b97f4a7c15u >> 40) % MET;

	for (u32 i = 0; i < MET && w->met[at]; i++, at = (at + 1) % MET)
		if (w->met[at] == key)
			return true;
	w->met[at] = key;
	return false;
}

/* One instruction further; false if something is read. *ends: nothing is left to follow, *branch: the other way, if there is one. */
static bool step(const struct text *text, struct way *way, void *scratch, bool *ends, u64 *branch)
{
	struct insn insn;
	enum verdict verdict;

	*branch = 0;
	if (text_insn(text, way->addr, scratch, &insn, NULL) != STATUS_OK)
		return false;
	verdict = judge(text, &insn, way);
	*ends = verdict == ENDS || !(way->gpr || way->flags);
	way->addr = insn.role == ROLE_JMP ? insn.target : way->addr + insn.len;
	if (verdict == BRANCHES && !*ends)
		*branch = insn.target;
	return verdict != READ;
}

/*
 * Are the register and the flags written before they are read, on every way on from what is on the stack? What is not followed to
 * its end is read.
 */
static bool unread(const struct text *text, void *scratch, u32 *steps)
{
	struct text_walk *w = text->walk;

	while (w->n) {
		struct way way = w->ways[--w->n];
		bool ends = is_met(w, &way);
		u64 branch;

		while (!ends) {
			if (++*steps == STEPS || !step(text, &way, scratch, &ends, &branch))
				return false;
			if (!branch)
				continue;
			if (w->n == WAYS)
				return false;
			ends = is_met(w, &way);
			w->ways[w->n] = way;
			w->ways[w->n++].addr = branch;
		}
	}
	return true;
}

bool text_table_spare(const struct text *text, struct text_table *table, u32 reg, void *scratch)
{
	const u16 flags = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF;
	u16 bit = (u16)(1u << reg);
	bool spare = true;
	u32 steps = 0;

	if (table->asked & bit)
		return table->spare & bit;
	memset(text->walk, 0, sizeof(*text->walk));
	for (u64 i = 0; spare && i < table->count; i++) {
		u64 addr = text->start + table->targets[i];

		text->walk->ways[text->walk->n++] = (struct way){ addr, bit, flags, false };
		spare = unread(text, scratch, &steps);
	}
	table->asked |= bit;
	table->spare |= spare ? bit : 0;
	return spare;
}

/* ---- where they lead ---- */

static bool read_only(const struct builder *b, const struct text_table *table)
{
	u64 size = table->count * (table->form == DYNOPT_TABLE_REL32 ? 4 : 8);

	for (u32 i = 0; i < b->view->n_loads; i++) {
		const struct elf_span *span = &b->view->loads[i];

		if (table->addr >= span->addr && table->addr - span->addr < span->size)
			return !(span->flags & ELF_VIEW_W) &&
			       size <= span->size - (table->addr - span->addr);
	}
	return false;
}

static bool is_certified(const struct text *text, u64 addr)
{
	const u16 certified = TEXT_INSN | TEXT_CERTIFIED;

	return (text_marks(text, addr) & certified) == certified;
}

static const u32 *find_targets(struct builder *b, const struct text_table *table,
                               struct arena *keep)
{
	const struct notes_table notes = { .addr = table->addr,
		                           .count = table->count,
		                           .form = table->form };
	u64 mark = arena_mark(keep), target;
	u32 *targets;

	if (!table->count || table->count > LIMIT_TABLE_ENTRIES || !read_only(b, table) ||
	    !is_certified(b->text, table->site))
		return NULL;
	targets = arena_alloc(keep, table->count, sizeof(*targets));
	for (u64 i = 0; targets && i < table->count; i++) {
		if (!notes_table_target(b->view, &notes, i, &target) ||
		    !is_certified(b->text, target)) {
			arena_release(keep, mark);
			return NULL;
		}
		targets[i] = (u32)(target - b->text->start);
	}
	return targets;
}

/* Those of the notes and of arrays of labels, by site. */
static enum status add_gotos(struct builder *b, struct arena *keep, struct failure *fail)
{
	struct text *text = b->text;
	struct text_table *found = arena_alloc(b->scratch, TEXT_GOTOS_MAX, sizeof(*found)), *all;
	u32 n = found ? text_find_gotos(b, keep, found) : 0;

	if (!n)
		return STATUS_OK;
	all = arena_alloc(keep, text->n_tables + n, sizeof(*all));
	if (!all)
		return failed(fail, STATUS_WORKSPACE, 0, n * sizeof(*all));
	memcpy(all, text->tables, text->n_tables * sizeof(*all));
	memcpy(all + text->n_tables, found, n * sizeof(*all));
	text->tables = all;
	text->n_tables += n;
	text_sort(all, text->n_tables, sizeof(*all));
	return STATUS_OK;
}

enum status text_add_tables(struct builder *b, struct arena *keep, struct failure *fail)
{
	struct text *text = b->text;
	enum status status = STATUS_OK;

	if (!text->noted)
		return STATUS_OK;
	if (!text->walk)
		text->walk = arena_alloc(keep, 1, sizeof(*text->walk));
	if (!text->walk)
		return failed(fail, STATUS_WORKSPACE, 0, sizeof(*text->walk));
	for (u32 i = 0; status == STATUS_OK && i < text->n_tables; i++) {
		struct text_table *table = &text->tables[i], *before = table - (i > 0);

		if (table->targets)
			continue;
		if (i && before->targets && before->addr == table->addr &&
		    before->count == table->count && before->form == table->form &&
		    is_certified(text, table->site)) {
			table->targets = before->targets;
			continue;
		}
		status = text_pay(b, table->count, fail);
		if (status == STATUS_OK)
			table->targets = find_targets(b, table, keep);
	}
	return status == STATUS_OK ? add_gotos(b, keep, fail) : status;
}
