/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * check.c - one function per row of checks.def (or per few that look at the same
 * thing). Each only adds findings; none stops the others.
 *
 * Certified text that failed to decode has lost its BYTE_CERTIFIED mark from the
 * error on, so one lie gives one finding and not a thousand.
 */
#include "check.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "check_internal.h"

const char *check_name(enum check check)
{
	static const char *const names[] = {
#define X(name, key, text) [CHECK_##name] = key,
#include "checks.def"
#undef X
	};

	return names[check];
}

void check_found(struct checking *c, enum check check, u64 addr, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	*vec_add(&c->findings->v) =
		(struct finding){ .check = check, .addr = addr, .text = base_printf("%s", text) };
}

bool check_inside(const struct checking *c, u64 addr)
{
	size_t i = code_index(c->code, addr);

	return i != CODE_NONE && !c->code->length[i] &&
	       (c->code->mark[i] & (BYTE_CERTIFIED | BYTE_OPAQUE)) == BYTE_CERTIFIED;
}

static bool in_slot(const struct checking *c, u64 addr)
{
	size_t i = code_index(c->code, addr);

	return i != CODE_NONE && (c->code->mark[i] & BYTE_SLOT);
}

const char *check_where(const struct checking *c, u64 addr, struct where *where)
{
	return image_where(c->image, addr, where->text, sizeof(where->text));
}

static void check_reader(struct checking *c)
{
	for (size_t i = 0; i < c->model->failures.n; i++) {
		const struct notes_failure *f = &c->model->failures.at[i];
		const char *detail = notes_status_detail(f->status);
		char number[64] = "";

		if (*detail)
			snprintf(number, sizeof(number), " (%s %llu)", detail,
			         (unsigned long long)f->detail);
		check_found(c, CHECK_NOTES, f->addr, "%s%s", notes_status_text(f->status), number);
	}
}

static void check_decoding(struct checking *c)
{
	for (size_t i = 0; i < c->code->errors.n; i++)
		check_found(c, CHECK_DECODE, c->code->errors.at[i].addr, "%s",
		            c->code->errors.at[i].what);
}

/* First range that ends after addr. */
static const struct range *range_after(const struct model *m, u64 addr)
{
	size_t low = 0, high = m->ranges.n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (m->ranges.at[mid].record.end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low < m->ranges.n ? &m->ranges.at[low] : NULL;
}

static void check_extent(struct checking *c, u64 start, u64 end, const char *who)
{
	const struct range *range = range_after(c->model, start);
	struct where at;

	if (check_inside(c, start))
		check_found(c, CHECK_FUNCTION, start, "%s: %s starts inside an instruction", who,
		            check_where(c, start, &at));
	else if (end > start && check_inside(c, end))
		check_found(c, CHECK_FUNCTION, start, "%s: %s ends inside an instruction", who,
		            check_where(c, start, &at));
	if (!range || end <= start || range->record.start >= end)
		return;
	if (start < range->record.start || end > range->record.end)
		check_found(c, CHECK_BORDER, start,
		            "%s: %s (0x%llx..0x%llx) crosses the border of the certified range "
		            "0x%llx..0x%llx",
		            who, check_where(c, start, &at), (unsigned long long)start,
		            (unsigned long long)end, (unsigned long long)range->record.start,
		            (unsigned long long)range->record.end);
}

static void check_functions(struct checking *c)
{
	for (size_t i = 0; i < c->image->symbols.n; i++) {
		const struct symbol *s = &c->image->symbols.at[i];

		if (s->type == STT_FUNC)
			check_extent(c, s->addr, s->addr + s->size, "symbol table");
	}
	for (size_t i = 0; i < c->unwind->functions.n; i++)
		check_extent(c, c->unwind->functions.at[i].start, c->unwind->functions.at[i].end,
		             "unwind table");
	for (size_t i = 0; i < c->model->functions.n; i++)
		check_extent(c, c->model->functions.at[i].start, 0, "notes");
}

/* Something leads to addr: into an instruction, or into a slot? */
static void check_arrival(struct checking *c, enum check check, u64 addr, const char *who, u64 from)
{
	struct where at, source;

	check_where(c, from, &source);
	if (check_inside(c, addr))
		check_found(c, check, addr, "%s at %s enters the inside of an instruction at %s",
		            who, source.text, check_where(c, addr, &at));
	else if (in_slot(c, addr))
		check_found(c, CHECK_SLOT_TARGET, addr, "%s at %s leads into the slot at %s", who,
		            source.text, check_where(c, addr, &at));
}

static void check_arrivals(struct checking *c)
{
	for (size_t i = 0; i < c->code->branches.n; i++) {
		const struct code_reference *b = &c->code->branches.at[i];
		size_t from = code_index(c->code, b->from);

		if (!(c->code->mark[from] & BYTE_OPAQUE))
			check_arrival(c, CHECK_BRANCH, b->to,
			              b->mark & INSN_CALL ? "a call" : "a branch", b->from);
	}
	for (size_t i = 0; i < c->code->leas.n; i++) {
		const struct code_reference *l = &c->code->leas.at[i];

		if (!(c->code->mark[code_index(c->code, l->from)] & BYTE_OPAQUE))
			check_arrival(c, CHECK_BRANCH, l->to, "an address taken", l->from);
	}
	for (size_t i = 0; i < c->unwind->landing_pads.n; i++)
		check_arrival(c, CHECK_LANDING, c->unwind->landing_pads.at[i], "a landing pad",
		              c->unwind->landing_pads.at[i]);
	for (size_t i = 0; i < c->image->pointers.n; i++)
		check_arrival(c, CHECK_POINTER, c->image->pointers.at[i].value, "a pointer stored",
		              c->image->pointers.at[i].place);
}

/* LLVM lets cases that cannot happen lead to an empty block; the last may be no code at all. */
static bool ends_range(const struct model *m, u64 addr)
{
	const struct range *range = addr ? range_after(m, addr - 1) : NULL;

	return range && range->record.end == addr;
}

static void check_table(struct checking *c, const struct notes_table *t)
{
	struct where at;
	u64 target;

	if (t->site) {
		size_t i = code_index(c->code, t->site);

		if (i == CODE_NONE || !c->code->length[i] || !(c->code->mark[i] & INSN_INDIRECT))
			check_found(c, CHECK_TABLE_SITE, t->site,
			            "the table at 0x%llx names %s, which is no indirect jump",
			            (unsigned long long)t->addr, check_where(c, t->site, &at));
	}
	for (u64 k = 0; k < t->count; k++) {
		if (!model_table_target(c->model, c->image, t, k, &target)) {
			check_found(c, CHECK_TABLE, t->addr,
			            "entry %llu of the table at 0x%llx "
			            "cannot be read",
			            (unsigned long long)k, (unsigned long long)t->addr);
			return;
		}
		size_t i = code_index(c->code, target);

		if (ends_range(c->model, target))
			continue;
		if (i == CODE_NONE || !(c->code->mark[i] & BYTE_TEXT) || !c->code->length[i])
			check_found(c, CHECK_TABLE, target,
			            "entry %llu of the table at 0x%llx "
			            "leads to 0x%llx, where no instruction starts",
			            (unsigned long long)k, (unsigned long long)t->addr,
			            (unsigned long long)target);
		else
			check_arrival(c, CHECK_TABLE, target, "a jump table", t->addr);
	}
}

static int by_check(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;

	if (x->check != y->check)
		return x->check < y->check ? -1 : 1;
	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return strcmp(x->text, y->text);
}

/* The same lie seen twice in the same words (folded records, aliases) is told once. */
static void drop_repeats(struct findings *findings)
{
	size_t kept = 0;

	for (size_t i = 0; i < findings->v.n; i++) {
		if (kept && by_check(&findings->v.at[kept - 1], &findings->v.at[i]) == 0)
			free(findings->v.at[i].text);
		else
			findings->v.at[kept++] = findings->v.at[i];
	}
	findings->v.n = kept;
}

void check_notes(struct findings *findings, const struct image *image, const struct model *model,
                 const struct unwind *unwind, const struct code *code)
{
	struct checking c = {
		.findings = findings, .image = image, .model = model, .unwind = unwind, .code = code
	};

	*findings = (struct findings){ 0 };
	check_reader(&c);
	check_records(&c);
	check_decoding(&c);
	check_functions(&c);
	check_arrivals(&c);
	for (size_t i = 0; i < model->tables.n; i++)
		check_table(&c, &model->tables.at[i]);
	check_ranges(&c);
	check_reserves(&c);
	if (findings->v.n)
		qsort(findings->v.at, findings->v.n, sizeof(*findings->v.at), by_check);
	drop_repeats(findings);
}

void findings_free(struct findings *findings)
{
	for (size_t i = 0; i < findings->v.n; i++)
		free(findings->v.at[i].text);
	free(findings->v.at);
}
