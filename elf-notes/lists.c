/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * lists.c - the five lists of a record, one item at a time.
 *
 * Invariant: `offset <= length` and `pos <= size` hold between calls, so that an
 * item is accepted only if it lies in the range, and sums cannot wrap. A failure
 * empties the iterator: what follows a broken item has no meaning.
 */
#include "reader_private.h"

#define SHIFT_MAX 31

/* Fewest bytes that an item of each list takes: what bounds its count. */
static const u8 item_size_min[NOTES_N_LISTS] = {
	[NOTES_FUNCTIONS] = 1, /* entry */
	[NOTES_SLOTS] = 1, /* delta */
	[NOTES_NOOPT] = 3, /* delta, length, reasons */
	[NOTES_OPAQUE] = 2, /* delta, length */
	[NOTES_TABLES] = 6, /* site, s32 table, entries */
};

void notes_iter_begin(struct notes_iter *it, struct notes_reader *r,
                      const struct notes_record *record, enum notes_list list)
{
	memset(it, 0, sizeof(*it));
	it->r = r;
	it->list = list;
	it->cur.bytes = record->bytes;
	it->cur.addr = record->addr;
	it->cur.size = record->size;
	it->cur.pos = record->at[list];
	it->start = record->start;
	it->length = record->end - record->start;
	if (list == NOTES_FUNCTIONS && (record->lists & DYNOPT_LIST_SINGLE)) {
		it->single = true;
		it->facts = record->lists >> DYNOPT_LIST_FACTS_SHIFT;
		it->left = 1;
	}
	it->open = !(record->lists & 1u << list);
}

static enum notes_status iter_fail(struct notes_iter *it, enum notes_status status, u64 detail)
{
	it->left = 0;
	if (status == NOTES_RECORD_SHORT || status == NOTES_LEB_LONG)
		detail = it->cur.size;
	return notes_fail(it->r, status, cursor_addr(&it->cur), detail);
}

/* FUNCTIONS: u8 shift, uleb count, uleb first. */
static enum notes_status functions_head(struct notes_iter *it, u64 *count)
{
	enum notes_status status;
	u64 first = 0;
	u8 shift = 0;

	status = cursor_u8(&it->cur, &shift);
	if (status == NOTES_OK)
		status = cursor_uleb(&it->cur, count);
	if (status == NOTES_OK)
		status = cursor_uleb(&it->cur, &first);
	if (status != NOTES_OK)
		return iter_fail(it, status, 0);
	if (shift > SHIFT_MAX)
		return iter_fail(it, NOTES_FUNCTION_SHIFT, shift);
	if (first > it->length)
		return iter_fail(it, NOTES_FUNCTION_PAST, first);
	it->shift = shift;
	it->offset = first;
	return NOTES_OK;
}

enum notes_status notes_iter_open(struct notes_iter *it)
{
	enum notes_status status;
	u64 count = 0;

	if (it->open)
		return NOTES_OK;
	it->open = true;
	if (it->list == NOTES_FUNCTIONS) {
		status = functions_head(it, &count);
		if (status != NOTES_OK)
			return status;
	} else {
		status = cursor_uleb(&it->cur, &count);
		if (status != NOTES_OK)
			return iter_fail(it, status, 0);
	}
	if (count > cursor_left(&it->cur) / item_size_min[it->list])
		return iter_fail(it, NOTES_COUNT_LARGE, count);
	it->left = count;
	return NOTES_OK;
}

/* NOTES_OK if one more item of `list` is to be read; it is counted as read. */
static enum notes_status iter_step(struct notes_iter *it, enum notes_list list)
{
	enum notes_status status;

	if (it->list != list)
		return notes_fail(it->r, NOTES_MISUSED, cursor_addr(&it->cur), 0);
	status = notes_iter_open(it);
	if (status != NOTES_OK)
		return status;
	if (it->left == 0)
		return NOTES_END;
	it->left--;
	return NOTES_OK;
}

enum notes_status notes_functions_next(struct notes_iter *it, struct notes_function *out)
{
	enum notes_status status = iter_step(it, NOTES_FUNCTIONS);
	u64 entry, extent, end;

	if (status != NOTES_OK)
		return status;
	if (it->single) {
		out->start = it->start;
		out->end = it->start + it->length;
		out->facts = it->facts;
		return NOTES_OK;
	}
	status = cursor_uleb(&it->cur, &entry);
	if (status != NOTES_OK)
		return iter_fail(it, status, 0);
	extent = entry >> 2;
	if (extent > ((it->length - it->offset) >> it->shift) + 1)
		return iter_fail(it, NOTES_FUNCTION_PAST, it->offset);
	end = it->offset + (extent << it->shift);
	/* Only the last may overrun the range, by less than one unit. */
	if (end > it->length && (it->left || end - it->length >= (u64)1 << it->shift))
		return iter_fail(it, NOTES_FUNCTION_PAST, end);
	if (end > it->length)
		end = it->length;
	out->start = it->start + it->offset;
	out->end = it->start + end;
	out->facts = entry & DYNOPT_FACTS_MASK;
	it->offset = end;
	return NOTES_OK;
}

enum notes_status notes_slots_next(struct notes_iter *it, struct notes_slot *out)
{
	enum notes_status status = iter_step(it, NOTES_SLOTS);
	u64 delta;

	if (status != NOTES_OK)
		return status;
	status = cursor_uleb(&it->cur, &delta);
	if (status != NOTES_OK)
		return iter_fail(it, status, 0);
	if (delta > it->length - it->offset || it->length - it->offset - delta < DYNOPT_SLOT_SIZE)
		return iter_fail(it, NOTES_SLOT_PAST, it->offset + delta);
	out->addr = it->start + it->offset + delta;
	it->offset += delta + DYNOPT_SLOT_SIZE;
	return NOTES_OK;
}

/* Reads delta and length of a piece that lies in the range from it->offset on. */
static enum notes_status piece_read(struct notes_iter *it, enum notes_status past, u64 *start,
                                    u64 *length)
{
	enum notes_status status;
	u64 delta = 0;

	status = cursor_uleb(&it->cur, &delta);
	if (status == NOTES_OK)
		status = cursor_uleb(&it->cur, length);
	if (status != NOTES_OK)
		return iter_fail(it, status, 0);
	if (delta > it->length - it->offset || *length > it->length - it->offset - delta)
		return iter_fail(it, past, it->offset + delta);
	*start = it->offset + delta;
	return NOTES_OK;
}

enum notes_status notes_noopt_next(struct notes_iter *it, struct notes_noopt *out)
{
	enum notes_status status = iter_step(it, NOTES_NOOPT);
	u64 start = 0, length = 0, reasons = 0;

	if (status != NOTES_OK)
		return status;
	status = piece_read(it, NOTES_NOOPT_PAST, &start, &length);
	if (status != NOTES_OK)
		return status;
	status = cursor_uleb(&it->cur, &reasons);
	if (status != NOTES_OK)
		return iter_fail(it, status, 0);
	if (!reasons)
		return iter_fail(it, NOTES_NOOPT_REASON, start);
	out->start = it->start + start;
	out->end = out->start + length;
	out->reasons = reasons;
	out->forbids = notes_reasons_forbid(reasons);
	it->offset = start;
	return NOTES_OK;
}

enum notes_status notes_opaque_next(struct notes_iter *it, struct notes_opaque *out)
{
	enum notes_status status = iter_step(it, NOTES_OPAQUE);
	u64 start = 0, length = 0;

	if (status != NOTES_OK)
		return status;
	status = piece_read(it, NOTES_OPAQUE_PAST, &start, &length);
	if (status != NOTES_OK)
		return status;
	out->start = it->start + start;
	out->end = out->start + length;
	it->offset = start + length;
	return NOTES_OK;
}

static u64 entry_size(u32 form)
{
	return form == DYNOPT_TABLE_ABS64 ? ABS64_ENTRY_SIZE : REL32_ENTRY_SIZE;
}

/* The whole table, or NULL if it is not in one readable span. */
static const u8 *table_bytes(const struct elf_view *view, const struct notes_table *table)
{
	const u64 size = entry_size(table->form);

	if (table->count > ~(u64)0 / size)
		return NULL;
	return elf_view_bytes(view, table->addr, table->count * size, 0);
}

enum notes_status notes_tables_next(struct notes_iter *it, struct notes_table *out)
{
	enum notes_status status = iter_step(it, NOTES_TABLES);
	u64 site = 0, entries = 0;
	struct notes_table table;

	if (status != NOTES_OK)
		return status;
	status = cursor_uleb(&it->cur, &site);
	if (status == NOTES_OK)
		status = cursor_target(&it->cur, &table.addr);
	if (status == NOTES_OK)
		status = cursor_uleb(&it->cur, &entries);
	if (status != NOTES_OK)
		return iter_fail(it, status, 0);
	if (site > it->length)
		return iter_fail(it, NOTES_TABLE_SITE, site - 1);
	table.site = site ? it->start + site - 1 : 0;
	table.count = entries >> 1;
	table.form = entries & 1;
	if (!table_bytes(it->r->view, &table))
		return iter_fail(it, NOTES_TABLE_OUTSIDE, table.addr);
	*out = table;
	return NOTES_OK;
}

bool notes_table_target(const struct elf_view *view, const struct notes_table *table, u64 index,
                        u64 *target)
{
	const u8 *bytes = table_bytes(view, table);
	s32 distance;

	if (!bytes || index >= table->count)
		return false;
	if (table->form == DYNOPT_TABLE_ABS64) {
		if (view->relocatable)
			return false;
		memcpy(target, bytes + index * ABS64_ENTRY_SIZE, sizeof(*target));
		return true;
	}
	memcpy(&distance, bytes + index * REL32_ENTRY_SIZE, sizeof(distance));
	*target = table->addr + (u64)distance;
	return true;
}

u32 notes_reasons_forbid(u64 reasons)
{
	u32 forbids = 0;
	u64 known = 0;

#define X(name, bit, forbidden, text) \
	known |= (bit); \
	if (reasons & (bit)) \
		forbids |= (forbidden);
	DYNOPT_REASONS(X)
#undef X
	return reasons & ~known ? DYNOPT_FORBID_ALL : forbids;
}
