/* SPDX-License-Identifier: MIT */
/*
 * What the writer encodes, the reader hands out again, item by item: random valid
 * images from fixed seeds. find.c is compared with a slow answer that is computed
 * from what the image was made of, not from its bytes.
 */
#include <stdlib.h>
#include "notes_image.h"
#include "unit.h"

#define N_IMAGES 2000
#define N_IMAGES_FIND 60

static struct image img; /* large */

struct opened {
	u8 *file;
	struct elf_view view;
	struct notes_reader r;
};

static void open_image(struct opened *o)
{
	struct notes_failure fail;
	u64 size;

	o->file = image_file(&img, &size);
	CU_ASSERT_EQUAL_FATAL(elf_view_file(&o->view, o->file, size, &fail), NOTES_OK);
	notes_reader_init(&o->r, &o->view);
}

static void same_functions(struct notes_reader *r, const struct notes_record *rec,
                           const struct notes_input *in)
{
	struct notes_function f;
	struct notes_iter it;

	notes_iter_begin(&it, r, rec, NOTES_FUNCTIONS);
	if (in->single) {
		CU_ASSERT_EQUAL_FATAL(notes_functions_next(&it, &f), NOTES_OK);
		CU_ASSERT(f.start == in->start && f.end == in->end && f.facts == in->facts);
		CU_ASSERT_EQUAL(rec->counts[NOTES_FUNCTIONS], 1);
	} else {
		CU_ASSERT_EQUAL(rec->counts[NOTES_FUNCTIONS], in->n_functions);
	}
	for (u32 i = 0; i < in->n_functions; i++) {
		const struct notes_function *want = &in->functions[i];

		CU_ASSERT_EQUAL_FATAL(notes_functions_next(&it, &f), NOTES_OK);
		CU_ASSERT(f.start == want->start && f.end == want->end && f.facts == want->facts);
	}
	CU_ASSERT_EQUAL(notes_functions_next(&it, &f), NOTES_END);
}

static void same_pieces(struct notes_reader *r, const struct notes_record *rec,
                        const struct notes_input *in)
{
	struct notes_opaque piece;
	struct notes_noopt range;
	struct notes_slot slot;
	struct notes_iter it;

	notes_iter_begin(&it, r, rec, NOTES_SLOTS);
	for (u32 i = 0; i < in->n_slots; i++) {
		CU_ASSERT_EQUAL_FATAL(notes_slots_next(&it, &slot), NOTES_OK);
		CU_ASSERT_EQUAL(slot.addr, in->slots[i].addr);
	}
	CU_ASSERT_EQUAL(notes_slots_next(&it, &slot), NOTES_END);
	notes_iter_begin(&it, r, rec, NOTES_NOOPT);
	for (u32 i = 0; i < in->n_noopt; i++) {
		const struct notes_noopt *want = &in->noopt[i];

		CU_ASSERT_EQUAL_FATAL(notes_noopt_next(&it, &range), NOTES_OK);
		CU_ASSERT(range.start == want->start && range.end == want->end);
		CU_ASSERT(range.reasons == want->reasons && range.forbids == want->forbids);
	}
	CU_ASSERT_EQUAL(notes_noopt_next(&it, &range), NOTES_END);
	notes_iter_begin(&it, r, rec, NOTES_OPAQUE);
	for (u32 i = 0; i < in->n_opaque; i++) {
		CU_ASSERT_EQUAL_FATAL(notes_opaque_next(&it, &piece), NOTES_OK);
		CU_ASSERT(piece.start == in->opaque[i].start && piece.end == in->opaque[i].end);
	}
	CU_ASSERT_EQUAL(notes_opaque_next(&it, &piece), NOTES_END);
}

static void same_tables(struct notes_reader *r, const struct notes_record *rec,
                        const struct notes_input *in)
{
	struct notes_table table;
	struct notes_iter it;
	u64 target;

	notes_iter_begin(&it, r, rec, NOTES_TABLES);
	for (u32 i = 0; i < in->n_tables; i++) {
		const struct notes_table *want = &in->tables[i];

		CU_ASSERT_EQUAL_FATAL(notes_tables_next(&it, &table), NOTES_OK);
		CU_ASSERT(table.site == want->site && table.addr == want->addr);
		CU_ASSERT(table.count == want->count && table.form == want->form);
		for (u64 k = 0; k < table.count; k++) {
			CU_ASSERT(notes_table_target(r->view, &table, k, &target));
			CU_ASSERT(target - img.part[IMAGE_TEXT].addr < IMAGE_PART_MAX);
		}
		CU_ASSERT_FALSE(notes_table_target(r->view, &table, table.count, &target));
	}
	CU_ASSERT_EQUAL(notes_tables_next(&it, &table), NOTES_END);
}

static void same_record(struct notes_reader *r, const struct notes_record *rec,
                        const struct notes_input *in)
{
	CU_ASSERT(rec->start == in->start && rec->end == in->end);
	CU_ASSERT_EQUAL(rec->counts[NOTES_SLOTS], in->n_slots);
	CU_ASSERT_EQUAL(rec->counts[NOTES_NOOPT], in->n_noopt);
	CU_ASSERT_EQUAL(rec->counts[NOTES_OPAQUE], in->n_opaque);
	CU_ASSERT_EQUAL(rec->counts[NOTES_TABLES], in->n_tables);
	same_functions(r, rec, in);
	same_pieces(r, rec, in);
	same_tables(r, rec, in);
}

static void same_object(struct notes_reader *r, const struct notes_object *o,
                        const struct image_object *want)
{
	struct notes_records records;
	struct notes_record rec;

	CU_ASSERT_EQUAL(o->note, want->object.note);
	CU_ASSERT_EQUAL(o->records, want->object.records);
	CU_ASSERT_EQUAL(o->records_end, want->object.records_end);
	CU_ASSERT_EQUAL(o->version, DYNOPT_NOTES_VERSION);
	CU_ASSERT_EQUAL(o->flags, want->object.flags);
	CU_ASSERT_EQUAL(o->cache, want->object.cache);
	CU_ASSERT_EQUAL(o->cache_size, want->object.cache_size);
	notes_records_begin(&records, r, o);
	for (u32 i = 0; i < want->n_records; i++) {
		CU_ASSERT_EQUAL_FATAL(notes_records_next(&records, &rec), NOTES_OK);
		same_record(r, &rec, &want->records[i].in);
	}
	CU_ASSERT_EQUAL(notes_records_next(&records, &rec), NOTES_END);
}

static void same_image(struct notes_reader *r)
{
	struct notes_object object;
	struct notes_farpool pool;
	struct notes_walk walk;

	notes_walk_begin(&walk, r);
	for (u32 i = 0; i < img.n_objects; i++) {
		CU_ASSERT_EQUAL_FATAL(notes_objects_next(&walk, &object), NOTES_OK);
		same_object(r, &object, &img.objects[i]);
	}
	CU_ASSERT_EQUAL(notes_objects_next(&walk, &object), NOTES_END);
	notes_walk_begin(&walk, r);
	if (img.has_farpool) {
		CU_ASSERT_EQUAL_FATAL(notes_farpools_next(&walk, &pool), NOTES_OK);
		CU_ASSERT_EQUAL(pool.note, img.farpool.note);
		CU_ASSERT(pool.start == img.farpool.start && pool.end == img.farpool.end);
	}
	CU_ASSERT_EQUAL(notes_farpools_next(&walk, &pool), NOTES_END);
	CU_ASSERT_EQUAL(r->n_failures, 0);
	CU_ASSERT_EQUAL(r->first.status, NOTES_OK);
}

static void test_items_come_back(void)
{
	for (u64 seed = 1; seed <= N_IMAGES; seed++) {
		struct opened o;

		image_random(&img, seed);
		open_image(&o);
		same_image(&o.r);
		free(o.file);
	}
}

/* Counted from what the image was made of. */
static void totals_of(struct notes_totals *t)
{
	memset(t, 0, sizeof(*t));
	t->n_objects = img.n_objects;
	t->n_farpools = img.has_farpool;
	t->farpool_bytes = img.farpool.end - img.farpool.start;
	for (u32 i = 0; i < img.n_objects; i++) {
		const struct image_object *object = &img.objects[i];

		t->n_disabled += object->object.flags;
		t->record_bytes += object->object.records_end - object->object.records;
		t->cache_bytes += object->object.cache_size;
		t->n_records += object->n_records;
		for (u32 k = 0; k < object->n_records; k++) {
			const struct notes_input *in = &object->records[k].in;

			t->range_bytes += in->end - in->start;
			t->n_items[NOTES_FUNCTIONS] += in->n_functions + in->single;
			t->n_items[NOTES_SLOTS] += in->n_slots;
			t->n_items[NOTES_NOOPT] += in->n_noopt;
			t->n_items[NOTES_OPAQUE] += in->n_opaque;
			t->n_items[NOTES_TABLES] += in->n_tables;
			t->n_plain += in->facts & 1;
			t->n_stack_private += in->facts >> 1;
			for (u32 f = 0; f < in->n_functions; f++) {
				t->n_plain += in->functions[f].facts & 1;
				t->n_stack_private += in->functions[f].facts >> 1;
			}
			for (u32 n = 0; n < in->n_noopt; n++)
				t->noopt_bytes += in->noopt[n].end - in->noopt[n].start;
			for (u32 n = 0; n < in->n_opaque; n++)
				t->opaque_bytes += in->opaque[n].end - in->opaque[n].start;
		}
	}
}

static void test_check_counts(void)
{
	for (u64 seed = 1; seed <= N_IMAGES; seed++) {
		struct notes_totals got, want;
		struct opened o;

		image_random(&img, seed);
		open_image(&o);
		totals_of(&want);
		CU_ASSERT_EQUAL(notes_check(&o.r, NOTES_CHECK_PRISTINE, NULL, NULL, &got),
		                NOTES_OK);
		CU_ASSERT_EQUAL(memcmp(&got, &want, sizeof(got)), 0);
		free(o.file);
	}
}

/* The record that covers addr, and its object; NULL if there is none. Ranges do not overlap. */
static const struct notes_input *input_at(u64 addr, bool *disabled)
{
	for (u32 i = 0; i < img.n_objects; i++) {
		for (u32 k = 0; k < img.objects[i].n_records; k++) {
			const struct notes_input *in = &img.objects[i].records[k].in;

			if (in->start <= addr && addr < in->end) {
				*disabled = img.objects[i].object.flags;
				return in;
			}
		}
	}
	return NULL;
}

static void same_decodable(const struct notes_at *at, const struct notes_input *in, u64 addr)
{
	u64 start = in->start, end = in->end;
	bool certified = true;

	for (u32 i = 0; i < in->n_opaque; i++) {
		const struct notes_opaque *piece = &in->opaque[i];

		certified &= addr < piece->start || addr >= piece->end;
		if (piece->end <= addr && piece->end > start)
			start = piece->end;
		if (piece->start > addr && piece->start < end)
			end = piece->start;
	}
	CU_ASSERT_EQUAL(at->certified, certified);
	CU_ASSERT_EQUAL(at->decode_start, certified ? start : 0);
	CU_ASSERT_EQUAL(at->decode_end, certified ? end : 0);
}

static void same_at(struct notes_reader *r, u64 addr)
{
	bool disabled = false;
	const struct notes_input *in = input_at(addr, &disabled);
	u32 facts = 0;
	struct notes_at at;
	u64 reasons = 0;

	notes_find(r, addr, &at);
	CU_ASSERT_EQUAL(at.recorded, in != NULL);
	CU_ASSERT_EQUAL(at.disabled, disabled);
	CU_ASSERT_EQUAL(notes_find_certified(r, addr), at.certified);
	CU_ASSERT_EQUAL(notes_find_forbids(r, addr), at.forbids);
	if (!in) {
		CU_ASSERT(!at.certified && !at.forbids && !at.facts && !at.function);
		return;
	}
	for (u32 i = 0; i < in->n_noopt; i++) {
		if (in->noopt[i].start <= addr && addr < in->noopt[i].end)
			reasons |= in->noopt[i].reasons;
	}
	CU_ASSERT_EQUAL(at.reasons, reasons);
	CU_ASSERT_EQUAL(at.forbids, disabled ? DYNOPT_FORBID_ALL : notes_reasons_forbid(reasons));
	if (in->single)
		facts = in->facts;
	for (u32 i = 0; i < in->n_functions; i++) {
		const struct notes_function *f = &in->functions[i];

		if (f->start <= addr && addr < f->end) {
			facts = f->facts;
			CU_ASSERT(at.function == f->start && at.function_end == f->end);
		}
	}
	CU_ASSERT_EQUAL(at.facts, facts);
	same_decodable(&at, in, addr);
}

static void test_find_agrees(void)
{
	for (u64 seed = 1; seed <= N_IMAGES_FIND; seed++) {
		struct opened o;
		u64 text;

		image_random(&img, seed);
		text = img.part[IMAGE_TEXT].addr;
		open_image(&o);
		for (u64 addr = text - 2; addr < text + IMAGE_PART_MAX; addr++)
			same_at(&o.r, addr);
		free(o.file);
	}
}

/* All slots of the image that may be used and lie in [lo, hi). */
static u32 slots_of(u64 lo, u64 hi, u64 *slots)
{
	u32 n = 0;

	for (u32 i = 0; i < img.n_objects; i++) {
		for (u32 k = 0; k < img.objects[i].n_records; k++) {
			const struct notes_input *in = &img.objects[i].records[k].in;

			for (u32 s = 0; s < in->n_slots; s++) {
				u64 addr = in->slots[s].addr, reasons = 0;

				for (u32 z = 0; z < in->n_noopt; z++) {
					if (in->noopt[z].start < addr + DYNOPT_SLOT_SIZE &&
					    addr < in->noopt[z].end)
						reasons |= in->noopt[z].reasons;
				}
				if (img.objects[i].object.flags || addr < lo ||
				    addr + DYNOPT_SLOT_SIZE > hi ||
				    notes_reasons_forbid(reasons) & DYNOPT_FORBID_PATCH)
					continue;
				slots[n++] = addr;
			}
		}
	}
	return n;
}

static u64 away(u64 a, u64 b)
{
	return a < b ? b - a : a - b;
}

static void test_find_slots_agrees(void)
{
	static u64 want[IMAGE_OBJECTS_MAX * IMAGE_RECORDS_MAX * IMAGE_ITEMS_MAX];
	u64 got[16], seen = 0, rnd = 7;

	for (u64 seed = 1; seed <= N_IMAGES_FIND * 10; seed++) {
		u64 text, lo, hi, near;
		u32 n_want, n_got, max = (u32)random_below(&rnd, 17);
		struct opened o;

		image_random(&img, seed);
		text = img.part[IMAGE_TEXT].addr;
		lo = text + random_below(&rnd, 400);
		hi = lo + random_below(&rnd, 400);
		near = lo + random_below(&rnd, 400);
		open_image(&o);
		n_want = slots_of(lo, hi, want);
		n_got = notes_find_slots(&o.r, lo, hi, near, got, max);
		CU_ASSERT_EQUAL_FATAL(n_got, n_want < max ? n_want : max);
		seen += n_got;
		for (u32 i = 0; i < n_got; i++) {
			u32 closer = 0, same = 0;

			/* As many are nearer as come before it, and it is one of them. */
			for (u32 k = 0; k < n_want; k++) {
				u64 d = away(want[k], near), mine = away(got[i], near);

				closer += d < mine || (d == mine && want[k] < got[i]);
				same += want[k] == got[i];
			}
			CU_ASSERT_EQUAL(closer, i);
			CU_ASSERT_EQUAL(same, 1);
		}
		free(o.file);
	}
	CU_ASSERT(seen > 100); /* the windows do hold slots */
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "items come back", test_items_come_back },
		{ "check counts what was written", test_check_counts },
		{ "find agrees with a slow answer", test_find_agrees },
		{ "find_slots agrees with a slow answer", test_find_slots_agrees },
	};

	return UNIT_RUN("notes round trip", tests);
}
