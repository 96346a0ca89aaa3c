/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * check.c - walks all that the notes say, counts it, and reports what is wrong.
 *
 * Beyond what the reader refuses by itself, notes are compared with bytes where that
 * needs no disassembler: slots, cache and far pool of a file as linked hold 0xCC
 * (int3), and jump tables lead to executable bytes. One finding per slot, region
 * or table: the first byte or entry that is wrong.
 */
#include "reader_private.h"

#define FREE_BYTE 0xcc

struct check {
	struct notes_reader *r;
	u32 flags;
	notes_finding_fn *found;
	void *ctx;
	struct notes_totals *totals;
	enum notes_status first;
	const struct notes_object *object;
	const struct notes_record *record;
};

/* Reports r->last. */
static void finding(struct check *c)
{
	if (c->totals->n_findings++ == 0)
		c->first = c->r->last.status;
	if (c->found)
		c->found(c->ctx, &c->r->last, c->object, c->record);
}

/* Is there another item? Failures are reported, and the walk goes on behind them. */
static bool more(struct check *c, enum notes_status status)
{
	if (status != NOTES_OK && status != NOTES_END)
		finding(c);
	return status != NOTES_END;
}

static void check_free(struct check *c, u64 addr, u64 size, enum notes_status status)
{
	const u8 *bytes = elf_view_bytes(c->r->view, addr, size, 0);
	u64 i;

	if (!(c->flags & NOTES_CHECK_PRISTINE) || !bytes)
		return;
	for (i = 0; i < size; i++) {
		if (bytes[i] != FREE_BYTE) {
			notes_fail(c->r, status, addr + i, bytes[i]);
			finding(c);
			return;
		}
	}
}

static void check_table(struct check *c, const struct notes_table *table)
{
	const struct elf_view *view = c->r->view;
	u64 i, target;

	for (i = 0; i < table->count; i++) {
		if (notes_table_target(view, table, i, &target) &&
		    !elf_view_covers(view, target, 1, ELF_VIEW_X)) {
			notes_fail(c->r, NOTES_TABLE_TARGET, table->addr, target);
			finding(c);
			return;
		}
	}
}

static void check_functions(struct check *c, struct notes_iter *it)
{
	struct notes_function function;
	enum notes_status status;

	while (more(c, status = notes_functions_next(it, &function))) {
		if (status != NOTES_OK)
			continue;
		if (function.facts & DYNOPT_FACT_PLAIN)
			c->totals->n_plain++;
		if (function.facts & DYNOPT_FACT_STACK_PRIVATE)
			c->totals->n_stack_private++;
	}
}

static void check_slots(struct check *c, struct notes_iter *it)
{
	enum notes_status status;
	struct notes_slot slot;

	while (more(c, status = notes_slots_next(it, &slot))) {
		if (status == NOTES_OK)
			check_free(c, slot.addr, DYNOPT_SLOT_SIZE, NOTES_SLOT_BYTES);
	}
}

static void check_pieces(struct check *c, struct notes_iter *noopt, struct notes_iter *opaque)
{
	enum notes_status status;
	struct notes_noopt range;
	struct notes_opaque piece;

	while (more(c, status = notes_noopt_next(noopt, &range))) {
		if (status == NOTES_OK)
			c->totals->noopt_bytes += range.end - range.start;
	}
	while (more(c, status = notes_opaque_next(opaque, &piece))) {
		if (status == NOTES_OK)
			c->totals->opaque_bytes += piece.end - piece.start;
	}
}

static void check_tables(struct check *c, struct notes_iter *it)
{
	enum notes_status status;
	struct notes_table table;

	while (more(c, status = notes_tables_next(it, &table))) {
		if (status == NOTES_OK)
			check_table(c, &table);
	}
}

static void check_record(struct check *c, const struct notes_record *record)
{
	struct notes_iter it, other;
	u32 list;

	c->record = record;
	c->totals->n_records++;
	c->totals->range_bytes += record->end - record->start;
	for (list = 0; list < NOTES_N_LISTS; list++)
		c->totals->n_items[list] += record->counts[list];
	notes_iter_begin(&it, c->r, record, NOTES_FUNCTIONS);
	check_functions(c, &it);
	notes_iter_begin(&it, c->r, record, NOTES_SLOTS);
	check_slots(c, &it);
	notes_iter_begin(&it, c->r, record, NOTES_NOOPT);
	notes_iter_begin(&other, c->r, record, NOTES_OPAQUE);
	check_pieces(c, &it, &other);
	notes_iter_begin(&it, c->r, record, NOTES_TABLES);
	check_tables(c, &it);
	c->record = NULL;
}

static void check_object(struct check *c, const struct notes_object *object)
{
	struct notes_records records;
	struct notes_record record;
	enum notes_status status;

	c->object = object;
	c->totals->n_objects++;
	c->totals->n_disabled += (object->flags & DYNOPT_OBJECT_DISABLED) != 0;
	c->totals->record_bytes += object->records_end - object->records;
	c->totals->cache_bytes += object->cache_size;
	check_free(c, object->cache, object->cache_size, NOTES_CACHE_BYTES);
	notes_records_begin(&records, c->r, object);
	while (more(c, status = notes_records_next(&records, &record))) {
		if (status == NOTES_OK)
			check_record(c, &record);
	}
	c->object = NULL;
}

enum notes_status notes_check(struct notes_reader *r, u32 flags, notes_finding_fn *found, void *ctx,
                              struct notes_totals *totals)
{
	struct check c = { .r = r, .flags = flags, .found = found, .ctx = ctx, .totals = totals };
	struct notes_object object;
	struct notes_farpool pool;
	enum notes_status status;
	struct notes_walk walk;

	memset(totals, 0, sizeof(*totals));
	notes_walk_begin(&walk, r);
	while (more(&c, status = notes_objects_next(&walk, &object))) {
		if (status == NOTES_OK)
			check_object(&c, &object);
	}
	notes_walk_begin(&walk, r);
	while (more(&c, status = notes_farpools_next(&walk, &pool))) {
		if (status != NOTES_OK)
			continue;
		totals->n_farpools++;
		totals->farpool_bytes += pool.end - pool.start;
		check_free(&c, pool.start, pool.end - pool.start, NOTES_FARPOOL_BYTES);
	}
	return c.first;
}
