/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * check_items.c - the checks that look at one item of the notes at a time: slots,
 * no-optimize ranges, facts, shares of the code cache, far pools.
 */
#include "check_internal.h"

#include <stdlib.h>
#include <string.h>

#define FREE_BYTE 0xcc
#define INSN_MAX_LEN 15

/* Index of the instruction that ends where index i starts, or CODE_NONE. */
static size_t previous(const struct code *code, size_t i, size_t start)
{
	for (size_t n = 1; n <= INSN_MAX_LEN && i - start >= n; n++)
		if (code->length[i - n] == n)
			return i - n;
	return CODE_NONE;
}

/* Walks back over padding and slots to what comes before; true if that never falls through. */
static bool follows_barrier(const struct code *code, size_t i, size_t start)
{
	for (;;) {
		size_t p = previous(code, i, start);

		if (p == CODE_NONE || (code->mark[p] & BYTE_OPAQUE))
			return false;
		if (code->mark[p] & INSN_BARRIER)
			return true;
		if (!(code->mark[p] & INSN_PAD) || (code->mark[p] & LEAD_ANY))
			return false;
		i = p;
	}
}

static bool slot_is_free(const struct checking *c, u64 addr, size_t i)
{
	const u8 *bytes = image_at(c->image, addr, DYNOPT_SLOT_SIZE);
	bool fill = bytes;

	for (size_t k = 0; fill && k < DYNOPT_SLOT_SIZE; k++)
		fill = bytes[k] == FREE_BYTE;
	if (fill)
		return true;
	for (size_t k = 0; k < DYNOPT_SLOT_SIZE; k += c->code->length[i + k])
		if (!c->code->length[i + k] || !(c->code->mark[i + k] & INSN_PAD))
			return false;
	return true;
}

static void check_slot(struct checking *c, const struct range *range, u64 addr)
{
	size_t i = code_index(c->code, addr), start = code_index(c->code, range->record.start);
	struct where at;

	if (i == CODE_NONE || start == CODE_NONE || !(c->code->mark[i] & BYTE_CERTIFIED))
		return; /* told as an error of the range */
	check_where(c, addr, &at);
	if (!c->code->length[i])
		check_found(c, CHECK_SLOT_PLACE, addr,
		            "the slot at %s starts inside an instruction", at.text);
	else if (!slot_is_free(c, addr, i))
		check_found(c, CHECK_SLOT_BYTES, addr, "the slot at %s is neither 0xCC nor padding",
		            at.text);
	else if (!follows_barrier(c->code, i, start))
		check_found(c, CHECK_SLOT_PLACE, addr,
		            "the slot at %s can be reached from the instruction before it",
		            at.text);
}

static void check_noopt(struct checking *c, const struct range *range, const struct notes_noopt *n)
{
	bool start = check_inside(c, n->start);

	if (start || (n->end != range->record.end && check_inside(c, n->end)))
		check_found(c, CHECK_NOOPT, n->start,
		            "the no-optimize range 0x%llx..0x%llx %s inside an instruction",
		            (unsigned long long)n->start, (unsigned long long)n->end,
		            start ? "starts" : "ends");
}

static void check_plain(struct checking *c, const struct notes_function *f)
{
	size_t i = code_index(c->code, f->start), n = (size_t)(f->end - f->start);
	struct where at;

	if (!(f->facts & DYNOPT_FACT_PLAIN) || i == CODE_NONE || f->end <= f->start ||
	    code_index(c->code, f->end - 1) != i + n - 1)
		return;
	for (size_t k = 0; k < n; k++)
		if (c->code->length[i + k] && (c->code->mark[i + k] & INSN_ORDERED) &&
		    !(c->code->mark[i + k] & BYTE_OPAQUE)) {
			check_found(c, CHECK_PLAIN, f->start,
			            "%s is noted as PLAIN and has a locked instruction or fence at "
			            "0x%llx",
			            check_where(c, f->start, &at),
			            (unsigned long long)(f->start + k));
			return;
		}
}

void check_ranges(struct checking *c)
{
	const struct model *m = c->model;

	for (size_t i = 0; i < m->ranges.n; i++) {
		const struct range *r = &m->ranges.at[i];
		const u64 *counts = r->record.counts;

		if (r->folded)
			continue;
		for (u64 k = 0; k < counts[NOTES_SLOTS]; k++)
			check_slot(c, r, m->slots.at[r->first[NOTES_SLOTS] + k].addr);
		for (u64 k = 0; k < counts[NOTES_NOOPT]; k++)
			check_noopt(c, r, &m->noopts.at[r->first[NOTES_NOOPT] + k]);
		for (u64 k = 0; k < counts[NOTES_FUNCTIONS]; k++)
			check_plain(c, &m->functions.at[r->first[NOTES_FUNCTIONS] + k]);
	}
}

static int by_records(const void *a, const void *b)
{
	const struct notes_object *x = a, *y = b;

	return (x->records > y->records) - (x->records < y->records);
}

/* Identical code folding that takes the pieces around the records loses what is between. */
void check_records(struct checking *c)
{
	size_t n = c->model->objects.n;
	struct notes_object *objects = base_calloc(n, sizeof(*objects));

	if (n)
		memcpy(objects, c->model->objects.at, n * sizeof(*objects));
	qsort(objects, n, sizeof(*objects), by_records);
	for (size_t i = 0; i < n; i++) {
		const struct notes_object *o = &objects[i];

		if (o->records == o->records_end)
			check_found(c, CHECK_RECORDS, o->note,
			            "an object's records are gone: the pieces that begin and end "
			            "them were folded into one");
		else if (i + 1 < n && o->records_end > o[1].records)
			check_found(
				c, CHECK_RECORDS, o->note,
				"an object's records overlap those of the object noted at 0x%llx",
				(unsigned long long)o[1].note);
	}
	free(objects);
}

struct reserve {
	u64 start, end;
	enum check place, bytes;
	const char *what;
};
struct reserves {
	VEC(struct reserve) v;
};

static int by_start(const void *a, const void *b)
{
	const struct reserve *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static void check_bytes(struct checking *c, const struct reserve *r)
{
	const u8 *bytes = image_at(c->image, r->start, r->end - r->start);

	if (!bytes || !image_executes(c->image, r->start, r->end - r->start)) {
		check_found(c, r->place, r->start,
		            "the %s 0x%llx..0x%llx is not in executable, "
		            "read-only memory",
		            r->what, (unsigned long long)r->start, (unsigned long long)r->end);
		return;
	}
	for (u64 k = 0; k < r->end - r->start; k++)
		if (bytes[k] != FREE_BYTE) {
			check_found(c, r->bytes, r->start + k, "the %s holds 0x%02x at 0x%llx",
			            r->what, bytes[k], (unsigned long long)(r->start + k));
			return;
		}
}

static void check_overlaps(struct checking *c, const struct reserve *r)
{
	struct where at;

	for (size_t i = 0; i < c->unwind->functions.n; i++) {
		const struct unwind_function *f = &c->unwind->functions.at[i];

		if (f->start < r->end && f->end > r->start) {
			check_found(c, r->place, r->start,
			            "the %s 0x%llx..0x%llx overlaps the "
			            "function %s",
			            r->what, (unsigned long long)r->start,
			            (unsigned long long)r->end, check_where(c, f->start, &at));
			return;
		}
	}
	for (size_t i = 0; i < c->model->ranges.n; i++) {
		const struct notes_record *f = &c->model->ranges.at[i].record;

		if (f->start < r->end && f->end > r->start) {
			check_found(c, r->place, r->start,
			            "the %s 0x%llx..0x%llx overlaps the "
			            "certified range at %s",
			            r->what, (unsigned long long)r->start,
			            (unsigned long long)r->end, check_where(c, f->start, &at));
			return;
		}
	}
}

void check_reserves(struct checking *c)
{
	struct reserves all = { 0 };

	for (size_t i = 0; i < c->model->objects.n; i++) {
		const struct notes_object *o = &c->model->objects.at[i];

		if (o->cache_size)
			*vec_add(&all.v) = (struct reserve){ o->cache, o->cache + o->cache_size,
				                             CHECK_CACHE_PLACE, CHECK_CACHE_BYTES,
				                             "code cache" };
	}
	for (size_t i = 0; i < c->model->farpools.n; i++)
		*vec_add(&all.v) = (struct reserve){ c->model->farpools.at[i].start,
			                             c->model->farpools.at[i].end,
			                             CHECK_FARPOOL_PLACE, CHECK_FARPOOL_BYTES,
			                             "far pool" };
	if (all.v.n)
		qsort(all.v.at, all.v.n, sizeof(*all.v.at), by_start);
	for (size_t i = 0; i < all.v.n; i++) {
		const struct reserve *r = &all.v.at[i];

		check_bytes(c, r);
		check_overlaps(c, r);
		if (i && r[-1].end > r->start)
			check_found(c, r->place, r->start,
			            "the %s at 0x%llx overlaps the %s "
			            "before it",
			            r->what, (unsigned long long)r->start, r[-1].what);
	}
	free(all.v.at);
}
