/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * text_notes.c - records to marks.
 *
 * Where records overlap (folded code), prohibitions add up, and boundaries, certainty and facts are what all
 * of them agree on. So while records are read, four bits have the opposite meaning: "some record does
 * not say so"; they only ever get set, and the order of records does not matter. notes_finish() turns them
 * round, and drops what records contradict each other about. Only the parts that are read get marks.
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

static void mark(struct builder *b, u64 start, u64 end, u32 bits)
{
	struct text_part part;
	u64 at = start;

	while (text_next_part(b->parts, b->n_parts, &at, end, &part))
		text_mark_range(b->text, part.start, part.end, bits);
}

/* What lies in a part of a record between opaque pieces: [start, end) decodes from its start. */
static enum status add_decoded(struct builder *b, u64 start, u64 end, struct failure *fail)
{
	struct text *text = b->text;
	struct failure why;
	enum status status;
	u64 at, until = end;
	const u8 *kinds;
	u16 *marks;

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

/* A piece of a record between opaque ones. Of a part's neighbours it is only wanted where they branch to. */
static enum status add_piece(struct builder *b, u64 start, u64 end, struct failure *fail)
{
	enum status status = STATUS_OK;
	struct text_part part;
	struct failure why;
	u64 at = start;

	while (!status && text_next_part(b->parts, b->n_parts, &at, end, &part))
		status = add_decoded(b, part.start, part.end, fail);
	at = start;
	while (!status && text_next_part(b->fringe, b->n_fringe, &at, end, &part))
		if (text_decode(b, part.start, part.end, &why) == STATUS_TEXT_LARGE)
			status = failed(fail, STATUS_TEXT_LARGE, why.addr, why.detail);
	return status;
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
		mark(b, opaque.start, opaque.end, NOT_INSN | NOT_CERTIFIED);
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
		mark(b, at, function.start, NOT_PLAIN | NOT_PRIVATE);
		mark(b, function.start, function.end, lacking);
		mark(b, function.start, function.start + 1, TEXT_FUNCTION);
		at = function.end;
	}
	mark(b, at, record->end, NOT_PLAIN | NOT_PRIVATE);
}

/* Is a byte of it in a part? */
static bool meets(const struct builder *b, u64 start, u64 end)
{
	struct text_part part;

	return text_next_part(b->parts, b->n_parts, &start, end, &part);
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
		mark(b, range.start, range.end, no_marks(range.forbids));
		if ((range.forbids & (DYNOPT_FORBID_PATCH | DYNOPT_FORBID_TRANSLATE)) &&
		    meets(b, range.start, range.end))
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
		mark(b, slot.addr, slot.addr + DYNOPT_SLOT_SIZE, TEXT_FREE);
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

/* Of the jumps in parts, and those of no known jump. */
static enum status add_tables(struct builder *b, struct notes_reader *r,
                              const struct notes_record *record, struct failure *fail)
{
	enum status status = STATUS_OK;
	struct notes_table table;
	struct notes_iter it;

	notes_iter_begin(&it, r, record, NOTES_TABLES);
	while (!status && notes_tables_next(&it, &table) == NOTES_OK)
		if (!table.site || meets(b, table.site, table.site + 1))
			status = add_table_targets(b, &table, fail);
	return status;
}

static enum status add_record(struct builder *b, struct notes_reader *r,
                              const struct notes_object *object, const struct notes_record *record,
                              struct failure *fail)
{
	bool disabled = object->flags & DYNOPT_OBJECT_DISABLED;
	enum status status;

	mark(b, record->start, record->end, TEXT_RECORDED | (disabled ? TEXT_NO_ALL : 0));
	if (disabled && meets(b, record->start, record->end))
		b->text->refused[STATUS_TEXT_DISABLED]++;
	status = add_pieces(b, r, record, fail);
	if (status == STATUS_OK)
		status = add_noopt(b, r, record, fail);
	if (status == STATUS_OK)
		status = add_tables(b, r, record, fail);
	if (status == STATUS_OK) {
		add_functions(b, r, record);
		add_slots(b, r, record);
	}
	return status;
}

/* Turns the four bits round, of all bytes that a record covers. */
static void turn_round(u16 *marks, u64 n)
{
	const u64 all = TEXT_RECORDED * TEXT_FOUR;

	for (; n >= 4; n -= 4, marks += 4) {
		u64 four = port_get64(marks);

		/* 0xffff for each mark that is RECORDED, which is its highest bit */
		port_put64(marks, four ^ ((four & all) / TEXT_RECORDED * NOT_MASK));
	}
	for (; n; n--, marks++)
		*marks ^= *marks & TEXT_RECORDED ? NOT_MASK : 0;
}

/* Do records contradict each other about the instruction of `len` bytes, in front of which n bytes are left of the part? */
static bool disputed(const u16 *marks, const u8 *kinds, u64 n, u32 len)
{
	if (len > n || !(text_all(marks + 1, len - 1) & TEXT_RECORDED))
		return true;
	for (; len > 8; len--) {
		if (kinds[len - 1])
			return true;
	}
	return (port_get64(kinds) & text_low_bits(8 * len)) >> 8;
}

/* What records contradict each other about becomes unknown. Where nothing was decoded, add_piece() and its callers have marked NOT_INSN. */
static void finish_part(struct builder *b, const struct text_part *part)
{
	u64 i = 0, n = part->end - part->start;
	u16 *marks = b->text->marks + (part->start - b->text->start);
	u8 *kinds = b->kinds + (part->start - b->text->start);

	turn_round(marks, n);
	while (i < n) {
		u32 len = kind_len(kinds[i]);
		bool agreed;

		if (!kinds[i]) {
			i += port_get64(kinds + i) ? 1 : 8;
			continue;
		}
		agreed = !disputed(marks + i, kinds + i, n - i, len);
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

typedef enum status visit_fn(struct builder *b, struct notes_reader *r,
                             const struct notes_object *object, const struct notes_record *record,
                             struct failure *fail);

static enum status walk_records(struct builder *b, struct notes_reader *r,
                                const struct notes_object *object, visit_fn *visit,
                                struct failure *fail)
{
	struct notes_records records;
	struct notes_record record;
	enum notes_status found;
	enum status status = STATUS_OK;

	notes_records_begin(&records, r, object);
	while (!status && (found = notes_records_next(&records, &record)) != NOTES_END)
		if (found == NOTES_OK && record.start != record.end)
			status = visit(b, r, object, &record, fail);
	return status;
}

/* One walk over the records of all objects. */
static enum status walk_objects(struct builder *b, struct notes_reader *r, visit_fn *visit,
                                struct failure *fail)
{
	struct notes_object object;
	struct notes_walk walk;
	enum notes_status found;
	enum status status = STATUS_OK;

	notes_reader_init(r, b->view);
	notes_walk_begin(&walk, r);
	while (!status && (found = notes_objects_next(&walk, &object)) != NOTES_END) {
		if (found != NOTES_OK)
			continue;
		b->text->noted = true;
		status = walk_records(b, r, &object, visit, fail);
	}
	return status;
}

/* ---- lists: tables, functions, records ---- */

static enum status count_lists(struct builder *b, struct notes_reader *r,
                               const struct notes_object *object, const struct notes_record *record,
                               struct failure *fail)
{
	(void)r;
	(void)object;
	b->n_noted_tables += record->counts[NOTES_TABLES];
	b->n_noted_functions += record->counts[NOTES_FUNCTIONS];
	b->n_records++;
	return b->n_noted_tables < 0xffffffff && b->n_noted_functions < 0xffffffff
	               ? STATUS_OK
	               : failed(fail, STATUS_TEXT_LARGE, record->addr, 0);
}

static enum status list_tables(struct builder *b, struct notes_reader *r,
                               const struct notes_object *object, const struct notes_record *record,
                               struct failure *fail)
{
	struct text *text = b->text;
	struct notes_table table;
	struct notes_iter it;

	(void)object;
	(void)fail;
	notes_iter_begin(&it, r, record, NOTES_TABLES);
	while (notes_tables_next(&it, &table) == NOTES_OK)
		if (table.site && text->n_tables < b->n_noted_tables)
			text->tables[text->n_tables++] = (struct text_table){ .site = table.site,
				                                              .addr = table.addr,
				                                              .count = table.count,
				                                              .form = table.form };
	return STATUS_OK;
}

static void list_units(struct builder *b, struct notes_reader *r, const struct notes_record *record)
{
	struct text_parts *parts = b->text->parts;
	struct notes_function function;
	struct notes_iter it;

	notes_iter_begin(&it, r, record, NOTES_FUNCTIONS);
	while (notes_functions_next(&it, &function) == NOTES_OK)
		if (function.start < function.end && parts->n_units < b->n_noted_functions)
			parts->units[parts->n_units++] =
				(struct text_unit){ .start = function.start,
				                    .size = (u32)(function.end - function.start) };
}

static u64 certified_bytes(struct notes_reader *r, const struct notes_record *record)
{
	u64 n = record->end - record->start;
	struct notes_opaque opaque;
	struct notes_iter it;

	notes_iter_begin(&it, r, record, NOTES_OPAQUE);
	while (notes_opaque_next(&it, &opaque) == NOTES_OK)
		n -= opaque.end - opaque.start;
	return n;
}

static enum status list_record(struct builder *b, struct notes_reader *r,
                               const struct notes_object *object, const struct notes_record *record,
                               struct failure *fail)
{
	if (b->n_parts < b->n_records)
		b->own[b->n_parts++] = (struct text_part){ record->start, record->end };
	b->text->proven_bytes += certified_bytes(r, record);
	list_units(b, r, record);
	return list_tables(b, r, object, record, fail);
}

/* Room for the tables; false if there is none. */
static bool has_tables(struct builder *b, struct arena *keep)
{
	b->text->tables = arena_alloc(keep, b->n_noted_tables, sizeof(*b->text->tables));
	return b->text->tables || !b->n_noted_tables;
}

enum status text_add_notes(struct builder *b, struct arena *keep, struct failure *fail)
{
	struct notes_reader reader;
	enum status status = walk_objects(b, &reader, count_lists, fail);

	if (status)
		return status;
	if (!b->text->noted && !reader.n_failures)
		return STATUS_OK;
	if (!has_tables(b, keep))
		return failed(fail, STATUS_WORKSPACE, 0,
		              b->n_noted_tables * sizeof(*b->text->tables));
	status = walk_objects(b, &reader, list_tables, fail);
	if (status == STATUS_OK)
		status = walk_objects(b, &reader, add_record, fail);
	if (status)
		return status;
	text_sort(b->text->tables, b->text->n_tables, sizeof(*b->text->tables));
	for (u32 i = 0; i < b->n_parts; i++)
		finish_part(b, &b->parts[i]);
	status = text_add_cache(b, &reader, fail);
	if (status)
		return status;
	if (reader.n_failures)
		notes_damaged(b, reader.n_failures);
	return STATUS_OK;
}

/* ---- by parts ---- */

/* Records that cover the same bytes have to be read together. */
static bool overlap(struct text_part *records, u32 n)
{
	text_sort(records, n, sizeof(*records));
	for (u32 i = 1; i < n; i++)
		if (records[i].start < records[i - 1].end)
			return true;
	return false;
}

enum status text_list_notes(struct builder *b, struct arena *keep, struct failure *fail)
{
	struct text_parts *parts = b->text->parts;
	struct notes_reader reader;
	enum status status = walk_objects(b, &reader, count_lists, fail);
	u32 n_records = 0;

	if (status)
		return status;
	if (!b->text->noted || reader.n_failures)
		return failed(fail, STATUS_TEXT_NOTES, reader.first.addr, reader.first.status);
	parts->units = arena_alloc(keep, b->n_noted_functions, sizeof(*parts->units));
	b->own = arena_alloc(b->scratch, b->n_records, sizeof(*b->own));
	if (!has_tables(b, keep) || (b->n_noted_functions && !parts->units) ||
	    (b->n_records && !b->own))
		return failed(fail, STATUS_WORKSPACE, 0, b->n_records);
	status = walk_objects(b, &reader, list_record, fail);
	if (status)
		return status;
	n_records = b->n_parts;
	b->n_parts = 0;
	if (overlap(b->own, n_records))
		return failed(fail, STATUS_TEXT_NOTES, 0, 0);
	text_sort(b->text->tables, b->text->n_tables, sizeof(*b->text->tables));
	text_sort(parts->units, parts->n_units, sizeof(*parts->units));
	b->text->n_functions = parts->n_units;
	return text_add_cache(b, &reader, fail);
}

enum status text_read_notes(struct builder *b, struct failure *fail)
{
	struct notes_reader reader;
	enum status status = walk_objects(b, &reader, add_record, fail);

	for (u32 i = 0; !status && i < b->n_parts; i++)
		finish_part(b, &b->parts[i]);
	return status;
}
