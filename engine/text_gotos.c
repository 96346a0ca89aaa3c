/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * text_gotos.c - arrays of labels through which certified functions jump (`goto *labels[i]`), which no note names.
 *
 *     and $mask,%i  ...  jmp *(%b,%i,8)
 *
 * Proven is, for every execution of the jump: that b holds the array's address, for whatever leads to it last loads that
 * address into b (a register that calls preserve), and nothing else reaches it; that i is at most the mask, for nobody arrives between the
 * two; and what the array holds, for the file's relocations fill it and nobody can write it later (PT_GNU_RELRO). Entries
 * that are no label of the function are taken to lead to the jump itself, which does what it does.
 */
#include "limits.h"
#include "text_private.h"

#define WAYS 4096
#define STEPS 262144
#define LABELS_MIN 3
#define ENTRY_SIZE 8
#define MASK_DISTANCE 8 /* instructions between the mask and the jump */

/* rbx, rbp, r12 to r15 (psABI x86-64, 3.2.1) */
#define CALLEE_SAVED 0xf028u

struct goto_jump {
	u64 site;
	u32 mask; /* of the index */
	u8 base, index;
};

struct finder {
	struct builder *b;
	const struct fde *f;
	struct goto_jump jumps[TEXT_GOTOS_MAX];
	u32 n_jumps;
	struct insn *insn;
	/* Of the function and the register that are looked at: */
	u8 base;
	u64 array;
	struct {
		struct insn_brief brief;
		bool writes, opaque; /* it writes the register; nothing is known of it */
		u64 loads; /* the address that it loads into the register; 0: it does something else */
	} at; /* the instruction that was met last */
	u8 *met; /* one byte for each of the function's */
	u64 *ways;
	u32 n_ways, steps;
};

static bool is_certified(const struct text *text, u64 addr)
{
	const u16 certified = TEXT_INSN | TEXT_CERTIFIED;

	return (text_marks(text, addr) & certified) == certified;
}

/* May its bytes be believed? Not where translations are forbidden: control goes other ways there, or bytes change. */
static bool is_plain(const struct text *text, u64 addr)
{
	return is_certified(text, addr) && !(text_marks(text, addr) & TEXT_NO_TRANSLATE);
}

static bool decode(struct finder *s, u64 addr)
{
	return is_certified(s->b->text, addr) &&
	       text_insn(s->b->text, addr, s->b->decoder, s->insn, NULL) == STATUS_OK;
}

/* ---- candidates ---- */

/* The function of the unwind table around addr, if it has no landing pads. */
static const struct fde *function_of(const struct builder *b, u64 addr)
{
	const struct function *f = text_function_at(b, addr);

	return f && !f->fde.lsda ? &f->fde : NULL;
}

static u64 before(const struct builder *b, u64 addr)
{
	for (u32 len = 1; len <= INSN_MAX_LEN; len++)
		if (is_certified(b->text, addr - len) &&
		    kind_len(b->kinds[addr - len - b->text->start]) == len)
			return addr - len;
	return 0;
}

/* and $imm,r32: r; or 16. */
static u32 masked(const struct insn *insn, u32 *mask)
{
	const u8 *opcode = insn->bytes + insn->opcode_at;
	u8 rex = insn->opcode_at ? insn->bytes[insn->opcode_at - 1] : 0;
	s32 imm = 0;

	for (u32 i = 0; i < insn->opcode_at; i++)
		if (insn->bytes[i] == 0x66)
			return 16;
	if ((opcode[0] != 0x83 && opcode[0] != 0x81) || (opcode[1] & 0xf8) != 0xe0)
		return 16;
	if (opcode[0] == 0x83)
		imm = (s8)opcode[2];
	else
		memcpy(&imm, opcode + 2, sizeof(imm));
	*mask = (u32)imm;
	return imm < 0 ? 16
	               : (opcode[1] & 7) | ((rex & 0xf1) == 0x41 || (rex & 0xf9) == 0x49 ? 8 : 0);
}

/* Is the index masked in front of the jump, with no way in between? */
static bool find_mask(struct finder *s, struct goto_jump *jump)
{
	const u16 arrival = TEXT_ARRIVAL | TEXT_LOOP;
	u64 addr = jump->site;

	for (u32 i = 0; i < MASK_DISTANCE; i++) {
		if (text_marks(s->b->text, addr) & arrival)
			return false;
		addr = before(s->b, addr);
		if (!addr || !decode(s, addr) || s->insn->role != ROLE_PLAIN)
			return false;
		if (masked(s->insn, &jump->mask) == jump->index)
			return jump->mask < LIMIT_TABLE_ENTRIES;
		if (s->insn->def.gpr >> jump->index & 1)
			return false;
	}
	return false;
}

static void find_jump(struct finder *s, u64 addr)
{
	struct builder *b = s->b;
	struct goto_jump *jump = &s->jumps[s->n_jumps];
	const struct insn_mem *mem = &s->insn->mem[0];
	u8 kind = b->kinds[addr - b->text->start];

	if (kind_class(kind) != KIND_BARRIER || kind_len(kind) < 3 ||
	    !is_certified(b->text, addr) || text_table_at(b->text, addr) || !decode(s, addr) ||
	    s->insn->role != ROLE_JMP_INDIRECT || s->insn->n_mem != 1 || mem->base > 15 ||
	    mem->index > 15 || mem->scale != ENTRY_SIZE || mem->disp || mem->segment ||
	    !(CALLEE_SAVED >> mem->base & 1))
		return;
	*jump = (struct goto_jump){ addr, 0, mem->base, mem->index };
	if (function_of(b, addr) && find_mask(s, jump))
		s->n_jumps++;
}

static void find_jumps(struct finder *s)
{
	const struct builder *b = s->b;

	for (u32 k = 0; k < b->n_parts; k++) {
		u64 i = b->parts[k].start - b->text->start, n = b->parts[k].end - b->text->start;

		for (; i < n && s->n_jumps < TEXT_GOTOS_MAX;
		     i += b->kinds[i] ? kind_len(b->kinds[i]) : 1)
			find_jump(s, b->text->start + i);
	}
}

/* ---- the array's address ---- */

/* lea T(%rip),%r64: T; 0: it is something else. */
static u64 loaded(const struct insn *insn, u8 base)
{
	bool lea = (insn->flags & INSN_RIP) && !(insn->flags & (INSN_LOAD | INSN_STORE));

	return lea && insn->full.gpr == 1u << base ? insn->target : 0;
}

/* What the instruction at addr does to the register. Most are no business of it, which their bytes tell. */
static bool meet(struct finder *s, u64 addr)
{
	const struct insn *insn = s->insn;
	u64 size;
	const u8 *bytes = text_bytes(s->b->text, addr, &size);

	s->at.writes = s->at.opaque = false;
	s->at.loads = 0;
	if (bytes && size >= INSN_MAX_LEN && is_plain(s->b->text, addr) &&
	    text_quick_keeps(bytes, addr, s->base, &s->at.brief))
		return true;
	if (!decode(s, addr))
		return false;
	s->at.brief =
		(struct insn_brief){ .target = insn->target, .len = insn->len, .role = insn->role };
	s->at.writes = insn->def.gpr >> s->base & 1;
	s->at.opaque = insn->flags & INSN_OPAQUE;
	s->at.loads = loaded(insn, s->base);
	return true;
}

static bool is_jump(const struct finder *s, u64 addr)
{
	for (u32 i = 0; i < s->n_jumps; i++)
		if (s->jumps[i].site == addr && s->jumps[i].base == s->base)
			return true;
	return false;
}

/* In front of addr the register may hold something else; false if there is no room. */
static bool spoil(struct finder *s, u64 addr)
{
	if (addr < s->f->start || addr >= s->f->end)
		return true; /* another function */
	if (s->met[addr - s->f->start])
		return true;
	if (s->n_ways == WAYS)
		return false;
	s->met[addr - s->f->start] = 1;
	s->ways[s->n_ways++] = addr;
	return true;
}

/* Behind the instruction at addr, in front of which it may. */
static bool spread(struct finder *s, u64 addr)
{
	const struct text_table *table;
	u64 target = s->at.brief.target, behind = addr + s->at.brief.len;

	switch (s->at.brief.role) {
	case ROLE_PLAIN:
	case ROLE_CALL:
	case ROLE_CALL_INDIRECT:
		return s->at.loads == s->array || spoil(s, behind);
	case ROLE_JMP:
		return spoil(s, target);
	case ROLE_JCC:
	case ROLE_COUNT:
		return spoil(s, target) && spoil(s, behind);
	case ROLE_RET:
	case ROLE_TRAP:
		return true;
	case ROLE_JMP_INDIRECT:
		table = text_table_at(s->b->text, addr);
		for (u64 i = 0; table && i < table->count; i++)
			if (!spoil(s, s->b->text->start + table->targets[i]))
				return false;
		return table != NULL;
	default:
		return false;
	}
}

/* Does a branch elsewhere, of those that were decoded in [from, to), lead into the function behind its start? */
static bool is_entered_from(const struct finder *s, u64 from, u64 to)
{
	const struct builder *b = s->b;

	for (u64 i = from, target; i < to; i += b->kinds[i] ? kind_len(b->kinds[i]) : 1) {
		u64 addr = b->text->start + i;

		if (!kind_direct(kind_class(b->kinds[i])) ||
		    (addr >= s->f->start && addr < s->f->end))
			continue;
		target = text_branch_target(b, addr);
		if (target > s->f->start && target < s->f->end)
			return true;
	}
	return false;
}

/* By parts, all code is known by its bytes, and that beside the function is decoded. */
static bool is_entered(const struct finder *s)
{
	const struct text *text = s->b->text;
	u64 n = text->end - text->start, from = 0, to = n;

	if (!text->parts)
		return is_entered_from(s, 0, n);
	if (s->f->start - text->start > TEXT_REACH8)
		from = s->f->start - text->start - TEXT_REACH8;
	if (text->end - s->f->end > TEXT_REACH8)
		to = s->f->end - text->start + TEXT_REACH8;
	return is_entered_from(s, from, to) || text_is_entered(s->b, s->f->start, s->f->end);
}

/* Where the register is written in the function otherwise, and how far that gets: false if to a jump. */
static bool holds_array(struct finder *s)
{
	u64 addr = s->f->start;

	s->n_ways = s->steps = 0;
	memset(s->met, 0, s->f->end - s->f->start);
	if (!spoil(s, addr))
		return false;
	for (; addr < s->f->end; addr += s->at.brief.len) {
		if (!meet(s, addr) || s->at.opaque)
			return false;
		if (s->at.writes && s->at.loads != s->array && !spoil(s, addr + s->at.brief.len))
			return false;
	}
	while (s->n_ways) {
		addr = s->ways[--s->n_ways];
		if (is_jump(s, addr) || ++s->steps == STEPS || !meet(s, addr) || !spread(s, addr))
			return false;
	}
	return true;
}

/* ---- what the array holds ---- */

static bool in_relro(const struct elf_view *view, u64 addr, u64 size)
{
	u64 end = (view->relro + view->relro_size) &
	          ~(u64)4095; /* the loader protects whole pages */

	return addr >= view->relro && addr < end && end - addr >= size;
}

/* Fills in the labels of the function; how many there are from the first on. */
static u32 read_labels(const struct finder *s, u32 *targets, u32 n)
{
	struct rela {
		u64 offset, info, addend;
	} rela;
	const struct builder *b = s->b;
	u64 at = 0, target, from = s->array;
	u32 found = 0;

	while (text_code_pointer(b, &at, &target)) {
		memcpy(&rela, b->relocations + at - sizeof(rela), sizeof(rela));
		rela.offset += b->view->base;
		if (rela.offset < from || rela.offset - from >= (u64)n * ENTRY_SIZE ||
		    (rela.offset - from) % ENTRY_SIZE || target < s->f->start ||
		    target >= s->f->end || !is_certified(b->text, target))
			continue;
		targets[(rela.offset - from) / ENTRY_SIZE] = (u32)(target - b->text->start);
	}
	while (found < n && targets[found] != ~0u)
		found++;
	return found;
}

static bool read_array(struct finder *s, const struct goto_jump *jump, struct arena *keep,
                       struct text_table *out)
{
	u64 mark = arena_mark(keep);
	u32 n = jump->mask + 1, found;
	u32 *targets = arena_alloc(keep, n, sizeof(*targets));

	if (!targets)
		return false;
	memset(targets, 0xff, n * sizeof(*targets));
	found = read_labels(s, targets, n);
	if (found < LABELS_MIN || !in_relro(s->b->view, s->array, (u64)found * ENTRY_SIZE)) {
		arena_release(keep, mark);
		return false;
	}
	for (u32 i = 0; i < n; i++)
		if (i >= found)
			targets[i] = (u32)(jump->site - s->b->text->start);
	*out = (struct text_table){ .site = jump->site,
		                    .addr = s->array,
		                    .count = n,
		                    .form = DYNOPT_TABLE_ABS64,
		                    .targets = targets };
	return true;
}

/* The one address that the function loads into the register by itself; 0: none. */
static u64 array_of(struct finder *s)
{
	for (u64 addr = s->f->start; addr < s->f->end; addr += s->at.brief.len) {
		if (!meet(s, addr))
			return 0;
		if (s->at.loads)
			return s->at.loads;
	}
	return 0;
}

/* The tables of one jump's function and register, for all jumps that are like it. */
static u32 add_jumps(struct finder *s, u32 first, struct text_table *known, u32 n_known,
                     struct arena *keep)
{
	struct text_table *tables = known + n_known;
	const struct goto_jump *jump = &s->jumps[first];
	u32 n = 0;

	s->f = function_of(s->b, jump->site);
	s->base = jump->base;
	s->met = arena_alloc(s->b->scratch, s->f->end - s->f->start, 1);
	s->array = s->met ? array_of(s) : 0;
	for (u32 i = 0; s->array && i < n_known; i++)
		if (known[i].addr == s->array)
			return 0; /* by other registers */
	if (!s->array || !holds_array(s) || is_entered(s) || !read_array(s, jump, keep, tables))
		return 0;
	n++;
	for (u32 i = first + 1; i < s->n_jumps; i++) {
		const struct goto_jump *other = &s->jumps[i];

		if (other->base != jump->base || other->index != jump->index ||
		    other->mask != jump->mask || function_of(s->b, other->site) != s->f)
			continue;
		tables[n] = tables[0];
		tables[n++].site = other->site;
	}
	return n;
}

u32 text_find_gotos(struct builder *b, struct arena *keep, struct text_table *tables)
{
	struct finder *s = arena_alloc(b->scratch, 1, sizeof(*s));
	u32 n = 0;

	if (!s)
		return 0;
	s->b = b;
	s->insn = arena_alloc(b->scratch, 1, sizeof(*s->insn));
	s->ways = arena_alloc(b->scratch, WAYS, sizeof(*s->ways));
	if (!s->insn || !s->ways || !b->relocations)
		return 0;
	find_jumps(s);
	for (u32 i = 0; i < s->n_jumps; i++) {
		u64 mark = arena_mark(b->scratch);
		bool done = false;

		for (u32 k = 0; k < n; k++)
			done |= tables[k].site == s->jumps[i].site;
		if (!done)
			n += add_jumps(s, i, tables, n, keep);
		arena_release(b->scratch, mark);
	}
	return n;
}
