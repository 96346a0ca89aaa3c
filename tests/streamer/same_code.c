// SPDX-License-Identifier: MIT
/*
 * same_code.c - proves that an object compiled with -fdynopt-jumpstations holds
 * the same program as the one compiled without:
 *
 *     same_code PLAIN.o FLAGGED.o [PLAIN.rows FLAGGED.rows]
 *
 * Section by section, instruction by instruction: equal bytes, but for redundant
 * 0x2e prefixes up to five bytes in all, branches in their long form, slots (five
 * int3 each) directly behind a jmp or ret, and instructions that come in front of
 * others they are proven independent of (same_code_moves.c). Branches, relocations, jump
 * tables, symbols and their sizes must lead to the same instruction in both.
 * Rows (`OFFSET LINE COLUMN`, hexadecimal offset, of the first code section) must
 * name the first byte of the same instruction.
 * Exit: 0 the same; 1 not, with what and where; 2 an input that cannot be read.
 */
#include "same_code.h"

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOT 5
#define LONG_SITE 5
#define MOST_SHOWN 20

struct pair {
	struct object o[2]; /* plain, flagged */
	size_t *part[2];    /* the sections to compare, in order */
	size_t n;
	uint32_t *ordinal[2]; /* part to its place among them, or NOWHERE */
	unsigned wrong;
};

static void differ(struct pair *p, size_t k, uint64_t at, const char *what)
{
	if (p->wrong++ < MOST_SHOWN)
		printf("%s: %s+0x%" PRIx64 ": %s\n", p->o[1].path,
		       p->o[1].parts[p->part[1][k]].name, at, what);
}

static bool counts(const struct part *s)
{
	return s->name && (s->flags & SHF_ALLOC) && strncmp(s->name, ".dynopt.", 8) &&
	       strcmp(s->name, ".note.dynopt");
}

static void match_parts(struct pair *p)
{
	size_t n[2] = { 0, 0 };

	for (int i = 0; i < 2; i++) {
		p->part[i] = calloc(p->o[i].n_parts, sizeof(*p->part[i]));
		p->ordinal[i] = calloc(p->o[i].n_parts, sizeof(*p->ordinal[i]));
		if (!p->part[i] || !p->ordinal[i])
			err(2, "memory");
		for (size_t k = 0; k < p->o[i].n_parts; k++) {
			p->ordinal[i][k] = NOWHERE;
			if (!counts(&p->o[i].parts[k]))
				continue;
			p->ordinal[i][k] = (uint32_t)n[i];
			p->part[i][n[i]++] = k;
		}
	}
	p->n = n[0];
	if (n[0] != n[1]) {
		printf("%s: %zu loaded sections, plain has %zu\n", p->o[1].path, n[1], n[0]);
		exit(1);
	}
	for (size_t k = 0; k < p->n; k++)
		if (strcmp(p->o[0].parts[p->part[0][k]].name, p->o[1].parts[p->part[1][k]].name))
			differ(p, k, 0, "another section in this place");
}

/* Where something leads, comparable between the two objects. */
struct target {
	uint32_t section; /* ordinal; NOWHERE: what the name says */
	const char *name;
	int64_t value;    /* an index of an instruction, or an offset */
};

static int64_t place_in(const struct part *s, int64_t offset)
{
	if (!s->code)
		return offset;
	return offset < 0 || (size_t)offset > s->size ? -1 - offset : s->index[offset];
}

/* adjust: what to add to the addend for the offset that is really meant. */
static struct target target_of(const struct pair *p, int i, const Elf64_Rela *r, int64_t adjust)
{
	const struct object *o = &p->o[i];
	const Elf64_Sym *sym = &o->symbols[ELF64_R_SYM(r->r_info)];
	struct target t = { NOWHERE, o->names + sym->st_name, r->r_addend };
	const struct part *s;

	if (sym->st_shndx == SHN_UNDEF || sym->st_shndx >= o->n_parts)
		return t;
	s = &o->parts[sym->st_shndx];
	t.section = p->ordinal[i][sym->st_shndx];
	t.value = place_in(s, (int64_t)sym->st_value + r->r_addend + adjust);
	return t;
}

/* Nothing may lead between instructions that changed places. */
static bool same_target(const struct pair *p, struct target a, struct target b)
{
	const struct part *s = a.section == NOWHERE ? NULL : &p->o[0].parts[p->part[0][a.section]];

	if (s && s->code && a.value >= 0 && (size_t)a.value <= s->n_insns && s->shifted[a.value])
		return false;
	return a.section == b.section && a.value == b.value && !strcmp(a.name, b.name);
}

/* What a relative relocation of a field adds to its target: the distance to the insn's end. */
static int64_t field_adjust(const struct insn *i, const Elf64_Rela *r)
{
	bool here = i->field && r->r_offset == i->at + (uint64_t)i->field;

	return here ? (int64_t)(i->at + i->length) - (int64_t)r->r_offset : 0;
}

static struct target field_target(const struct pair *p, int i, size_t k, const struct insn *n)
{
	const struct part *s = &p->o[i].parts[p->part[i][k]];
	const Elf64_Rela *r = reloc_in(s, n->at + n->field, n->at + n->length);
	int64_t distance = 0;
	struct target t = { (uint32_t)k, "", 0 };

	if (r && r->r_offset == n->at + (uint64_t)n->field)
		return target_of(p, i, r, field_adjust(n, r));
	if (n->field_size == 1)
		distance = (int8_t)s->bytes[n->at + n->field];
	else if (n->field_size == 4)
		distance = (int32_t)((uint32_t)s->bytes[n->at + n->field] |
		                     (uint32_t)s->bytes[n->at + n->field + 1] << 8 |
		                     (uint32_t)s->bytes[n->at + n->field + 2] << 16 |
		                     (uint32_t)s->bytes[n->at + n->field + 3] << 24);
	t.value = place_in(s, (int64_t)n->at + n->length + distance);
	return t;
}

static void compare_relocs(struct pair *p, size_t k, const struct insn *a, const struct insn *b)
{
	const struct part *s = &p->o[0].parts[p->part[0][k]];
	const struct part *t = &p->o[1].parts[p->part[1][k]];
	uint64_t skip = (uint64_t)(b->extra - a->extra);

	if (a->branch)
		return;
	for (uint64_t at = 0; at < a->length; at++) {
		const Elf64_Rela *x = reloc_in(s, a->at + at, a->at + at + 1);
		const Elf64_Rela *y = reloc_in(t, b->at + at + skip, b->at + at + skip + 1);

		if (!x && !y)
			continue;
		if (!x || !y || ELF64_R_TYPE(x->r_info) != ELF64_R_TYPE(y->r_info) ||
		    !same_target(p, target_of(p, 0, x, field_adjust(a, x)),
		                 target_of(p, 1, y, field_adjust(b, y))))
			differ(p, k, b->at, "another relocation");
	}
}

static void compare_insn(struct pair *p, size_t k, const struct insn *a, const struct insn *b)
{
	const uint8_t *x = p->o[0].parts[p->part[0][k]].bytes + a->at;
	const uint8_t *y = p->o[1].parts[p->part[1][k]].bytes + b->at;
	bool relative = a->field && a->field == b->field - (b->extra - a->extra);
	int added = b->extra - a->extra;

	if (a->mnemonic != b->mnemonic || a->branch != b->branch || a->bare != b->bare) {
		differ(p, k, b->at, "another instruction");
		return;
	}
	if (a->field && !same_target(p, field_target(p, 0, k, a), field_target(p, 1, k, b)))
		differ(p, k, b->at, "leads elsewhere");
	if (a->branch) {
		if (added)
			differ(p, k, b->at, "a branch with prefixes");
		return;
	}
	if (added < 0 || a->length + added != b->length || (added && b->length > LONG_SITE)) {
		differ(p, k, b->at, "another length");
		return;
	}
	compare_relocs(p, k, a, b);
	for (int at = 0; at < a->length; at++) {
		if (relative && at >= a->field && at < a->field + a->field_size)
			continue;
		if (x[at] != y[at + added]) {
			differ(p, k, b->at, "other bytes");
			return;
		}
	}
}

/* Marks the places between instructions that changed them. */
static void find_moves(struct pair *p, size_t k)
{
	struct part *s = &p->o[0].parts[p->part[0][k]], *t = &p->o[1].parts[p->part[1][k]];

	for (size_t i = 1; i < s->n_insns && i < t->n_insns; i++) {
		size_t n = moved_from(s, t, i);

		if (n && !may_move(s, i, n))
			differ(p, k, t->insns[i].at, "an instruction passed one it depends on");
		for (size_t m = 1; m <= n; m++)
			s->shifted[i + m] = true;
		i += n;
	}
}

/* The plain object's instruction that stands at i in the flagged one. */
static const struct insn *partner(const struct part *s, size_t i)
{
	size_t from = i + 1;

	if (s->shifted[i])
		return &s->insns[i - 1];
	while (from < s->n_insns && s->shifted[from])
		from++;
	return &s->insns[from - 1];
}

static void compare_code(struct pair *p, size_t k)
{
	const struct part *s = &p->o[0].parts[p->part[0][k]];
	const struct part *t = &p->o[1].parts[p->part[1][k]];

	if (s->n_insns != t->n_insns)
		differ(p, k, 0, "another number of instructions");
	for (size_t i = 0; i < s->n_insns && i < t->n_insns; i++) {
		const struct insn *a = partner(s, i), *b = &t->insns[i];
		unsigned before = p->wrong;

		if (i)
			compare_insn(p, k, a, b);
		if (b->int3 < a->int3 || (b->int3 - a->int3) % SLOT)
			differ(p, k, b->at, "int3 that is no slot");
		else if (b->int3 != a->int3 && (!b->barrier || !b->int3_next))
			differ(p, k, b->at, "a slot that can be reached");
		if (p->wrong > before + 3)
			return; /* what follows is not telling */
	}
}

/* Ascending offsets in a data section that something refers to: where tables begin. */
static int by_value(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static size_t table_starts(const struct pair *p, size_t k, int64_t **starts)
{
	size_t n = 0, room = 1;

	for (size_t j = 0; j < p->n; j++)
		room += p->o[0].parts[p->part[0][j]].n_relocs;
	*starts = calloc(room, sizeof(**starts));
	if (!*starts)
		err(2, "memory");
	n++; /* offset 0 */
	for (size_t j = 0; j < p->n; j++) {
		const struct part *s = &p->o[0].parts[p->part[0][j]];

		for (size_t i = 0; s->code && i < s->n_relocs; i++) {
			const Elf64_Rela *r = &s->relocs[i];
			bool pc = ELF64_R_TYPE(r->r_info) == R_X86_64_PC32;
			struct target t = target_of(p, 0, r, pc ? 4 : 0);

			if (t.section == k)
				(*starts)[n++] = t.value;
		}
	}
	qsort(*starts, n, sizeof(**starts), by_value);
	return n;
}

/* Relative entries of a table hold the distance from its start. */
static int64_t from_start(const int64_t *starts, size_t n, uint64_t at)
{
	size_t low = 0, high = n;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (starts[middle] <= (int64_t)at)
			low = middle;
		else
			high = middle;
	}
	return (int64_t)at - starts[low];
}

/* Distances between instructions: what is thrown tests these. */
static bool for_unwinder(const struct part *s)
{
	return s->name &&
	       (!strcmp(s->name, ".eh_frame") || !strncmp(s->name, ".gcc_except_table", 17));
}

static void compare_data(struct pair *p, size_t k)
{
	const struct part *s = &p->o[0].parts[p->part[0][k]];
	const struct part *t = &p->o[1].parts[p->part[1][k]];
	int64_t *starts;
	size_t n;

	if (for_unwinder(s))
		return;
	if (s->size != t->size || s->n_relocs != t->n_relocs) {
		differ(p, k, 0, "another size or number of relocations");
		return;
	}
	if (s->bytes && memcmp(s->bytes, t->bytes, s->size))
		differ(p, k, 0, "other data");
	n = table_starts(p, k, &starts);
	for (size_t i = 0; i < s->n_relocs; i++) {
		const Elf64_Rela *a = &s->relocs[i], *b = &t->relocs[i];
		bool pc = ELF64_R_TYPE(a->r_info) == R_X86_64_PC32 ||
		          ELF64_R_TYPE(a->r_info) == R_X86_64_PC64;
		int64_t adjust = pc ? -from_start(starts, n, a->r_offset) : 0;

		if (a->r_offset != b->r_offset ||
		    ELF64_R_TYPE(a->r_info) != ELF64_R_TYPE(b->r_info) ||
		    !same_target(p, target_of(p, 0, a, adjust), target_of(p, 1, b, adjust)))
			differ(p, k, b->r_offset, "another relocation");
	}
	free(starts);
}

static size_t next_symbol(const struct pair *p, int i, size_t k)
{
	for (; k < p->o[i].n_symbols; k++) {
		const Elf64_Sym *s = &p->o[i].symbols[k];

		if (ELF64_ST_TYPE(s->st_info) != STT_SECTION &&
		    (s->st_shndx >= p->o[i].n_parts || p->ordinal[i][s->st_shndx] != NOWHERE))
			break;
	}
	return k;
}

static void compare_symbols(struct pair *p)
{
	size_t a = next_symbol(p, 0, 1), b = next_symbol(p, 1, 1);

	for (; a < p->o[0].n_symbols && b < p->o[1].n_symbols;
	     a = next_symbol(p, 0, a + 1), b = next_symbol(p, 1, b + 1)) {
		const Elf64_Sym *x = &p->o[0].symbols[a], *y = &p->o[1].symbols[b];
		const char *name = p->o[0].names + x->st_name;
		const struct part *s, *t;
		bool same = !strcmp(name, p->o[1].names + y->st_name) && x->st_info == y->st_info &&
		            x->st_other == y->st_other;

		if (same && x->st_shndx < p->o[0].n_parts &&
		    for_unwinder(&p->o[0].parts[x->st_shndx]))
			continue;
		if (same && x->st_shndx && x->st_shndx < p->o[0].n_parts &&
		    y->st_shndx < p->o[1].n_parts) {
			s = &p->o[0].parts[x->st_shndx];
			t = &p->o[1].parts[y->st_shndx];
			same = p->ordinal[0][x->st_shndx] == p->ordinal[1][y->st_shndx] &&
			       place_in(s, (int64_t)x->st_value) ==
			               place_in(t, (int64_t)y->st_value) &&
			       place_in(s, (int64_t)(x->st_value + x->st_size)) ==
			               place_in(t, (int64_t)(y->st_value + y->st_size));
		}
		if (!same && p->wrong++ < MOST_SHOWN)
			printf("%s: symbol %s is another\n", p->o[1].path, name);
	}
	if (a < p->o[0].n_symbols || b < p->o[1].n_symbols) {
		printf("%s: another number of symbols\n", p->o[1].path);
		p->wrong++;
	}
}

static void compare_rows(struct pair *p, char **paths)
{
	FILE *f[2] = { fopen(paths[0], "r"), fopen(paths[1], "r") };
	unsigned long at[2], line[2], column[2];
	size_t k = 0;

	if (!f[0] || !f[1])
		err(2, "%s", f[0] ? paths[1] : paths[0]);
	while (k < p->n && !(p->o[0].parts[p->part[0][k]].code))
		k++;
	for (;;) {
		int64_t to[2] = { 0, 0 };
		int got = 0;

		for (int i = 0; k < p->n && i < 2; i++) {
			got += fscanf(f[i], "%lx %lu %lu", &at[i], &line[i], &column[i]) == 3;
			to[i] = place_in(&p->o[i].parts[p->part[i][k]], (int64_t)at[i]);
		}
		/* what passed others has no row of its own any more: its row is behind them */
		if (got == 2 && to[0] >= 0 && to[0] != NOWHERE &&
		    p->o[0].parts[p->part[0][k]].shifted[to[0]])
			to[0]++;
		if (!got)
			break;
		if (got == 2 && to[0] == to[1] && to[0] != NOWHERE && line[0] == line[1] &&
		    column[0] == column[1])
			continue;
		differ(p, k, at[1], "another row of the line table");
		break;
	}
	fclose(f[0]);
	fclose(f[1]);
}

int main(int argc, char **argv)
{
	struct pair p = { 0 };

	if (argc != 3 && argc != 5)
		errx(2, "usage: same_code PLAIN.o FLAGGED.o [PLAIN.rows FLAGGED.rows]");
	for (int i = 0; i < 2; i++)
		object_read(&p.o[i], argv[1 + i]);
	match_parts(&p);
	for (size_t k = 0; k < p.n; k++)
		if (p.o[0].parts[p.part[0][k]].code && p.o[1].parts[p.part[1][k]].code)
			find_moves(&p, k);
	for (size_t k = 0; k < p.n; k++) {
		if (p.o[0].parts[p.part[0][k]].code && p.o[1].parts[p.part[1][k]].code)
			compare_code(&p, k);
		else
			compare_data(&p, k);
	}
	compare_symbols(&p);
	if (argc == 5)
		compare_rows(&p, argv + 3);
	if (p.wrong)
		printf("%s: %u differences\n", p.o[1].path, p.wrong);
	for (int i = 0; i < 2; i++) {
		free(p.part[i]);
		free(p.ordinal[i]);
		object_free(&p.o[i]);
	}
	return p.wrong != 0;
}
