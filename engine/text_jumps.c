/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * text_jumps.c - where indirect jumps of foreign text may lead.
 *
 * A jump table is an address that an instruction names, at which three entries or more lead to proven
 * instructions: absolute addresses, or distances from the table that lead into that instruction's own function or
 * its cold part (one with a branch back into the function's inside). Sixteen distances or more from an address inside
 * the function are one, too (differences of labels, as in printf). It ends where an entry does not, or where
 * the next table begins. Numbers that are no table do not look like that.
 * A code pointer is what a relative relocation of the file adds to the load address: the linker says that it is an address.
 *
 * All this only tells which proven instructions are reached; a mistake here makes no boundary.
 */
#include "text_private.h"

/* Compilers make no shorter ones. */
#define TABLE_ENTRIES_MIN 3
#define LABEL_ENTRIES_MIN 16
#define TABLE_ENTRIES_MAX 65536
#define NAMING_LEN_MIN 7 /* of an instruction that names one */

#define DT_NULL 0
#define DT_RELA 7
#define DT_RELASZ 8
#define R_X86_64_RELATIVE 8

struct dyn {
	u64 tag, value;
};

struct rela {
	u64 offset, info, addend;
};

const struct function *text_function_at(const struct builder *b, u64 addr)
{
	u32 low = 0, high = b->n_functions;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (b->functions[middle].fde.end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low == b->n_functions || addr < b->functions[low].fde.start ? NULL
	                                                                   : &b->functions[low];
}

static const struct function *proven_at(const struct builder *b, u64 addr)
{
	const struct function *f = text_function_at(b, addr);

	return f && f->proven ? f : NULL;
}

/* The address that the instruction at addr names in its last four bytes, and what a table there would hold. */
static u64 named(const struct builder *b, u64 addr, u32 *form)
{
	u8 kind = b->kinds[addr - b->text->start];
	u64 end = addr + kind_len(kind);
	s32 number = (s32)port_get32(text_code(b, addr) + kind_len(kind) - sizeof(s32));

	/* lea is the one of seven bytes */
	if (kind_class(kind) == KIND_TABLE && kind_len(kind) == 7) {
		*form = DYNOPT_TABLE_REL32;
		return end + (u64)(s64)number;
	}
	*form = DYNOPT_TABLE_ABS64;
	return (u64)(s64)number;
}

/* Where entry `i` leads; false if the file does not say. */
static bool entry(const struct builder *b, const struct jump_table *table, u64 i, u64 *target)
{
	const struct notes_table absolute = { .addr = table->addr,
		                              .count = i + 1,
		                              .form = DYNOPT_TABLE_ABS64 };
	const u8 *bytes;

	if (table->form == DYNOPT_TABLE_ABS64)
		return notes_table_target(b->view, &absolute, i, target);
	bytes = elf_view_bytes(b->view, table->addr + i * sizeof(s32), sizeof(s32), 0);
	if (!bytes)
		return false;
	*target = table->base + (u64)(s64)(s32)port_get32(bytes);
	return true;
}

/* Does g branch into the inside of f, as the cold part of a function does? */
static bool branches_into(const struct builder *b, const struct function *g,
                          const struct function *f)
{
	u64 addr = g->fde.start, target;

	while (addr < g->fde.end) {
		u8 kind = b->kinds[addr - b->text->start];

		if (kind_direct(kind_class(kind)) && kind_class(kind) != KIND_CALL) {
			target = text_branch_target(b, addr);
			if (target > f->fde.start && target < f->fde.end)
				return true;
		}
		addr += kind_len(kind);
	}
	return false;
}

static bool is_foreign_insn(const struct builder *b, u64 addr)
{
	return text_holds(b->text, addr) &&
	       (b->text->marks[addr - b->text->start] & (TEXT_INSN | TEXT_CERTIFIED)) == TEXT_INSN;
}

/* Does the target belong to a table? *cold is the cold part of its function, once one was seen. */
static bool belongs(struct builder *b, const struct jump_table *table, u64 target,
                    const struct function **cold)
{
	const struct function *f = table->function, *g;

	if (!is_foreign_insn(b, target))
		return false;
	if (table->form == DYNOPT_TABLE_ABS64 || (target >= f->fde.start && target < f->fde.end))
		return true;
	g = proven_at(b, target);
	if (!g || g == *cold)
		return g != NULL;
	if (g->fde.end - g->fde.start > b->look_budget)
		return false;
	b->look_budget -= g->fde.end - g->fde.start;
	if (!branches_into(b, g, f))
		return false;
	*cold = g;
	return true;
}

/* Entries that belong to the table, at most `max` and not further than `end`. */
static u32 count_entries(struct builder *b, const struct jump_table *table, u32 max, u64 end)
{
	u64 size = table->form == DYNOPT_TABLE_REL32 ? sizeof(s32) : sizeof(u64), target;
	const struct function *cold = NULL;
	u32 n = 0;

	while (n < max && end - table->addr >= (n + 1) * size && entry(b, table, n, &target) &&
	       belongs(b, table, target, &cold))
		n++;
	return n;
}

/* An instruction of foreign text that may name a table. */
struct naming {
	u32 at; /* offset from text->start */
	u32 function; /* the proven one that it is in */
};

/* Lists them in order of address, as proven functions are. */
static enum status find_naming(struct builder *b, struct naming **list, u32 *n_list,
                               struct failure *fail)
{
	u64 start = b->text->start, n = b->text->end - start, addr;
	u64 most = n / NAMING_LEN_MIN + 1 < b->n_naming ? n / NAMING_LEN_MIN + 1 : b->n_naming;
	struct naming *all = arena_alloc(b->scratch, most, sizeof(*all));
	u32 i;

	if (most && !all)
		return failed(fail, STATUS_WORKSPACE, 0, most * sizeof(*all));
	*list = all;
	*n_list = 0;
	for (i = 0; i < b->n_functions; i++) {
		const struct function *f = &b->functions[i];

		for (addr = f->fde.start; f->proven && addr < f->fde.end && *n_list < most;
		     addr += kind_len(b->kinds[addr - start])) {
			u32 class = kind_class(b->kinds[addr - start]);

			if (class == KIND_TABLE || class == KIND_JUMP_TABLE)
				all[(*n_list)++] = (struct naming){ (u32)(addr - start), i };
		}
	}
	return STATUS_OK;
}

/* An address inside itself that a function names is what its label differences count from. */
static void find_bases(struct builder *b, const struct naming *list, u32 n)
{
	u32 form, i;

	for (i = 0; i < n; i++) {
		struct function *f = &b->functions[list[i].function];
		u64 addr = named(b, b->text->start + list[i].at, &form);

		if (form == DYNOPT_TABLE_REL32 && !f->base && addr > f->fde.start &&
		    addr < f->fde.end && is_foreign_insn(b, addr))
			f->base = addr;
	}
}

/* Is there a table where this instruction points? */
static bool find_table(struct builder *b, const struct naming *at, struct jump_table *out)
{
	const struct function *f = &b->functions[at->function];
	struct jump_table table = { .function = f };

	table.addr = named(b, b->text->start + at->at, &table.form);
	table.base = table.addr;
	if (count_entries(b, &table, TABLE_ENTRIES_MIN, ~(u64)0) < TABLE_ENTRIES_MIN) {
		/* Small numbers may lead anywhere near the base: only many of them are a table. */
		table.base = f->base;
		if (!f->base || table.form != DYNOPT_TABLE_REL32 ||
		    count_entries(b, &table, LABEL_ENTRIES_MIN, ~(u64)0) < LABEL_ENTRIES_MIN)
			return false;
	}
	*out = table;
	return true;
}

/* Counts tables, as far as their first entries tell; stores at most `max`. */
static u32 collect(struct builder *b, const struct naming *list, u32 n_list, u32 max)
{
	struct jump_table table;
	u32 n = 0, i;

	for (i = 0; i < n_list; i++) {
		if (!find_table(b, &list[i], &table))
			continue;
		if (n < max)
			b->tables[n] = table;
		n++;
	}
	return n;
}

/* Sorts, and leaves one of those with the same address. */
static void unite(struct builder *b)
{
	u32 i, n = 0;

	text_sort(b->tables, b->n_tables, sizeof(*b->tables));
	for (i = 0; i < b->n_tables; i++) {
		if (n == 0 || b->tables[i].addr != b->tables[n - 1].addr)
			b->tables[n++] = b->tables[i];
	}
	b->n_tables = n;
}

/* Measures a table now that all are known, and marks where it leads. */
static enum status measure(struct builder *b, struct jump_table *table, u64 end,
                           struct failure *fail)
{
	enum status status;
	u64 target;
	u32 i;

	table->n = count_entries(b, table, TABLE_ENTRIES_MAX, end);
	status = text_pay(b, table->n, fail);
	for (i = 0; status == STATUS_OK && i < table->n; i++) {
		target = text_table_entry(b, table, i);
		if (text_holds(b->text, target))
			b->text->marks[target - b->text->start] |= TEXT_TARGET;
	}
	return status;
}

static void find_relocations(struct builder *b)
{
	const struct elf_view *view = b->view;
	const u8 *bytes = elf_view_bytes(view, view->dynamic, view->dynamic_size, 0);
	u64 rela = 0, size = 0, at;
	struct dyn dyn;

	if (!view->dynamic || !bytes)
		return;
	for (at = 0; view->dynamic_size - at >= sizeof(dyn); at += sizeof(dyn)) {
		memcpy(&dyn, bytes + at, sizeof(dyn));
		if (dyn.tag == DT_NULL)
			break;
		if (dyn.tag == DT_RELA)
			rela = dyn.value;
		if (dyn.tag == DT_RELASZ)
			size = dyn.value;
	}
	if (!rela)
		return;
	b->relocations = elf_view_bytes(view, view->base + rela, size, 0);
	b->relocations_size = b->relocations ? size : 0;
}

bool text_code_pointer(const struct builder *b, u64 *at, u64 *target)
{
	while (b->relocations_size - *at >= sizeof(struct rela)) {
		const u8 *rela = b->relocations + *at;

		*at += sizeof(struct rela);
		*target = b->view->base + port_get64(rela + offsetof(struct rela, addend));
		if (port_get64(rela + offsetof(struct rela, info)) == R_X86_64_RELATIVE &&
		    text_holds(b->text, *target))
			return true;
	}
	return false;
}

const struct jump_table *text_table_named(const struct builder *b, u64 addr)
{
	u32 low = 0, high = b->n_tables, form;
	u64 table = named(b, addr, &form);

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (b->tables[middle].addr < table)
			low = middle + 1;
		else
			high = middle;
	}
	return low < b->n_tables && b->tables[low].addr == table && b->tables[low].form == form
	               ? &b->tables[low]
	               : NULL;
}

u64 text_table_entry(const struct builder *b, const struct jump_table *table, u32 i)
{
	u64 target = 0;

	return entry(b, table, i, &target) ? target : 0;
}

void text_mark_pointers(struct builder *b)
{
	u64 at = 0, target;

	find_relocations(b);
	while (text_code_pointer(b, &at, &target)) {
		u16 *mark = &b->text->marks[target - b->text->start];

		if ((*mark & TEXT_INSN) && !(*mark & TEXT_FUNCTION))
			*mark |= TEXT_TARGET;
	}
}

enum status text_add_jumps(struct builder *b, struct failure *fail)
{
	struct naming *list;
	u32 i, n;
	enum status status = find_naming(b, &list, &n, fail);

	if (status)
		return status;
	find_bases(b, list, n);
	b->n_tables = collect(b, list, n, 0);
	b->tables = arena_alloc(b->scratch, b->n_tables, sizeof(*b->tables));
	if (b->n_tables && !b->tables)
		return failed(fail, STATUS_WORKSPACE, 0, b->n_tables * sizeof(*b->tables));
	b->n_tables = collect(b, list, n, b->n_tables);
	unite(b);
	for (i = 0; status == STATUS_OK && i < b->n_tables; i++) {
		u64 end = i + 1 < b->n_tables ? b->tables[i + 1].addr : ~(u64)0;

		status = measure(b, &b->tables[i], end, fail);
	}
	if (status == STATUS_OK)
		text_mark_pointers(b);
	return status;
}
