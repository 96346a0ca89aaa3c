/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * reader.c - the grammar of notes and records (docs/notes-format.md).
 *
 * Invariant: bytes are read through a cursor that checks every one, or through
 * elf_view_bytes(); offsets in a range are kept as `offset <= length`, so that
 * sums of them cannot wrap. A record is validated by draining the same list
 * iterators that callers use: there is no second parser to disagree with.
 */
#include "reader_private.h"

static_assert(1 << NOTES_FUNCTIONS == DYNOPT_LIST_FUNCTIONS, "list bits");
static_assert(1 << NOTES_SLOTS == DYNOPT_LIST_SLOTS, "list bits");
static_assert(1 << NOTES_NOOPT == DYNOPT_LIST_NOOPT, "list bits");
static_assert(1 << NOTES_OPAQUE == DYNOPT_LIST_OPAQUE, "list bits");
static_assert(1 << NOTES_TABLES == DYNOPT_LIST_TABLES, "list bits");

void notes_reader_init(struct notes_reader *r, const struct elf_view *view)
{
	memset(r, 0, sizeof(*r));
	r->view = view;
}

enum notes_status notes_fail(struct notes_reader *r, enum notes_status status, u64 addr, u64 detail)
{
	r->last.status = status;
	r->last.addr = addr;
	r->last.detail = detail;
	if (r->n_failures++ == 0)
		r->first = r->last;
	return status;
}

/* ---- notes ---- */

/* One DynOpt note; if it is cut: `addr` of its header, and `size` bytes would be needed. */
struct note {
	u32 type;
	u64 addr; /* of desc */
	u64 size; /* of desc */
	const u8 *desc;
};

struct note_header {
	u32 namesz;
	u32 descsz;
	u32 type;
};

void notes_walk_begin(struct notes_walk *w, struct notes_reader *r)
{
	w->r = r;
	w->segment = 0;
	w->pos = 0;
}

static bool all_zero(const u8 *bytes, u64 size)
{
	u64 i;

	for (i = 0; i < size; i++) {
		if (bytes[i])
			return false;
	}
	return true;
}

static u64 pad4(u64 size)
{
	return (size + 3) & ~(u64)3;
}

/*
 * The next note of this segment, whoever owns it. Notes are walked in 4-byte steps whatever
 * p_align says: some linkers merge notes aligned to 4 into a segment aligned to 8. A zero
 * word where a header should begin is the padding that this leaves between notes.
 */
static enum notes_status segment_next(const struct elf_span *span, u64 *pos, struct note *note,
                                      bool *ours)
{
	struct note_header head;

	while (*pos < span->size) {
		const u8 *bytes = span->bytes + *pos;
		u64 left = span->size - *pos;
		u64 name_end, need;

		if (left < sizeof(head) && all_zero(bytes, left))
			break;
		note->addr = span->addr + *pos;
		note->size = sizeof(head);
		if (left < sizeof(head))
			return NOTES_NOTE_CUT;
		memcpy(&head, bytes, sizeof(head));
		if (head.namesz == 0) {
			*pos += 4;
			continue;
		}
		name_end = sizeof(head) + pad4(head.namesz);
		need = name_end + head.descsz;
		note->size = need;
		if (need > left)
			return NOTES_NOTE_CUT;
		*ours = head.namesz == sizeof(DYNOPT_NOTE_OWNER) &&
		        memcmp(bytes + sizeof(head), DYNOPT_NOTE_OWNER, head.namesz) == 0;
		note->type = head.type;
		note->addr = span->addr + *pos + name_end;
		note->size = head.descsz;
		note->desc = bytes + name_end;
		*pos += pad4(need) < left ? pad4(need) : left;
		return NOTES_OK;
	}
	return NOTES_END;
}

static enum notes_status walk_next(struct notes_walk *w, struct note *note)
{
	const struct elf_view *view = w->r->view;
	bool ours = false;

	while (w->segment < view->n_notes) {
		enum notes_status status =
			segment_next(&view->notes[w->segment], &w->pos, note, &ours);

		if (status == NOTES_OK && ours)
			return NOTES_OK;
		if (status == NOTES_OK)
			continue;
		w->segment++;
		w->pos = 0;
		if (status != NOTES_END)
			return status;
	}
	return NOTES_END;
}

static enum notes_status object_read(struct notes_reader *r, const struct note *note,
                                     struct notes_object *out)
{
	struct dynopt_note_object o;
	struct notes_object object = { .note = note->addr };
	const u64 at = note->addr;

	/* The version is looked at before the size: a later version may change that. */
	memset(&o, 0, sizeof(o));
	memcpy(&o, note->desc, note->size < sizeof(o) ? note->size : sizeof(o));
	if (note->size < offsetof(struct dynopt_note_object, flags))
		return notes_fail(r, NOTES_OBJECT_SIZE, at, note->size);
	if (o.version != DYNOPT_NOTES_VERSION)
		return notes_fail(r, NOTES_OBJECT_VERSION, at, o.version);
	if (note->size != sizeof(o))
		return notes_fail(r, NOTES_OBJECT_SIZE, at, note->size);
	if (o.flags & ~DYNOPT_OBJECT_DISABLED)
		return notes_fail(r, NOTES_OBJECT_FLAGS, at, o.flags);

	object.version = o.version;
	object.flags = o.flags;
	object.records = at + offsetof(struct dynopt_note_object, records) + (u64)o.records;
	object.records_end =
		at + offsetof(struct dynopt_note_object, records_end) + (u64)o.records_end;
	if (object.records_end < object.records)
		return notes_fail(r, NOTES_OBJECT_ORDER, at, object.records - object.records_end);
	if (!elf_view_bytes(r->view, object.records, object.records_end - object.records, 0))
		return notes_fail(r, NOTES_OBJECT_RECORDS, at, object.records_end - object.records);
	object.cache_size = o.cache_size;
	if (o.cache_size)
		object.cache = at + offsetof(struct dynopt_note_object, cache) + (u64)o.cache;
	if (o.cache_size && !elf_view_covers(r->view, object.cache, object.cache_size, ELF_VIEW_X))
		return notes_fail(r, NOTES_OBJECT_CACHE, at, o.cache_size);
	*out = object;
	return NOTES_OK;
}

enum notes_status notes_objects_next(struct notes_walk *w, struct notes_object *out)
{
	enum notes_status status;
	struct note note;

	while ((status = walk_next(w, &note)) == NOTES_OK) {
		if (note.type == DYNOPT_NT_OBJECT)
			return object_read(w->r, &note, out);
		if (note.type != DYNOPT_NT_FARPOOL)
			return notes_fail(w->r, NOTES_NOTE_TYPE, note.addr, note.type);
	}
	if (status != NOTES_END)
		notes_fail(w->r, status, note.addr, note.size);
	return status;
}

static enum notes_status farpool_read(struct notes_reader *r, const struct note *note,
                                      struct notes_farpool *out)
{
	struct dynopt_note_farpool f;
	struct notes_farpool pool = { .note = note->addr };

	if (note->size != sizeof(f))
		return notes_fail(r, NOTES_FARPOOL_SIZE, note->addr, note->size);
	memcpy(&f, note->desc, sizeof(f));
	pool.start = note->addr + offsetof(struct dynopt_note_farpool, start) + (u64)f.start;
	pool.end = note->addr + offsetof(struct dynopt_note_farpool, end) + (u64)f.end;
	if (pool.end < pool.start || (pool.end - pool.start) % DYNOPT_FARSLOT_SIZE)
		return notes_fail(r, NOTES_FARPOOL_ORDER, note->addr, pool.end - pool.start);
	if (!elf_view_covers(r->view, pool.start, pool.end - pool.start, ELF_VIEW_X))
		return notes_fail(r, NOTES_FARPOOL_OUTSIDE, note->addr, pool.end - pool.start);
	*out = pool;
	return NOTES_OK;
}

enum notes_status notes_farpools_next(struct notes_walk *w, struct notes_farpool *out)
{
	enum notes_status status;
	struct note note;

	while ((status = walk_next(w, &note)) != NOTES_END) {
		if (status == NOTES_OK && note.type == DYNOPT_NT_FARPOOL)
			return farpool_read(w->r, &note, out);
	}
	return NOTES_END;
}

/* ---- records ---- */

void notes_records_begin(struct notes_records *it, struct notes_reader *r,
                         const struct notes_object *object)
{
	it->r = r;
	it->cur.addr = object->records;
	it->cur.size = object->records_end - object->records;
	it->cur.pos = 0;
	it->cur.bytes = elf_view_bytes(r->view, it->cur.addr, it->cur.size, 0);
	if (!it->cur.bytes)
		it->cur.size = 0;
}

/* Start, length and lists. */
static enum notes_status record_head(struct notes_reader *r, struct notes_cursor *c,
                                     struct notes_record *record)
{
	enum notes_status status;
	u64 length = 0;
	u8 lists = 0;

	status = cursor_target(c, &record->start);
	if (status == NOTES_OK)
		status = cursor_uleb(c, &length);
	if (status == NOTES_OK)
		status = cursor_u8(c, &lists);
	if (status != NOTES_OK)
		return notes_fail(r, status, cursor_addr(c), record->size);
	if (!elf_view_covers(r->view, record->start, length, ELF_VIEW_X))
		return notes_fail(r, NOTES_RANGE_OUTSIDE, cursor_addr(c), length);
	if (!(lists & DYNOPT_LIST_SINGLE) && lists >> DYNOPT_LIST_FACTS_SHIFT)
		return notes_fail(r, NOTES_LISTS_UNKNOWN, cursor_addr(c) - 1, lists);
	if ((lists & DYNOPT_LIST_SINGLE) && (lists & DYNOPT_LIST_FUNCTIONS))
		return notes_fail(r, NOTES_LISTS_BOTH, cursor_addr(c) - 1, lists);
	record->end = record->start + length;
	record->lists = lists;
	return NOTES_OK;
}

/* Walks `it` to its end. */
static enum notes_status iter_drain(struct notes_iter *it)
{
	union {
		struct notes_function function;
		struct notes_slot slot;
		struct notes_noopt noopt;
		struct notes_opaque opaque;
		struct notes_table table;
	} item;
	enum notes_status status = NOTES_OK;

	while (status == NOTES_OK) {
		switch (it->list) {
		case NOTES_FUNCTIONS:
			status = notes_functions_next(it, &item.function);
			break;
		case NOTES_SLOTS:
			status = notes_slots_next(it, &item.slot);
			break;
		case NOTES_NOOPT:
			status = notes_noopt_next(it, &item.noopt);
			break;
		case NOTES_OPAQUE:
			status = notes_opaque_next(it, &item.opaque);
			break;
		default:
			status = notes_tables_next(it, &item.table);
			break;
		}
	}
	return status == NOTES_END ? NOTES_OK : status;
}

/* Slots are filled with jumps: none may lie in a piece whose bytes mean something else. */
static enum notes_status record_slots_apart(struct notes_reader *r,
                                            const struct notes_record *record)
{
	struct notes_opaque piece;
	struct notes_slot slot;
	struct notes_iter slots, pieces;
	enum notes_status slot_status, piece_status;

	notes_iter_begin(&slots, r, record, NOTES_SLOTS);
	notes_iter_begin(&pieces, r, record, NOTES_OPAQUE);
	slot_status = notes_slots_next(&slots, &slot);
	piece_status = notes_opaque_next(&pieces, &piece);
	while (slot_status == NOTES_OK && piece_status == NOTES_OK) {
		if (piece.end <= slot.addr) {
			piece_status = notes_opaque_next(&pieces, &piece);
		} else if (piece.start >= slot.addr + DYNOPT_SLOT_SIZE) {
			slot_status = notes_slots_next(&slots, &slot);
		} else {
			return notes_fail(r, NOTES_SLOT_OPAQUE, record->addr,
			                  slot.addr - record->start);
		}
	}
	if (slot_status != NOTES_OK && slot_status != NOTES_END)
		return slot_status;
	return piece_status == NOTES_END ? NOTES_OK : piece_status;
}

/* All lists of a record whose head is at c->pos. */
static enum notes_status record_lists(struct notes_reader *r, struct notes_cursor *c,
                                      struct notes_record *record)
{
	struct notes_iter it;
	u32 list;

	for (list = 0; list < NOTES_N_LISTS; list++) {
		enum notes_status status;

		record->at[list] = c->pos;
		notes_iter_begin(&it, r, record, (enum notes_list)list);
		status = notes_iter_open(&it);
		if (status == NOTES_OK) {
			record->counts[list] = it.left;
			status = iter_drain(&it);
		}
		if (status != NOTES_OK)
			return status;
		c->pos = it.cur.pos;
	}
	if (cursor_left(c))
		return notes_fail(r, NOTES_RECORD_TRAILING, cursor_addr(c), cursor_left(c));
	return record_slots_apart(r, record);
}

static bool ranges_meet(u64 start, u64 end, u64 lo, u64 hi)
{
	return start < hi && lo < end;
}

/*
 * Cuts the next record out of the object: *record gets its place, *c stands behind its
 * size field and ends where it ends. The object's cursor is moved past it.
 */
static enum notes_status record_cut(struct notes_records *it, struct notes_record *record,
                                    struct notes_cursor *c)
{
	u64 start = it->cur.pos, size = 0;

	while (start < it->cur.size) {
		enum notes_status status = cursor_uleb(&it->cur, &size);

		if (status != NOTES_OK || size > cursor_left(&it->cur)) {
			it->cur.pos = it->cur.size;
			return notes_fail(it->r, NOTES_RECORD_CUT, it->cur.addr + start, size);
		}
		if (size)
			break;
		start = it->cur.pos;
	}
	if (!size)
		return NOTES_END;
	memset(record, 0, sizeof(*record));
	record->addr = it->cur.addr + start;
	record->bytes = it->cur.bytes + start;
	record->size = it->cur.pos + size - start;
	c->bytes = record->bytes;
	c->addr = record->addr;
	c->size = record->size;
	c->pos = it->cur.pos - start;
	it->cur.pos += size;
	return NOTES_OK;
}

/* The next record for which `all`, or whose range meets [lo, hi). */
static enum notes_status record_next(struct notes_records *it, bool all, u64 lo, u64 hi,
                                     struct notes_record *out)
{
	struct notes_record record;
	struct notes_cursor c;
	enum notes_status status;

	do {
		status = record_cut(it, &record, &c);
		if (status == NOTES_OK)
			status = record_head(it->r, &c, &record);
		if (status != NOTES_OK)
			return status;
	} while (!all && !ranges_meet(record.start, record.end, lo, hi));
	status = record_lists(it->r, &c, &record);
	if (status == NOTES_OK)
		*out = record;
	return status;
}

enum notes_status notes_records_next(struct notes_records *it, struct notes_record *out)
{
	return record_next(it, true, 0, 0, out);
}

enum notes_status notes_records_next_in(struct notes_records *it, u64 lo, u64 hi,
                                        struct notes_record *out)
{
	return record_next(it, false, lo, hi, out);
}
