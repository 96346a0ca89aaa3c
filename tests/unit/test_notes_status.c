/* SPDX-License-Identifier: MIT */
/*
 * Every row of notes_status.def is provoked once at least, by an input that differs
 * from a valid one in just what the row names, and what is lost is no more than its
 * class says. The last test fails when a row is added without a case here.
 */
#include <stdlib.h>
#include "notes_image.h"
#include "unit.h"

static struct image img; /* large */
static bool provoked[NOTES_N_STATUS];
static struct notes_totals totals; /* of the last check() */
static struct notes_reader reader; /* likewise */

static const struct notes_slot good_slot = { 0x402000 + 64 };

/* Addresses and lengths of the base image: an object of one good record. */
#define TEXT_LENGTH 256
#define GOOD_START 64
#define GOOD_LENGTH 32

static void expect(enum notes_status got, enum notes_status want, const char *what)
{
	provoked[got] = true;
	if (got != want)
		printf("\n    %s: %s, not %s\n", what, notes_status_name(got),
		       notes_status_name(want));
	CU_ASSERT_EQUAL(got, want);
}

/*
 * The base image: one object whose records are `raw` (if any), then one good record with a
 * slot; 16 bytes of cache, a far pool of two slots, and 4 bytes of tables.
 */
static void base(const u8 *raw, u64 raw_size)
{
	struct notes_object *o = &img.objects[0].object;
	struct notes_input good = { .slots = &good_slot, .n_slots = 1 };
	struct notes_writer w;

	image_init(&img);
	img.part[IMAGE_TABLES].used = 4;
	img.part[IMAGE_CACHE].used = 48;
	img.n_objects = 1;
	img.has_farpool = true;
	img.farpool.start = img.part[IMAGE_CACHE].addr + 16;
	img.farpool.end = img.farpool.start + 2 * DYNOPT_FARSLOT_SIZE;
	good.start = img.part[IMAGE_TEXT].addr + GOOD_START;
	good.end = good.start + GOOD_LENGTH;
	memset(img.part[IMAGE_TEXT].bytes + GOOD_START, 0xcc, DYNOPT_SLOT_SIZE);

	notes_writer_init(&w, img.part[IMAGE_RECORDS].bytes, IMAGE_PART_MAX,
	                  img.part[IMAGE_RECORDS].addr);
	o->records = w.addr;
	w.pos = 1;
	if (raw_size)
		memcpy(w.bytes + w.pos, raw, raw_size);
	w.pos += raw_size;
	CU_ASSERT_EQUAL_FATAL(notes_write_record(&w, &good), NOTES_OK);
	img.part[IMAGE_RECORDS].used = w.pos + 1;
	o->records_end = w.addr + w.pos;
	o->version = DYNOPT_NOTES_VERSION;
	o->cache = img.part[IMAGE_CACHE].addr;
	o->cache_size = 16;
	image_write_notes(&img, 0);
}

/* notes_check() of the image as a file; its totals stay in `totals`. */
static enum notes_status check(void)
{
	struct notes_failure fail;
	struct elf_view view;
	enum notes_status status;
	u64 size;
	u8 *file = image_file(&img, &size);

	status = elf_view_file(&view, file, size, &fail);
	CU_ASSERT_EQUAL_FATAL(status, NOTES_OK);
	notes_reader_init(&reader, &view);
	status = notes_check(&reader, NOTES_CHECK_PRISTINE, NULL, NULL, &totals);
	CU_ASSERT_EQUAL(status, reader.first.status);
	CU_ASSERT_EQUAL(totals.n_findings, reader.n_failures);
	free(file);
	return status;
}

static void test_base_is_good(void)
{
	base(NULL, 0);
	expect(check(), NOTES_OK, "base");
	CU_ASSERT_EQUAL(totals.n_records, 1);
	CU_ASSERT_EQUAL(totals.n_farpools, 1);
}

/* ---- files ---- */

struct file_case {
	enum notes_status status;
	u32 offset;
	u32 width;
	u64 value;
	u64 detail;
};

#define PH(k) (IMAGE_PHDRS_OFFSET + (k) * IMAGE_PHDR_SIZE)

static const struct file_case file_cases[] = {
	{ NOTES_ELF_MAGIC, 0, 1, 0x7e, 0x464c457e },
	{ NOTES_ELF_CLASS, 4, 1, 1, 0x101 }, /* 32-bit */
	{ NOTES_ELF_CLASS, 5, 1, 2, 0x202 }, /* big-endian */
	{ NOTES_ELF_MACHINE, 18, 2, 183, 183 },
	{ NOTES_ELF_TYPE, 16, 2, 1, 1 },
	{ NOTES_ELF_TYPE, 16, 2, 4, 4 },
	{ NOTES_ELF_PHENTSIZE, 54, 2, 32, 32 },
	{ NOTES_ELF_PHENTSIZE, 54, 2, 64, 64 },
	{ NOTES_ELF_PHNUM, 56, 2, 0, 0 },
	{ NOTES_ELF_PHNUM, 56, 2, 0xffff, 0xffff },
	{ NOTES_ELF_PHDRS, 56, 2, 0xfffe, IMAGE_PHDRS_OFFSET },
	{ NOTES_ELF_PHDRS, 32, 8, ~(u64)0, ~(u64)0 },
	{ NOTES_ELF_PHDRS, 32, 8, ~(u64)0 - 63, ~(u64)0 - 63 },
	{ NOTES_ELF_LOAD_FILE, PH(IMAGE_CACHE) + 8, 8, 0x100000, 48 }, /* p_offset */
	{ NOTES_ELF_LOAD_FILE, PH(IMAGE_CACHE) + 8, 8, ~(u64)0, 48 },
	{ NOTES_ELF_LOAD_FILE, PH(IMAGE_CACHE) + 8, 8, ~(u64)0 - 47, 48 },
	{ NOTES_ELF_LOAD_SIZE, PH(IMAGE_CACHE) + 40, 8, 47, 48 }, /* p_memsz */
	{ NOTES_ELF_LOAD_SIZE, PH(IMAGE_CACHE) + 32, 8, ~(u64)0, ~(u64)0 }, /* p_filesz */
	{ NOTES_ELF_LOAD_WRAP, PH(IMAGE_CACHE) + 40, 8, ~(u64)0, 0x404000 },
	{ NOTES_ELF_LOAD_WRAP, PH(IMAGE_CACHE) + 16, 8, ~(u64)0 - 46, ~(u64)0 - 46 },
	{ NOTES_ELF_LOAD_ORDER, PH(IMAGE_CACHE) + 16, 8, 0x400000, 0x400000 }, /* p_vaddr */
	{ NOTES_ELF_LOAD_ORDER, PH(IMAGE_TEXT) + 40, 8, 0x1001, 0x403000 }, /* overlap */
	{ NOTES_ELF_NOTE_OUTSIDE, PH(IMAGE_N_PARTS) + 16, 8, 0x500000, 0x500000 },
	{ NOTES_ELF_NOTE_OUTSIDE, PH(IMAGE_N_PARTS) + 32, 8, ~(u64)0, 0x400000 },
	{ NOTES_ELF_NOTE_OUTSIDE, PH(IMAGE_NOTES) + 4, 4, ELF_VIEW_X, 0x400000 }, /* unreadable */
};

static void test_files(void)
{
	for (u32 i = 0; i < sizeof(file_cases) / sizeof(file_cases[0]); i++) {
		const struct file_case *c = &file_cases[i];
		struct notes_failure fail;
		struct elf_view view;
		u64 size;
		u8 *file;

		base(NULL, 0);
		file = image_file(&img, &size);
		put_le(file + c->offset, c->value, c->width);
		expect(elf_view_file(&view, file, size, &fail), c->status, "file");
		CU_ASSERT_EQUAL(fail.status, c->status);
		CU_ASSERT_EQUAL(fail.detail, c->detail);
		CU_ASSERT(view.n_loads == 0 && view.n_notes == 0);
		CU_ASSERT_EQUAL(notes_status_class(fail.status), NOTES_CLASS_FILE);
		free(file);
	}
}

/* Every length of a valid file shorter than the whole: refused, and never read beyond. */
static void test_truncated_files(void)
{
	u64 size;
	u8 *file;

	base(NULL, 0);
	file = image_file(&img, &size);
	for (u64 cut = 0; cut < size; cut++) {
		u8 *shorter = malloc(cut ? cut : 1);
		struct notes_failure fail;
		struct elf_view view;
		enum notes_status status;

		memcpy(shorter, file, cut);
		status = elf_view_file(&view, shorter, cut, &fail);
		expect(status,
		       cut < 64                  ? NOTES_ELF_SHORT
		       : cut < PH(IMAGE_N_PHDRS) ? NOTES_ELF_PHDRS
		                                 : NOTES_ELF_LOAD_FILE,
		       "truncated file");
		free(shorter);
	}
	free(file);
}

/* A live view of n program headers of one type, 16 bytes each, all in one array. */
static enum notes_status many_segments(u32 type, u32 n, struct elf_view *view,
                                       struct notes_failure *fail)
{
	static u8 memory[64 * 16];
	u8 phdrs[64 * IMAGE_PHDR_SIZE] = { 0 };

	for (u32 i = 0; i <= n; i++) {
		u8 *ph = phdrs + i * IMAGE_PHDR_SIZE;

		/* The last one is the load that notes lie in. */
		put_le(ph, i == n ? 1 : type, 4);
		put_le(ph + 4, ELF_VIEW_R, 4);
		put_le(ph + 16, type == 1 ? i * 16 : 0, 8);
		put_le(ph + 32, 16, 8);
		put_le(ph + 40, 16, 8);
	}
	return elf_view_live(view, phdrs, n + 1, (u64)(uintptr_t)memory, fail);
}

static void test_many_segments(void)
{
	struct notes_failure fail;
	struct elf_view view;

	expect(many_segments(1, ELF_VIEW_LOADS_MAX - 1, &view, &fail), NOTES_OK, "32 loads");
	CU_ASSERT_EQUAL(view.n_loads, ELF_VIEW_LOADS_MAX);
	expect(many_segments(1, ELF_VIEW_LOADS_MAX, &view, &fail), NOTES_ELF_LOADS_MANY,
	       "33 loads");
	CU_ASSERT_EQUAL(fail.detail, ELF_VIEW_LOADS_MAX + 1);
	expect(many_segments(4, ELF_VIEW_NOTES_MAX, &view, &fail), NOTES_OK, "32 notes");
	CU_ASSERT_EQUAL(view.n_notes, ELF_VIEW_NOTES_MAX);
	expect(many_segments(4, ELF_VIEW_NOTES_MAX + 1, &view, &fail), NOTES_ELF_NOTES_MANY,
	       "33 notes");
	CU_ASSERT_EQUAL(view.n_notes, 0);
}

/* ---- notes ---- */

struct note_case {
	enum notes_status status;
	u32 offset; /* into the notes region */
	u32 width;
	u64 value;
	u64 detail;
	u32 n_objects; /* that remain */
	u32 n_farpools;
};

#define OBJECT 20 /* desc of the first note */
#define FARPOOL_NOTE 40
#define FARPOOL 60 /* desc of the second note */

static const struct note_case note_cases[] = {
	{ NOTES_NOTE_CUT, 4, 4, 49, 69, 0, 0 }, /* descsz: one byte beyond the segment */
	{ NOTES_NOTE_CUT, 4, 4, 0xffffffff, 0x100000013, 0, 0 },
	{ NOTES_NOTE_CUT, 0, 4, 0xffffffff, 0x100000020, 0, 0 }, /* namesz */
	{ NOTES_NOTE_CUT, FARPOOL_NOTE + 4, 4, 9, 29, 1, 0 },
	{ NOTES_NOTE_TYPE, 8, 4, 0x103, 0x103, 0, 1 },
	{ NOTES_OBJECT_SIZE, 4, 4, 19, 19, 0, 1 },
	{ NOTES_OBJECT_SIZE, 4, 4, 0, 0, 0, 0 },
	{ NOTES_OBJECT_VERSION, OBJECT + 8, 2, 2, 2, 0, 1 },
	{ NOTES_OBJECT_VERSION, OBJECT + 8, 2, 0, 0, 0, 1 },
	{ NOTES_OBJECT_FLAGS, OBJECT + 10, 2, 2, 2, 0, 1 },
	{ NOTES_OBJECT_ORDER, OBJECT + 4, 4, 0x2000, 0, 0, 1 },
	{ NOTES_OBJECT_RECORDS, OBJECT, 4, 0xfffff000, 0, 0, 1 },
	{ NOTES_OBJECT_RECORDS, OBJECT + 4, 4, 0x7fffffff, 0, 0, 1 },
	{ NOTES_OBJECT_CACHE, OBJECT + 12, 4, 0, 16, 0, 1 }, /* readable, not executable */
	{ NOTES_OBJECT_CACHE, OBJECT + 16, 4, 0xffffffff, 0xffffffff, 0, 1 },
	{ NOTES_FARPOOL_SIZE, 8, 4, DYNOPT_NT_FARPOOL, 20, 0, 1 },
	{ NOTES_FARPOOL_ORDER, FARPOOL, 4, 0x7fffffff, 0, 1, 0 },
	{ NOTES_FARPOOL_OUTSIDE, FARPOOL + 4, 4, 0x403fd0, 0, 1, 0 },
};

static void test_notes(void)
{
	for (u32 i = 0; i < sizeof(note_cases) / sizeof(note_cases[0]); i++) {
		const struct note_case *c = &note_cases[i];
		char what[40];

		snprintf(what, sizeof(what), "note case %u", i);
		base(NULL, 0);
		put_le(img.part[IMAGE_NOTES].bytes + c->offset, c->value, c->width);
		expect(check(), c->status, what);
		if (c->detail)
			CU_ASSERT_EQUAL(reader.first.detail, c->detail);
		CU_ASSERT_EQUAL(reader.first.addr - img.part[IMAGE_NOTES].addr < 80, 1);
		CU_ASSERT_EQUAL(totals.n_objects, c->n_objects);
		CU_ASSERT_EQUAL(totals.n_farpools, c->n_farpools);
	}
	/* Half a slot more or less. */
	base(NULL, 0);
	img.farpool.end -= 8;
	image_write_notes(&img, 0);
	expect(check(), NOTES_FARPOOL_ORDER, "far pool of one and a half slots");
}

/* What follows the last note: zeros are padding, anything else is a note that is cut. */
static void test_note_tails(void)
{
	for (u64 tail = 1; tail < 12; tail++) {
		struct image_region *notes = &img.part[IMAGE_NOTES];

		base(NULL, 0);
		notes->used += tail;
		expect(check(), NOTES_OK, "a tail of zeros");
		notes->bytes[notes->used - 1] = 1;
		expect(check(), NOTES_NOTE_CUT, "a tail that is no padding");
		CU_ASSERT_EQUAL(reader.first.detail, 12);
		CU_ASSERT_EQUAL(reader.first.addr, notes->addr + notes->used - tail);
		CU_ASSERT(totals.n_objects == 1 && totals.n_farpools == 1);
	}
}

/* An object without a cache says nothing of where it is. */
static void test_no_cache(void)
{
	base(NULL, 0);
	put_le(img.part[IMAGE_NOTES].bytes + OBJECT + 12, 0x12345678, 4);
	put_le(img.part[IMAGE_NOTES].bytes + OBJECT + 16, 0, 4);
	expect(check(), NOTES_OK, "no cache");
	CU_ASSERT_EQUAL(totals.cache_bytes, 0);
}

/* ---- records ---- */

struct record_case {
	enum notes_status status;
	const char *body; /* hex, what follows `start` */
	u64 detail;
};

/* `start` is the text's first byte; the text has 256 bytes (80 02); lengths here are mostly 16. */
static const struct record_case record_cases[] = {
	{ NOTES_RECORD_SHORT, "", 5 },
	{ NOTES_RECORD_SHORT, "10", 6 },
	{ NOTES_RECORD_SHORT, "80", 6 },
	{ NOTES_RECORD_SHORT, "1001", 7 },
	{ NOTES_RECORD_SHORT, "100100", 8 },
	{ NOTES_RECORD_SHORT, "10010001", 9 },
	{ NOTES_RECORD_SHORT, "1002", 7 },
	{ NOTES_RECORD_SHORT, "10020180", 9 },
	{ NOTES_RECORD_SHORT, "100401008080", 11 },
	{ NOTES_RECORD_SHORT, "100401000180", 11 },
	{ NOTES_RECORD_SHORT, "1008010080", 10 },
	{ NOTES_RECORD_SHORT, "101001808000000000", 14 },
	{ NOTES_RECORD_TRAILING, "100000", 1 },
	{ NOTES_RECORD_TRAILING, "1002010077889900", 4 },
	{ NOTES_LEB_LONG, "8080808080808080808001", 16 },
	{ NOTES_LEB_LONG, "ffffffffffffffffff0200", 16 },
	{ NOTES_LEB_LONG, "100201ffffffffffffffffffff01", 19 },
	{ NOTES_RANGE_OUTSIDE, "810200", 257 },
	{ NOTES_RANGE_OUTSIDE, "ffffffffffffffffff0100", ~(u64)0 },
	{ NOTES_LISTS_UNKNOWN, "1040", 0x40 },
	{ NOTES_LISTS_UNKNOWN, "1080", 0x80 },
	{ NOTES_LISTS_BOTH, "1021000000", 0x21 },
	{ NOTES_COUNT_LARGE, "10027f00", 127 },
	{ NOTES_COUNT_LARGE, "1002ffffffffffffffffff0100", ~(u64)0 },
	{ NOTES_COUNT_LARGE, "1004010000", 1 },
	{ NOTES_COUNT_LARGE, "10080100", 1 },
	{ NOTES_COUNT_LARGE, "1010010000000000", 1 },
	{ NOTES_FUNCTION_SHIFT, "1001200000", 32 },
	{ NOTES_FUNCTION_PAST, "1001000011", 17 }, /* first */
	{ NOTES_FUNCTION_PAST, "100100010044", 17 }, /* 17 of 16 bytes */
	{ NOTES_FUNCTION_PAST, "100104010108", 1 }, /* 1 + 2 * 16: overruns by 17 */
	{ NOTES_FUNCTION_PAST, "10010402000c00", 0 }, /* 3 * 16, and not the last */
	{ NOTES_FUNCTION_PAST,
	  "1001040201"
	  "0400",
	  17 }, /* 1 + 16, and not the last */
	{ NOTES_FUNCTION_PAST,
	  "10010001"
	  "00ffffffffffffffffff01",
	  0 },
	{ NOTES_SLOT_PAST, "1002010c", 12 },
	{ NOTES_SLOT_PAST, "10020111", 17 },
	{ NOTES_SLOT_PAST, "100202000b", 16 },
	{ NOTES_SLOT_PAST, "100202000c", 17 },
	{ NOTES_SLOT_PAST, "100201ffffffffffffffffff01", ~(u64)0 },
	{ NOTES_SLOT_PAST, "0402010000", 0 },
	{ NOTES_SLOT_OPAQUE, "100a0100010401", 0 },
	{ NOTES_SLOT_OPAQUE, "100a0104010005", 4 },
	{ NOTES_SLOT_OPAQUE, "100a010401000e", 4 },
	{ NOTES_SLOT_OPAQUE, "100a0200030205030101", 8 },
	{ NOTES_NOOPT_PAST, "100401001101", 0 },
	{ NOTES_NOOPT_PAST, "100401110001", 17 },
	{ NOTES_NOOPT_PAST,
	  "10040208010108"
	  "0901",
	  16 },
	{ NOTES_NOOPT_PAST, "10040101ffffffffffffffffff0101", 1 },
	{ NOTES_NOOPT_REASON, "100401030100", 3 },
	{ NOTES_OPAQUE_PAST, "1008010011", 0 },
	{ NOTES_OPAQUE_PAST, "10080208080001", 16 },
	{ NOTES_TABLE_SITE, "101001110000000000", 16 },
	{ NOTES_TABLE_OUTSIDE, "101001000000001002", 0 },
	{ NOTES_TABLE_OUTSIDE, "10100100f6dfffff04", 0 }, /* one word of two is a table's */
	{ NOTES_TABLE_OUTSIDE, "10100100f6dfffff03", 0 }, /* a word of 8 bytes */
	/* Counts whose size in bytes is 0 modulo 2^64. */
	{ NOTES_TABLE_OUTSIDE, "10100100f6dfffff80808080808080808001", 0 },
	{ NOTES_TABLE_OUTSIDE, "10100100f6dfffff818080808080808040", 0 },
	{ NOTES_TABLE_OUTSIDE, "10100100f6dfffffffffffffffffffffff01", 0 },
};

static u64 unhex(const char *hex, u8 *bytes)
{
	u64 n = 0;

	for (; hex[0] && hex[1]; hex += 2) {
		unsigned byte;

		CU_ASSERT_EQUAL_FATAL(sscanf(hex, "%2x", &byte), 1);
		bytes[n++] = (u8)byte;
	}
	return n;
}

/* The record with this body, its range from the start of the text on. */
static u64 raw_record(const char *body, u8 *raw)
{
	u64 n = unhex(body, raw + 5);

	raw[0] = (u8)(4 + n);
	/* The records region follows the text's; the field is at byte 2 of it. */
	put_le(raw + 1, (u64)0 - IMAGE_PART_MAX - 2, 4);
	return 5 + n;
}

static void test_records(void)
{
	for (u32 i = 0; i < sizeof(record_cases) / sizeof(record_cases[0]); i++) {
		const struct record_case *c = &record_cases[i];
		u8 raw[64] = { 0 };
		u64 size = raw_record(c->body, raw), first;

		base(raw, size);
		first = img.part[IMAGE_RECORDS].addr + 1;
		expect(check(), c->status, c->body);
		CU_ASSERT_EQUAL(reader.n_failures, 1);
		if (c->detail && reader.first.detail != c->detail) {
			printf("\n    %s: detail %llu\n", c->body,
			       (unsigned long long)reader.first.detail);
			CU_FAIL("detail");
		}
		CU_ASSERT(reader.first.addr >= first && reader.first.addr <= first + size);
		CU_ASSERT_EQUAL(totals.n_records, 1); /* the good one behind it */
		CU_ASSERT_EQUAL(notes_status_class(c->status), NOTES_CLASS_RECORD);
	}
}

/* Odd, and yet valid: what readers must not refuse. */
static void test_odd_records(void)
{
	static const char *const good[] = {
		"0000", /* an empty range */
		"800200", /* the whole text */
		"900000", /* a padded LEB128 */
		"9080808080808080800000", /* padded to 10 bytes */
		"10e0", /* SINGLE with both facts */
		"10010000"
		"00", /* empty lists */
		"100200",
		"100400",
		"100800",
		"101000",
		"1001000110"
		"00", /* an empty function at the end */
		"100104010104", /* 1 + 16 overruns by 1 of 16 */
		"10010402000400", /* the second is empty, at the end */
		"1002020006", /* slots at 0 and 11: up to the end */
		"10040200100100108020", /* two over all of it, one for a reason of later times */
		"1008010010",
		"100a0105"
		"020005"
		"0505", /* opaque up to the slot, and right behind it */
		"10100110f6dfffff00", /* site in the last byte, no entries */
	};

	for (u32 i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		u8 raw[64] = { 0 };
		u64 size = raw_record(good[i], raw);

		base(raw, size);
		put_le(img.part[IMAGE_TEXT].bytes, 0xcccccccccc, 5);
		put_le(img.part[IMAGE_TEXT].bytes + 5, 0xcccccccccc, 5);
		put_le(img.part[IMAGE_TEXT].bytes + 11, 0xcccccccccc, 5);
		expect(check(), NOTES_OK, good[i]);
		CU_ASSERT_EQUAL(totals.n_records, 2);
	}
}

/* A record that is longer than what is left takes the rest of its object with it, no more. */
static void test_record_cut(void)
{
	static const char *const cut[] = { "7f", "ffffffffffffffffff01", "80808080808080808080" };

	for (u32 i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
		u8 raw[64] = { 0 };

		base(raw, unhex(cut[i], raw));
		expect(check(), NOTES_RECORD_CUT, cut[i]);
		CU_ASSERT_EQUAL(reader.first.addr, img.part[IMAGE_RECORDS].addr + 1);
		CU_ASSERT_EQUAL(totals.n_records, 0);
		CU_ASSERT_EQUAL(totals.n_objects, 1);
		CU_ASSERT_EQUAL(totals.n_farpools, 1);
		CU_ASSERT_EQUAL(notes_status_class(NOTES_RECORD_CUT), NOTES_CLASS_REST);
	}
	/* One byte too long: the end piece is not part of the records. */
	base(NULL, 0);
	img.part[IMAGE_RECORDS].bytes[1]++;
	expect(check(), NOTES_RECORD_CUT, "one byte too long");
}

/* ---- notes against bytes ---- */

static void test_bytes(void)
{
	u8 raw[64] = { 0 };

	base(NULL, 0);
	img.part[IMAGE_TEXT].bytes[GOOD_START + 4] = 0x90;
	expect(check(), NOTES_SLOT_BYTES, "slot");
	CU_ASSERT_EQUAL(reader.first.addr, good_slot.addr + 4);
	CU_ASSERT_EQUAL(reader.first.detail, 0x90);
	base(NULL, 0);
	img.part[IMAGE_CACHE].bytes[15] = 0;
	expect(check(), NOTES_CACHE_BYTES, "cache");
	base(NULL, 0);
	img.part[IMAGE_CACHE].bytes[47] = 0;
	expect(check(), NOTES_FARPOOL_BYTES, "far pool");
	/* One REL32 entry, which leads to the table itself: not executable. */
	base(raw, raw_record("10100100f6dfffff02", raw));
	expect(check(), NOTES_TABLE_TARGET, "table");
	CU_ASSERT_EQUAL(reader.first.addr, img.part[IMAGE_TABLES].addr);
	CU_ASSERT_EQUAL(reader.first.detail, img.part[IMAGE_TABLES].addr);
	put_le(img.part[IMAGE_TABLES].bytes, IMAGE_PART_MAX + TEXT_LENGTH - 1, 4);
	expect(check(), NOTES_OK, "table to the last byte of the text");
	put_le(img.part[IMAGE_TABLES].bytes, IMAGE_PART_MAX + TEXT_LENGTH, 4);
	expect(check(), NOTES_TABLE_TARGET, "table to the end of the text");
}

/* ---- callers ---- */

static void test_misuse(void)
{
	struct notes_failure fail;
	struct notes_object object;
	struct notes_records records;
	struct notes_record record;
	struct notes_noopt range;
	struct elf_view view;
	struct notes_walk walk;
	struct notes_slot slot;
	struct notes_iter it;
	u64 size;
	u8 *file;

	base(NULL, 0);
	file = image_file(&img, &size);
	CU_ASSERT_EQUAL_FATAL(elf_view_file(&view, file, size, &fail), NOTES_OK);
	notes_reader_init(&reader, &view);
	notes_walk_begin(&walk, &reader);
	CU_ASSERT_EQUAL_FATAL(notes_objects_next(&walk, &object), NOTES_OK);
	notes_records_begin(&records, &reader, &object);
	CU_ASSERT_EQUAL_FATAL(notes_records_next(&records, &record), NOTES_OK);
	notes_iter_begin(&it, &reader, &record, NOTES_SLOTS);
	expect(notes_noopt_next(&it, &range), NOTES_MISUSED, "misuse");
	expect(notes_slots_next(&it, &slot), NOTES_OK, "goes on");
	expect(notes_slots_next(&it, &slot), NOTES_END, "end");
	expect(notes_slots_next(&it, &slot), NOTES_END, "end again");
	free(file);
}

static void test_writer(void)
{
	const struct notes_noopt ranges[] = { { 8, 9, 1, 0 }, { 4, 5, 1, 0 } };
	const struct notes_slot slots[] = { { 0 }, { 4 } };
	struct notes_input in = { .start = 0, .end = 16 };
	struct notes_object object = { .records = (u64)1 << 32 };
	struct notes_writer w;
	u8 bytes[64];

	notes_writer_init(&w, bytes, 6, 0);
	expect(notes_write_record(&w, &in), NOTES_WRITER_FULL, "full");
	CU_ASSERT(w.pos == 0 && w.fail.detail == 7);
	notes_writer_init(&w, bytes, 7, 0);
	expect(notes_write_record(&w, &in), NOTES_OK, "just enough");
	expect(notes_write_padding(&w), NOTES_WRITER_FULL, "padding");
	notes_writer_init(&w, bytes, sizeof(bytes), 0);
	in.slots = slots;
	in.n_slots = 2;
	expect(notes_write_record(&w, &in), NOTES_WRITER_ORDER, "slots overlap");
	CU_ASSERT_EQUAL(w.fail.detail, 1);
	in.n_slots = 0;
	in.noopt = ranges;
	in.n_noopt = 2;
	expect(notes_write_record(&w, &in), NOTES_WRITER_ORDER, "ranges unsorted");
	expect(notes_write_object(&w, &object), NOTES_WRITER_REACH, "far away");
	CU_ASSERT_EQUAL(w.pos, 0);
}

/* What no record speaks for is ordinary text, until something in the notes is broken. */
static void test_find_is_careful(void)
{
	struct notes_failure fail;
	struct elf_view view;
	u64 size, text;
	u8 raw[64] = { 0 }, *file;

	base(NULL, 0);
	text = img.part[IMAGE_TEXT].addr;
	file = image_file(&img, &size);
	CU_ASSERT_EQUAL_FATAL(elf_view_file(&view, file, size, &fail), NOTES_OK);
	notes_reader_init(&reader, &view);
	CU_ASSERT_EQUAL(notes_find_forbids(&reader, text), 0);
	CU_ASSERT_FALSE(notes_find_certified(&reader, text));
	free(file);

	/* The broken record is one that notes_find() meets itself, or that a check met before. */
	base(raw, raw_record("1040", raw));
	file = image_file(&img, &size);
	CU_ASSERT_EQUAL_FATAL(elf_view_file(&view, file, size, &fail), NOTES_OK);
	notes_reader_init(&reader, &view);
	CU_ASSERT_EQUAL(notes_find_forbids(&reader, text), DYNOPT_FORBID_ALL);
	CU_ASSERT_EQUAL(notes_find_forbids(&reader, text + GOOD_START), 0);
	free(file);
	base(raw, raw_record("10020111", raw));
	file = image_file(&img, &size);
	CU_ASSERT_EQUAL_FATAL(elf_view_file(&view, file, size, &fail), NOTES_OK);
	notes_reader_init(&reader, &view);
	CU_ASSERT_EQUAL(notes_check(&reader, 0, NULL, NULL, &totals), NOTES_SLOT_PAST);
	CU_ASSERT_EQUAL(notes_find_forbids(&reader, text + 200), DYNOPT_FORBID_ALL);
	free(file);
}

/* What docs/notes-format.md says of reasons, row by row. */
static void test_reasons(void)
{
	static const struct {
		u64 reasons;
		u32 forbids;
	} rows[] = {
		{ 0, 0 },
		{ 0x001, 15 }, /* USER: all */
		{ 0x002, 4 | 8 }, /* SETJMP: INLINE, DEFER */
		{ 0x004, 4 | 8 }, /* RETADDR */
		{ 0x008, 4 | 8 }, /* FRAMEADDR */
		{ 0x010, 1 | 2 }, /* ASMFLOW: PATCH, TRANSLATE */
		{ 0x020, 15 }, /* NAKED */
		{ 0x040, 1 | 2 | 4 }, /* IFUNC */
		{ 0x080, 4 | 8 }, /* SIGNAL */
		{ 0x100, 15 }, /* INTERRUPT */
		{ 0x200, 1 }, /* SLEDS */
		{ 0x400, 1 | 4 }, /* SPLITSTACK */
		{ 0x202, 1 | 4 | 8 },
		{ 0x800, 15 }, /* unknown bits: all */
		{ (u64)1 << 32, 15 },
		{ (u64)1 << 63 | 0x200, 15 },
	};

	for (u32 i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CU_ASSERT_EQUAL(notes_reasons_forbid(rows[i].reasons), rows[i].forbids);
}

/* ---- words ---- */

static void test_words(void)
{
	CU_ASSERT_STRING_EQUAL(notes_status_name(NOTES_OK), "OK");
	CU_ASSERT_STRING_EQUAL(notes_status_name(NOTES_ELF_MAGIC), "ELF_MAGIC");
	CU_ASSERT_STRING_EQUAL(notes_status_detail(NOTES_RECORD_TRAILING), "bytes");
	CU_ASSERT_STRING_EQUAL(notes_status_name((enum notes_status)NOTES_N_STATUS), "UNKNOWN");
	CU_ASSERT_STRING_EQUAL(notes_class_name(NOTES_CLASS_RECORD), "RECORD");
	CU_ASSERT_STRING_EQUAL(notes_class_name((enum notes_class)99), "UNKNOWN");
	for (u32 i = 0; i < NOTES_N_STATUS; i++) {
		const char *text = notes_status_text((enum notes_status)i);

		CU_ASSERT(text[0] && text[strlen(text) - 1] != '.');
		if (notes_status_class((enum notes_status)i) < NOTES_CLASS_FILE)
			continue;
		/* Says what is wrong and what to do. */
		CU_ASSERT(strchr(text, ';') || strchr(text, ':') ||
		          notes_status_class((enum notes_status)i) == NOTES_CLASS_CALLER);
	}
}

static void test_all_provoked(void)
{
	for (u32 i = 0; i < NOTES_N_STATUS; i++) {
		if (!provoked[i])
			printf("\n    never provoked: %s\n",
			       notes_status_name((enum notes_status)i));
		CU_ASSERT(provoked[i]);
	}
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "the base image is good", test_base_is_good },
		{ "files", test_files },
		{ "truncated files", test_truncated_files },
		{ "many segments", test_many_segments },
		{ "notes", test_notes },
		{ "tails of note segments", test_note_tails },
		{ "no cache", test_no_cache },
		{ "records", test_records },
		{ "odd but valid records", test_odd_records },
		{ "cut records", test_record_cut },
		{ "notes against bytes", test_bytes },
		{ "misuse", test_misuse },
		{ "writer", test_writer },
		{ "find is careful", test_find_is_careful },
		{ "reasons", test_reasons },
		{ "words", test_words },
		{ "every status was provoked", test_all_provoked },
	};

	return UNIT_RUN("notes status", tests);
}
