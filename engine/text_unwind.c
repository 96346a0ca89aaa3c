/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * text_unwind.c - functions that the unwind table names, where no record covers them.
 *
 * A function's boundaries count as proven if decoding from its start ends exactly at its end, it
 * overlaps no other, and no direct branch of the whole module leads into one of its instructions. To know all branches,
 * everything between the first and the last function is decoded first, gaps without functions too;
 * what is no code there only leads to more refusals. One branch into an instruction is understood: over a lock prefix, as libc does
 * where there is one thread. Then the same bytes are two instructions that end together, and both are proven.
 */
#include "text_private.h"

static void refuse(struct builder *b, struct function *f, enum status status)
{
	f->proven = false;
	b->text->refused[status]++;
}

/* Counts the functions of the table and stores at most `max`. */
static u32 read_table(struct builder *b, struct function *functions, u32 max, bool *damaged)
{
	struct fde_walk walk;
	struct failure why;
	enum status status;
	struct fde fde;
	u32 n = 0;

	*damaged = false;
	if (!b->view->eh_frame_hdr)
		return 0;
	status = fde_walk_begin(&walk, b->view, &why);
	while (status == STATUS_OK) {
		status = fde_walk_next(&walk, &fde, &why);
		if (status != STATUS_OK)
			break;
		if (fde.start < b->text->start || fde.end > b->text->end)
			continue; /* of code that the linker dropped */
		if (n < max) {
			functions[n].fde = fde;
			functions[n].proven = true;
		}
		n++;
	}
	*damaged = status != STATUS_END;
	return n;
}

enum status text_load_functions(struct builder *b, struct arena *arena, struct failure *fail)
{
	bool damaged;
	u32 n = read_table(b, NULL, 0, &damaged);

	b->functions = arena_alloc(arena, n, sizeof(*b->functions));
	if (n && !b->functions)
		return failed(fail, STATUS_WORKSPACE, 0, n * sizeof(*b->functions));
	b->n_functions = read_table(b, b->functions, n, &damaged);
	if (damaged)
		b->text->refused[STATUS_TEXT_UNWIND]++;
	text_sort(b->functions, b->n_functions, sizeof(*b->functions));
	return STATUS_OK;
}

/* Refuses all functions that share a byte with another. */
static void refuse_overlaps(struct builder *b)
{
	struct function *last = NULL; /* the one that reaches furthest so far */
	u32 i;

	for (i = 0; i < b->n_functions; i++) {
		struct function *f = &b->functions[i];

		if (last && f->fde.start < last->fde.end) {
			if (last->proven)
				refuse(b, last, STATUS_TEXT_OVERLAP);
			refuse(b, f, STATUS_TEXT_OVERLAP);
		}
		if (!last || f->fde.end > last->fde.end)
			last = f;
	}
}

static bool recorded(const struct builder *b, u64 start, u64 end)
{
	const u16 *marks = b->text->marks;

	if (!b->text->noted)
		return false;
	for (; start < end; start++) {
		if (marks[start - b->text->start] & TEXT_RECORDED)
			return true;
	}
	return false;
}

enum status text_each_pad(struct builder *b, const struct fde *fde,
                          void (*arrive)(struct text *text, u64 pad), struct failure *fail)
{
	struct lsda_walk walk;
	struct failure why;
	enum status status;
	u64 pad;

	if (lsda_walk_begin(&walk, b->view, fde, &why) != STATUS_OK)
		return STATUS_OK;
	status = text_pay(b, walk.end - walk.pos, fail);
	while (!status && lsda_walk_next(&walk, &pad, &why) == STATUS_OK)
		arrive(b->text, pad);
	return status;
}

static void mark_pad(struct text *text, u64 pad)
{
	if (text_holds(text, pad))
		text->marks[pad - text->start] |= TEXT_TARGET;
}

/* Code that no function claims: any branch in it counts, wherever it may begin. */
static enum status decode_gap(struct builder *b, u64 start, u64 end, struct failure *fail)
{
	struct failure why;
	enum status status;
	u64 size;

	while (start < end) {
		if (!text_bytes(b->text, start, &size)) {
			start++;
			continue;
		}
		if (size > end - start)
			size = end - start;
		status = text_decode(b, start, start + size, &why);
		if (status == STATUS_TEXT_LARGE)
			return failed(fail, status, why.addr, why.detail);
		start = status ? why.addr + 1 : start + size;
	}
	return STATUS_OK;
}

/* Are the four bytes at addr covered by records? */
static bool all_recorded(const struct builder *b, u64 addr, u64 end)
{
	const u64 all = TEXT_RECORDED * TEXT_FOUR;

	return end - addr >= 4 &&
	       (port_get64(b->text->marks + (addr - b->text->start)) & all) == all;
}

/* Decodes what is neither in a record nor before `end` in a function, and moves *at there. */
static enum status decode_gaps(struct builder *b, u64 *at, u64 end, struct failure *fail)
{
	const u16 *marks = b->text->marks;
	enum status status = STATUS_OK;

	while (status == STATUS_OK && *at < end) {
		u64 start = *at;

		while (*at < end && !(marks[*at - b->text->start] & TEXT_RECORDED))
			(*at)++;
		status = decode_gap(b, start, *at, fail);
		while (*at < end && all_recorded(b, *at, end))
			*at += 4;
		while (*at < end && (marks[*at - b->text->start] & TEXT_RECORDED))
			(*at)++;
	}
	return status;
}

static enum status decode_function(struct builder *b, struct function *f, struct failure *fail)
{
	const struct fde *fde = &f->fde;
	struct failure why;
	enum status status;

	status = text_pay(b, fde->end - fde->start, fail);
	if (status == STATUS_OK)
		status = text_each_pad(b, fde, mark_pad, fail);
	if (status)
		return status;
	if (!recorded(b, fde->start, fde->start + 1))
		b->text->marks[fde->start - b->text->start] |= TEXT_FUNCTION;
	if (recorded(b, fde->start, fde->end)) {
		u64 at = fde->start;

		f->proven = false; /* the notes speak for it */
		return decode_gaps(b, &at, fde->end, fail);
	}
	if (fde->signal_frame)
		refuse(b, f, STATUS_TEXT_SIGNAL);
	if (!f->proven)
		return decode_gap(b, fde->start, fde->end, fail);
	status = text_decode(b, fde->start, fde->end, &why);
	if (status == STATUS_TEXT_LARGE)
		return failed(fail, status, why.addr, why.detail);
	if (status) {
		refuse(b, f, status);
		memset(b->kinds + (fde->start - b->text->start), 0, fde->end - fde->start);
		return decode_gap(b, why.addr + 1, fde->end, fail);
	}
	if (b->damaged)
		refuse(b, f, STATUS_TEXT_NOTES);
	return STATUS_OK;
}

/* Decodes functions and the gaps between them, in order of addresses. */
static enum status decode_all(struct builder *b, struct failure *fail)
{
	enum status status = STATUS_OK;
	u64 at;
	u32 i;

	if (!b->n_functions)
		return STATUS_OK;
	at = b->functions[0].fde.start;
	for (i = 0; status == STATUS_OK && i < b->n_functions; i++) {
		struct function *f = &b->functions[i];

		status = decode_gaps(b, &at, f->fde.start, fail);
		if (status == STATUS_OK)
			status = decode_function(b, f, fail);
		if (f->fde.end > at)
			at = f->fde.end;
	}
	return status;
}

#define LOCK 0xf0

/* Is the instruction at offset i one with a lock prefix in front, and what follows the prefix the same without it? Its kind, or 0. */
static u8 without_lock(struct builder *b, u64 i)
{
	u32 len = kind_len(b->kinds[i]);
	u64 addr = b->text->start + i;
	const u8 *bytes = text_code(b, addr);
	struct failure why;
	u8 kind;

	if (bytes[0] != LOCK || len < 2 || kind_class(b->kinds[i]) != KIND_PLAIN ||
	    text_decode_kind(bytes + 1, len - 1, addr + 1, b->decoder, &kind, &why) != STATUS_OK)
		return 0;
	return kind == (KIND_PLAIN << 4 | (len - 1)) ? kind : 0;
}

/* Does a branch lead into one of f's instructions? Then nobody knows which reading is right. */
static bool entered_inside(struct builder *b, struct function *f)
{
	u64 i = f->fde.start - b->text->start, end = f->fde.end - b->text->start, next;
	u16 *marks = b->text->marks;
	bool inside = false;

	for (; i < end; i = next) {
		u64 start = i;

		next = i + kind_len(b->kinds[i]);
		if (!(text_any(marks + i + 1, (u32)(next - i - 1)) & TEXT_TARGET))
			continue;
		while (++i < next) {
			if (!(marks[i] & TEXT_TARGET) || (i == start + 1 && without_lock(b, start)))
				continue;
			marks[i] |= TEXT_INTERIOR;
			inside = true;
		}
	}
	return inside;
}

static void accept(struct builder *b, struct function *f)
{
	u64 i = f->fde.start - b->text->start, end = f->fde.end - b->text->start;

	for (; i < end; i += kind_len(b->kinds[i])) {
		u16 *mark = &b->text->marks[i];

		mark[0] |= TEXT_INSN;
		if (kind_len(b->kinds[i]) < 2 || !(mark[1] & TEXT_TARGET))
			continue;
		b->kinds[i + 1] = without_lock(b, i);
		mark[1] |= TEXT_INSN;
	}
}

enum status text_add_unwind(struct builder *b, struct failure *fail)
{
	enum status status = text_load_functions(b, b->scratch, fail);
	u32 i;

	if (status)
		return status;
	refuse_overlaps(b);
	status = decode_all(b, fail);
	for (i = 0; status == STATUS_OK && i < b->n_functions; i++) {
		struct function *f = &b->functions[i];

		if (f->proven && entered_inside(b, f))
			refuse(b, f, STATUS_TEXT_INTERIOR);
		if (f->proven)
			accept(b, f);
	}
	return status;
}
