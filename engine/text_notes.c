/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * text_notes.c - records to marks.
 *
 * Where records overlap (folded code), prohibitions add up, and boundaries, certainty and facts are what all
 * of them agree on. So while records are read, four bits have the opposite meaning: "some record does
 * not say so"; they only ever get set, and the order of records does not matter. notes_finish() turns them
 * round, and drops what records contradict each other about.
 */
#include "text_private.h"

/* While records are read: */
#define NOT_INSN TEXT_INSN           /* no instruction starts here */
#define NOT_CERTIFIED TEXT_CERTIFIED /* opaque, or it could not be decoded */
#define NOT_PLAIN TEXT_PLAIN
#define NOT_PRIVATE TEXT_STACK_PRIVATE
#define NOT_MASK (NOT_INSN | NOT_CERTIFIED | NOT_PLAIN | NOT_PRIVATE)

static u32 no_marks(u32 forbids)
{
	return (forbids & DYNOPT_FORBID_PATCH ? TEXT_NO_PATCH : 0) |
	       (forbids & DYNOPT_FORBID_TRANSLATE ? TEXT_NO_TRANSLATE : 0) |
	       (forbids & DYNOPT_FORBID_INLINE ? TEXT_NO_INLINE : 0) |
	       (forbids & DYNOPT_FORBID_DEFER ? TEXT_NO_DEFER : 0);
}

/* A piece of a record between opaque ones: [start, end) decodes from its start. */
static enum status add_piece(struct builder *b, u64 start, u64 end, struct failure *fail)
{
	struct text *text = b->text;
	struct failure why;
	enum status status;
	u64 at, until = end;
	const u8 *kinds;
	u16 *marks;

	if (start == end)
		return STATUS_OK;
	status = text_decode(b, start, end, &why);
	if (status == STATUS_TEXT_LARGE)
		return failed(fail, status, why.addr, why.detail);
	if (status) {
		/* The compiler knows an instruction that the decoder does not, or is wrong. */
		text->refused[status]++;
		until = why.addr;
		text_mark_range(text, until, end, NOT_INSN | NOT_CERTIFIED);
	}
	kinds = b->kinds + (start - text->start);
	marks = text->marks + (start - text->start);
	for (at = 0; at < until - start;) {
		u32 len = kind_len(kinds[at]);

		text_set(marks + at + 1, len - 1, NOT_INSN);
		at += len;
	}
	return STATUS_OK;
}

static enum status add_pieces(struct builder *b, struct notes_reader *r,
                              const struct notes_record *record, struct failure *fail)
{
	struct notes_opaque opaque;
	struct notes_iter it;
	enum status status;
	u64 at = record->start;

	notes_iter_begin(&it, r, record, NOTES_OPAQUE);
	while (notes_opaque_next(&it, &opaque) == NOTES_OK) {
		status = add_piece(b, at, opaque.start, fail);
		if (status)
			return status;
		text_mark_range(b->text, opaque.start, opaque.end, NOT_INSN | NOT_CERTIFIED);
		at = opaque.end;
	}
	return add_piece(b, at, record->end, fail);
}

static void add_functions(struct builder *b, struct notes_reader *r,
                          const struct notes_record *record)
{
	struct notes_function function;
	struct notes_iter it;
	u64 at = record->start;

	notes_iter_begin(&it, r, record, NOTES_FUNCTIONS);
	while (notes_functions_next(&it, &function) == NOTES_OK) {
		u32 lacking = (function.facts & DYNOPT_FACT_PLAIN ? 0 : NOT_PLAIN) |
		              (function.facts & DYNOPT_FACT_STACK_PRIVATE ? 0 : NOT_PRIVATE);

		if (function.start == function.end)
			continue;
		text_mark_range(b->text, at, function.start, NOT_PLAIN | NOT_PRIVATE);
		text_mark_range(b->text, function.start, function.end, lacking);
		text_mark_range(b->text, function.start, function.start + 1, TEXT_FUNCTION);
		at = function.end;
	}
	text_mark_range(b->text, at, record->end, NOT_PLAIN | NOT_PRIVATE);
}

static enum status add_noopt(struct builder *b, struct notes_reader *r,
                             const struct notes_record *record, struct failure *fail)
{
	struct notes_noopt range;
	struct notes_iter it;
	enum status status;

	notes_iter_begin(&it, r, record, NOTES_NOOPT);
	while (notes_noopt_next(&it, &range) == NOTES_OK) {
		status = text_pay(b, range.end - range.start, fail);
		if (status)
			return status;
		text_mark_range(b->text, range.start, range.end, no_marks(range.forbids));
		if (range.forbids & (DYNOPT_FORBID_PATCH | DYNOPT_FORBID_TRANSLATE))
			b->text->refused[STATUS_TEXT_FORBIDDEN]++;
	}
	return STATUS_OK;
}

static void add_slots(struct builder *b, struct notes_reader *r, const struct notes_record *record)
{
	struct notes_slot slot;
	struct notes_iter it;

	notes_iter_begin(&it, r, record, NOTES_SLOTS);
	while (notes_slots_next(&it, &slot) == NOTES_OK)
		text_mark_range(b->text, slot.addr, slot.addr + DYNOPT_SLOT_SIZE, TEXT_FREE);
}

static enum status add_table_targets(struct builder *b, const struct notes_table *table,
                                     struct failure *fail)
{
	enum status status = text_pay(b, table->count, fail);
	u64 i, target;

	for (i = 0; status == STATUS_OK && i < table->count; i++) {
		if (notes_table_target(b->view, table, i, &target) && text_holds(b->text, target))
			b->text->marks[target - b->text->start] |= TEXT_TARGET;
	}
	return status;
}

static enum status add_tables(struct builder *b, struct notes_reader *r,
                              const struct notes_record *record, u32 max, struct failure *fail)
{
	struct text *text = b->text;
	struct notes_table table;
	struct notes_iter it;
	enum status status;

	notes_iter_begin(&it, r, record, NOTES_TABLES);
	while (notes_tables_next(&it, &table) == NOTES_OK) {
		status = add_table_targets(b, &table, fail);
		if (status)
			return status;
		if (table.site && text->n_tables < max) {
			struct text_table *out = &text->tables[text->n_tables++];

			out->site = table.site;
			out->addr = table.addr;
			out->count = table.count;
			out->form = table.form;
		}
	}
	return STATUS_OK;
}

static enum status add_record(struct builder *b, struct notes_reader *r,
                              const struct notes_record *record, bool disabled, u32 max_tables,
                              struct failure *fail)
{
	enum status status;

	if (record->start == record->end)
		return STATUS_OK;
	text_mark_range(b->text, record->start, record->end,
	                TEXT_RECORDED | (disabled ? TEXT_NO_ALL : 0));
	if (disabled)
		b->text->refused[STATUS_TEXT_DISABLED]++;
	status = add_pieces(b, r, record, fail);
	if (status == STATUS_OK)
		status = add_noopt(b, r, record, fail);
	if (status == STATUS_OK)
		status = add_tables(b, r, record, max_tables, fail);
	if (status == STATUS_OK) {
		add_functions(b, r, record);
		add_slots(b, r, record);
	}
	return status;
}

/* Turns the four bits round, of all bytes that a record covers. */
static void turn_round(struct builder *b)
{
	const u64 all = TEXT_RECORDED * TEXT_FOUR;
	u64 i, n = b->text->end - b->text->start;
	u16 *marks = b->text->marks;

	for (i = 0; i < n; i += 4) {
		u64 four = port_get64(marks + i);

		/* 0xffff for each mark that is RECORDED, which is its highest bit */
		port_put64(marks + i, four ^ ((four & all) / TEXT_RECORDED * NOT_MASK));
	}
}

/* Do records contradict each other about the instruction at offset i, of `len` bytes? */
static bool disputed(const struct builder *b, u64 i, u32 len)
{
	u64 n = b->text->end - b->text->start;
	const u8 *kinds = b->kinds + i;

	if (len > n - i || !(text_all(b->text->marks + i + 1, len - 1) & TEXT_RECORDED))
		return true;
	for (; len > 8; len--) {
		if (kinds[len - 1])
			return true;
	}
	return (port_get64(kinds) & text_low_bits(8 * len)) >> 8;
}

/* What records contradict each other about becomes unknown. Where nothing was decoded, add_piece() and its callers have marked NOT_INSN. */
static void notes_finish(struct builder *b)
{
	u64 i = 0, n = b->text->end - b->text->start;
	u8 *kinds = b->kinds;
	u16 *marks = b->text->marks;

	turn_round(b);
	while (i < n) {
		u32 len = kind_len(kinds[i]);
		bool agreed;

		if (!kinds[i]) {
			i += port_get64(kinds + i) ? 1 : 8;
			continue;
		}
		agreed = !disputed(b, i, len);
		if (!agreed)
			marks[i] &= (u16) ~(TEXT_INSN | TEXT_CERTIFIED);
		if (marks[i] & TEXT_INSN)
			marks[i] |= TEXT_REACHED;
		else
			kinds[i] = 0;
		i += agreed ? len : 1;
	}
}

/* Uncovered text of a module whose notes are damaged may be what the broken record speaks for. */
static void notes_damaged(struct builder *b, u64 n_failures)
{
	u64 i, n = b->text->end - b->text->start;

	b->damaged = true;
	b->text->refused[STATUS_TEXT_NOTES] += n_failures > 0xffffffff ? 0xffffffff
	                                                               : (u32)n_failures;
	for (i = 0; i < n; i++) {
		if (!(b->text->marks[i] & TEXT_RECORDED))
			b->text->marks[i] |= TEXT_NO_ALL;
	}
}

/* Adds one object's records, or counts their tables if n_tables is given. */
static enum status walk_records(struct builder *b, struct notes_reader *r,
                                const struct notes_object *object, u32 max_tables, u64 *n_tables,
                                struct failure *fail)
{
	struct notes_records records;
	struct notes_record record;
	enum notes_status found;
	enum status status;

	notes_records_begin(&records, r, object);
	while ((found = notes_records_next(&records, &record)) != NOTES_END) {
		if (found != NOTES_OK)
			continue;
		if (n_tables) {
			*n_tables += record.counts[NOTES_TABLES];
			continue;
		}
		status = add_record(b, r, &record, object->flags & DYNOPT_OBJECT_DISABLED,
		                    max_tables, fail);
		if (status)
			return status;
	}
	return STATUS_OK;
}

/* One walk over all objects. */
static enum status walk_objects(struct builder *b, struct notes_reader *r, u32 max_tables,
                                u64 *n_tables, struct failure *fail)
{
	struct notes_object object;
	struct notes_walk walk;
	enum notes_status found;
	enum status status;

	notes_reader_init(r, b->view);
	notes_walk_begin(&walk, r);
	while ((found = notes_objects_next(&walk, &object)) != NOTES_END) {
		if (found != NOTES_OK)
			continue;
		b->text->noted = true;
		status = walk_records(b, r, &object, max_tables, n_tables, fail);
		if (status)
			return status;
	}
	return STATUS_OK;
}

enum status text_add_notes(struct builder *b, struct arena *keep, struct failure *fail)
{
	struct notes_reader reader;
	u64 n_tables = 0;
	enum status status;

	status = walk_objects(b, &reader, 0, &n_tables, fail);
	if (status)
		return status;
	if (!b->text->noted && !reader.n_failures)
		return STATUS_OK;
	if (n_tables > 0xffffffff)
		return failed(fail, STATUS_TEXT_LARGE, 0, n_tables);
	b->text->tables = arena_alloc(keep, n_tables, sizeof(*b->text->tables));
	if (n_tables && !b->text->tables)
		return failed(fail, STATUS_WORKSPACE, 0, n_tables * sizeof(*b->text->tables));
	status = walk_objects(b, &reader, (u32)n_tables, NULL, fail);
	if (status)
		return status;
	text_sort(b->text->tables, b->text->n_tables, sizeof(*b->text->tables));
	notes_finish(b);
	status = text_add_cache(b, &reader, fail);
	if (status)
		return status;
	if (reader.n_failures)
		notes_damaged(b, reader.n_failures);
	return STATUS_OK;
}
