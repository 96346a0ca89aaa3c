/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * find.c - answers about one address, for those who patch and translate.
 *
 * Every answer errs on the side of leaving code alone: reasons of all records that
 * cover an address add up, facts and certainty are what all of them agree on, and
 * text that no record speaks for is untouchable once anything in the notes is broken.
 */
#include "reader_private.h"

/* A walk over the records of all objects whose range meets [lo, hi). */
struct find {
	struct notes_reader quiet; /* counts failures apart from the caller's */
	struct notes_walk walk;
	struct notes_object object;
	struct notes_records records;
	u64 lo;
	u64 hi;
	bool in_object;
};

static void find_begin(struct find *f, const struct notes_reader *r, u64 lo, u64 hi)
{
	notes_reader_init(&f->quiet, r->view);
	notes_walk_begin(&f->walk, &f->quiet);
	f->lo = lo;
	f->hi = hi;
	f->in_object = false;
}

static bool find_next(struct find *f, struct notes_record *record)
{
	enum notes_status status;

	for (;;) {
		while (!f->in_object) {
			status = notes_objects_next(&f->walk, &f->object);
			if (status == NOTES_END)
				return false;
			if (status != NOTES_OK)
				continue;
			notes_records_begin(&f->records, &f->quiet, &f->object);
			f->in_object = true;
		}
		status = notes_records_next_in(&f->records, f->lo, f->hi, record);
		if (status == NOTES_OK)
			return true;
		if (status == NOTES_END)
			f->in_object = false;
	}
}

/* Reasons of all no-optimize ranges of a record that meet [lo, hi). */
static u64 record_reasons(struct notes_reader *r, const struct notes_record *record, u64 lo, u64 hi)
{
	struct notes_noopt range;
	struct notes_iter it;
	u64 reasons = 0;

	notes_iter_begin(&it, r, record, NOTES_NOOPT);
	while (notes_noopt_next(&it, &range) == NOTES_OK) {
		if (range.start < hi && lo < range.end)
			reasons |= range.reasons;
	}
	return reasons;
}

/* Narrows [*start, *end) to what can be decoded around addr; false if addr is in an opaque piece. */
static bool record_decodable(struct notes_reader *r, const struct notes_record *record, u64 addr,
                             u64 *start, u64 *end)
{
	struct notes_opaque piece;
	struct notes_iter it;

	notes_iter_begin(&it, r, record, NOTES_OPAQUE);
	while (notes_opaque_next(&it, &piece) == NOTES_OK) {
		if (piece.end <= addr && piece.end > *start)
			*start = piece.end;
		if (piece.start <= addr && addr < piece.end)
			return false;
		if (piece.start > addr) {
			if (piece.start < *end)
				*end = piece.start;
			break;
		}
	}
	return true;
}

static bool record_function(struct notes_reader *r, const struct notes_record *record, u64 addr,
                            struct notes_function *function)
{
	struct notes_iter it;

	notes_iter_begin(&it, r, record, NOTES_FUNCTIONS);
	while (notes_functions_next(&it, function) == NOTES_OK) {
		if (function->start <= addr && addr < function->end)
			return true;
	}
	return false;
}

/* Adds what one more record says of addr. */
static void at_add(struct notes_at *at, struct notes_reader *r, const struct notes_record *record,
                   u64 addr)
{
	u64 start = record->start, end = record->end;
	struct notes_function function;
	u32 facts = 0;

	if (!at->recorded) {
		at->recorded = true;
		at->certified = true;
		at->facts = DYNOPT_FACTS_MASK;
		at->decode_start = start;
		at->decode_end = end;
	}
	at->reasons |= record_reasons(r, record, addr, addr + 1);
	if (!record_decodable(r, record, addr, &start, &end))
		at->certified = false;
	if (start > at->decode_start)
		at->decode_start = start;
	if (end < at->decode_end)
		at->decode_end = end;
	if (record_function(r, record, addr, &function)) {
		at->function = function.start;
		at->function_end = function.end;
		facts = function.facts;
	}
	at->facts &= facts;
}

void notes_find(struct notes_reader *r, u64 addr, struct notes_at *out)
{
	struct notes_at at = { 0 };
	struct notes_record record;
	struct find f;

	find_begin(&f, r, addr, addr + 1);
	while (find_next(&f, &record)) {
		at_add(&at, &f.quiet, &record, addr);
		if (f.object.flags & DYNOPT_OBJECT_DISABLED)
			at.disabled = true;
	}
	at.forbids = notes_reasons_forbid(at.reasons);
	if (at.disabled || (!at.recorded && (r->n_failures || f.quiet.n_failures)))
		at.forbids = DYNOPT_FORBID_ALL;
	if (!at.certified) {
		at.decode_start = 0;
		at.decode_end = 0;
	}
	*out = at;
}

bool notes_find_certified(struct notes_reader *r, u64 addr)
{
	struct notes_at at;

	notes_find(r, addr, &at);
	return at.certified;
}

u32 notes_find_forbids(struct notes_reader *r, u64 addr)
{
	struct notes_at at;

	notes_find(r, addr, &at);
	return at.forbids;
}

static u64 distance(u64 a, u64 b)
{
	return a < b ? b - a : a - b;
}

/* Is a nearer to `near` than b, or as near and lower? */
static bool nearer(u64 near, u64 a, u64 b)
{
	u64 da = distance(near, a), db = distance(near, b);

	return da < db || (da == db && a < b);
}

/* Keeps slots[0..n) sorted, without doubles and at most max long; returns the new n. */
static u32 slots_insert(u64 near, u64 addr, u64 *slots, u32 n, u32 max)
{
	u32 i, at = 0;

	while (at < n && nearer(near, slots[at], addr))
		at++;
	if (at == max || (at < n && slots[at] == addr))
		return n;
	if (n < max)
		n++;
	for (i = n - 1; i > at; i--)
		slots[i] = slots[i - 1];
	slots[at] = addr;
	return n;
}

/*
 * Does every record that covers the slot at addr allow it to be filled? The slot's own
 * record need not be the only one. Kept apart: two walks do not fit one frame.
 */
static __attribute__((__noinline__)) bool slot_usable(const struct notes_reader *r, u64 addr)
{
	const u64 end = addr + DYNOPT_SLOT_SIZE;
	struct notes_record record;
	struct find f;

	find_begin(&f, r, addr, end);
	while (find_next(&f, &record)) {
		u64 reasons = record_reasons(&f.quiet, &record, addr, end);

		if (f.object.flags & DYNOPT_OBJECT_DISABLED ||
		    notes_reasons_forbid(reasons) & DYNOPT_FORBID_PATCH)
			return false;
	}
	return true;
}

u32 notes_find_slots(struct notes_reader *r, u64 lo, u64 hi, u64 near, u64 *slots, u32 max)
{
	struct notes_record record;
	struct notes_slot slot;
	struct notes_iter it;
	struct find f;
	u32 n = 0;

	find_begin(&f, r, lo, hi);
	while (max && find_next(&f, &record)) {
		notes_iter_begin(&it, &f.quiet, &record, NOTES_SLOTS);
		while (notes_slots_next(&it, &slot) == NOTES_OK) {
			if (slot.addr < lo || slot.addr + DYNOPT_SLOT_SIZE > hi)
				continue;
			if (n == max && !nearer(near, slot.addr, slots[n - 1]))
				continue;
			if (slot_usable(r, slot.addr))
				n = slots_insert(near, slot.addr, slots, n, max);
		}
	}
	return n;
}
