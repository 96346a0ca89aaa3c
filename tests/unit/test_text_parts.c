/* SPDX-License-Identifier: MIT */
/*
 * Text that is read by parts: which functions are, who arrives in them from code that is not read, what nobody knows of the others, and
 * modules that have to be read as a whole. (Against whole texts: tests/text/text_parts.c, tests/fuzz/fuzz_text.c.)
 */
#include <string.h>
#include "dynopt_notes.h"
#include "text_image.h"
#include "text_private.h"
#include "unit.h"

static struct text_image img;
static struct text text;

#define INSN (TEXT_INSN | TEXT_CERTIFIED | TEXT_REACHED)
#define ENTERED (TEXT_TARGET | TEXT_INTERIOR)

static void expect(u64 addr, u32 mask, u32 want)
{
	u16 marks = text_marks(&text, addr);

	if ((marks & mask) != want)
		printf("\n    0x%llx: marks %04x, of %04x should be %04x\n",
		       (unsigned long long)addr, marks, mask, want);
	CU_ASSERT_EQUAL(marks & mask, want);
}

/* A function with a record of its own, which ends in `n` NOPs. */
static u64 padded(const char *hex, u32 n)
{
	u64 f = text_image_function(&img, hex, 0);

	for (u32 i = 0; i < n; i++)
		text_image_code(&img, "90");
	text_image_object(&img,
	                  &(struct notes_input){ .start = f,
	                                         .end = TEXT_IMAGE_TEXT + img.text_size,
	                                         .single = true },
	                  1, 0, 0, 0);
	return f;
}

static u64 certified(const char *hex)
{
	return padded(hex, 0);
}

/* More than a branch with a distance of one byte spans. */
static void apart(void)
{
	for (u32 i = 0; i < TEXT_REACH8; i++)
		text_image_code(&img, "00");
}

static enum status open_parts(void)
{
	struct text whole;

	CU_ASSERT_EQUAL_FATAL(text_image_build(&img, &whole), STATUS_OK);
	arena_release(&img.keep, 0);
	return text_parts_open(&text, &img.view, &img.keep, &img.scratch, &img.fail);
}

static void read_at(u64 addr)
{
	CU_ASSERT_EQUAL(text_parts_read(&text, &addr, 1, &img.keep, &img.scratch, &img.fail),
	                STATUS_OK);
}

static void test_read(void)
{
	struct insn insn;
	u64 f, g, start, end;
	u8 *decoder;

	text_image_init(&img);
	f = certified("31c0 ffc8 75fc c3");
	g = certified("4889e5 c3");
	CU_ASSERT_EQUAL_FATAL(open_parts(), STATUS_OK);
	decoder = arena_alloc(&img.keep, decode_scratch_size(), 1);
	CU_ASSERT_EQUAL(text.n_functions, 2);
	CU_ASSERT_EQUAL(text.proven_bytes, 11);
	CU_ASSERT(text_is_unread(&text, f) && text_is_unread(&text, f + 1));
	CU_ASSERT(text_function(&text, f + 3, &start, &end) && start == f && end == g);
	CU_ASSERT(!text_function(&text, g + 4, &start, &end));
	expect(f, 0xffff, 0);
	read_at(f + 3);
	CU_ASSERT(!text_is_unread(&text, f) && text_is_unread(&text, g));
	expect(f, INSN | TEXT_FUNCTION, INSN | TEXT_FUNCTION);
	expect(f + 2, 0xffff, INSN | TEXT_TARGET | TEXT_LOOP);
	expect(g, 0xffff, 0);
	CU_ASSERT_EQUAL(text_insn(&text, g, decoder, &insn, &img.fail), STATUS_TEXT_UNPROVEN);
	read_at(g);
	expect(g, INSN | TEXT_FUNCTION, INSN | TEXT_FUNCTION);
	expect(f + 2, 0xffff, INSN | TEXT_TARGET | TEXT_LOOP);
	read_at(g + 100); /* nowhere */
}

/* Small functions that are called are read, too, four calls deep; large ones are not. */
static void test_callees(void)
{
	u64 f[6], large;

	text_image_init(&img);
	for (u32 i = 0; i < 6; i++)
		f[i] = certified("e802000000 c3 c3"); /* the next one */
	large = padded("31c0 c3", 512); /* which the last one calls */
	CU_ASSERT_EQUAL_FATAL(open_parts(), STATUS_OK);
	read_at(f[0]);
	for (u32 i = 0; i < 6; i++)
		CU_ASSERT_EQUAL(text_is_unread(&text, f[i]), i > 4);
	read_at(f[5]);
	CU_ASSERT(text_is_unread(&text, large));
}

/* Every branch that some reading of the bytes has is known, whether anybody knows the function that it is in or not. */
static void test_arrivals(void)
{
	static const char *const from[] = { "e8", "e9", "0f84", "0f8f", "c7f8" };
	static const char *const before[] = { "eb02 9090", "7202 9090", "e302 9090" };
	char hex[64];
	u64 f, at;

	for (u32 i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
		for (u32 behind = 0; behind < 2; behind++) {
			text_image_init(&img);
			f = certified("31c0 48c7c000000000 c3");
			apart();
			/* in no function and at the very end of the text; or something is behind it */
			at = TEXT_IMAGE_TEXT + img.text_size + strlen(from[i]) / 2 + 4;
			snprintf(hex, sizeof(hex), "%s %02x%02xffff %s", from[i],
			         (unsigned)(f + 4 - at) & 0xff, (unsigned)(f + 4 - at) >> 8 & 0xff,
			         behind ? "c3" : "");
			text_image_code(&img, hex);
			CU_ASSERT_EQUAL_FATAL(open_parts(), STATUS_OK);
			read_at(f);
			expect(f + 4, ENTERED | TEXT_INSN, TEXT_INTERIOR);
			expect(f + 5, ENTERED, 0);
		}
	}
	for (u32 i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		for (u32 known = 0; known < 2; known++) {
			text_image_init(&img);
			if (known)
				certified(before[i]); /* decoded, as it stands beside it */
			else
				text_image_code(&img, before[i]);
			f = certified("48c7c000000000 c3");
			CU_ASSERT_EQUAL_FATAL(open_parts(), STATUS_OK);
			read_at(f);
			expect(f, ENTERED, TEXT_TARGET);
			expect(f + 1, ENTERED, 0);
			if (known)
				expect(TEXT_IMAGE_TEXT, 0xffff & ~TEXT_TARGET, 0);
		}
	}
}

/* A case that cannot be has the address of the next function, which is read with the jump. */
static void test_table(void)
{
	static const s32 entries[] = { 3, 4 };
	struct notes_table table = { .count = 2, .form = DYNOPT_TABLE_REL32 };
	struct notes_input in = { .single = true, .tables = &table, .n_tables = 1 };
	const struct text_table *found;
	u64 f, g;

	for (u32 other = 0; other < 2; other++) {
		text_image_init(&img);
		table.addr = text_image_data(&img, entries, sizeof(entries));
		f = text_image_function(&img, "ffe0 90 c3", 0);
		text_image_put(&img, table.addr, f + 3 - table.addr, 4);
		text_image_put(&img, table.addr + 4, f + 4 - table.addr, 4);
		table.site = f;
		in.start = f;
		in.end = f + 4;
		text_image_object(&img, &in, 1, 0, 0, 0);
		g = certified("31c0 c3");
		CU_ASSERT_EQUAL_FATAL(open_parts(), STATUS_OK);
		CU_ASSERT_PTR_NULL(text_table_at(&text, f));
		read_at(other ? g : f);
		CU_ASSERT_EQUAL(text_is_unread(&text, f), other);
		CU_ASSERT(!text_is_unread(&text, g));
		expect(g, TEXT_TARGET, TEXT_TARGET); /* from the first on */
		read_at(f);
		found = text_table_at(&text, f);
		CU_ASSERT_PTR_NOT_NULL_FATAL(found);
		CU_ASSERT(found->targets[0] == f + 3 - text.start &&
		          found->targets[1] == g - text.start);
	}
}

/* What a jump into a function that was not read finds there is not known; at its start it is a call that does not come back. */
static void test_spare(void)
{
	static const s32 entries[] = { 0, 0 };
	struct notes_table table = { .count = 2, .form = DYNOPT_TABLE_REL32 };
	struct notes_input in = { .single = true, .tables = &table, .n_tables = 1 };

	for (u32 inside = 0; inside < 2; inside++) {
		struct text_table *found;
		char hex[32];
		u64 f, g;

		text_image_init(&img);
		table.addr = text_image_data(&img, entries, sizeof(entries));
		g = padded("4889c3 c3", 512); /* reads rax; too large to be read for who calls it */
		f = TEXT_IMAGE_TEXT + img.text_size;
		snprintf(hex, sizeof(hex), "ffe0 e9 %02x%02xffff",
		         (unsigned)(g + inside - f - 7) & 0xff,
		         (unsigned)(g + inside - f - 7) >> 8 & 0xff);
		text_image_function(&img, hex, 0);
		for (u32 i = 0; i < 2; i++)
			text_image_put(&img, table.addr + 4 * i, f + 2 - table.addr, 4);
		table.site = f;
		in.start = f;
		in.end = f + 7;
		text_image_object(&img, &in, 1, 0, 0, 0);
		CU_ASSERT_EQUAL_FATAL(open_parts(), STATUS_OK);
		read_at(f);
		CU_ASSERT(text_is_unread(&text, g));
		found = text_table_at(&text, f);
		CU_ASSERT_PTR_NOT_NULL_FATAL(found);
		CU_ASSERT_EQUAL(text_table_spare(&text, found, 0,
		                                 arena_alloc(&img.keep, decode_scratch_size(), 1)),
		                !inside);
	}
}

/* Exceptions lead into a function that is read from one that is not: its cold part. */
static void test_pads(void)
{
	/* landing pads count from 0x401000 (LPStart); one call site, whose pad is at 2 */
	static const u8 lsda[] = { 0x03, 0x00, 0x10, 0x40, 0x00, 0xff, 0x01, 4, 0, 1, 2, 0 };
	u64 f, g, table;

	text_image_init(&img);
	table = text_image_data(&img, lsda, sizeof(lsda));
	text_image_put(&img, TEXT_IMAGE_DATA + 4, 4 + sizeof(lsda),
	               4); /* the unwind table is behind */
	f = text_image_function(&img, "31c0 31db c3", TEXT_IMAGE_NO_FDE);
	CU_ASSERT_EQUAL_FATAL(f, 0x401000);
	text_image_object(&img, &(struct notes_input){ .start = f, .end = f + 5, .single = true },
	                  1, 0, 0, 0);
	apart();
	g = text_image_function(&img, "31c0 c3", TEXT_IMAGE_NO_FDE);
	text_image_fde(&img, g, 3, table, 0);
	CU_ASSERT_EQUAL_FATAL(open_parts(), STATUS_OK);
	read_at(f);
	expect(f + 2, ENTERED, TEXT_TARGET);
}

/* For proofs that need it: does anybody else branch into [start, end)? */
static void test_is_entered(void)
{
	static const struct {
		const char *before, *behind;
		bool is_entered;
	} cases[] = {
		{ "", "", false },           { "c3", "c3", false },
		{ "eb02", "", true }, /* to its third byte */
		{ "eb00", "", false }, /* its first is anybody's */
		{ "e903000000", "", true },  { "e900000000", "", false },
		{ "", "ebfa", true },        { "", "ebfe", false },
		{ "", "e9f6ffffff", true },  { "", "0f84f6ffffff", true },
		{ "", "e8f0ffffff", false }, /* in front of it */
	};
	struct builder b = { .text = &text };

	for (u32 i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		u64 f;

		text_image_init(&img);
		text_image_code(&img, cases[i].before);
		f = certified("31c0 e9fdffffff c3"); /* what it does itself does not count */
		text_image_code(&img, cases[i].behind);
		CU_ASSERT_EQUAL_FATAL(open_parts(), STATUS_OK);
		b.view = text.view;
		if (text_is_entered(&b, f, f + 8) != cases[i].is_entered)
			printf("\n    '%s' in front, '%s' behind\n", cases[i].before,
			       cases[i].behind);
		CU_ASSERT_EQUAL(text_is_entered(&b, f, f + 8), cases[i].is_entered);
	}
}

static void test_slots(void)
{
	struct notes_slot slot[2];
	struct notes_input in = { .single = true, .n_slots = 1 };
	u64 f[2];

	text_image_init(&img);
	for (u32 i = 0; i < 2; i++) {
		f[i] = text_image_function(&img, "31c0 c3 cccccccccc", 0);
		slot[i].addr = f[i] + 3;
		in.slots = &slot[i];
		in.start = f[i];
		in.end = f[i] + 8;
		text_image_object(&img, &in, 1, 0, 0, 0);
	}
	CU_ASSERT_EQUAL_FATAL(open_parts(), STATUS_OK);
	CU_ASSERT_EQUAL(text.n_slots, 0);
	read_at(f[1]);
	CU_ASSERT(text.n_slots == 1 && text.slots[0].addr == slot[1].addr);
	read_at(f[0]);
	CU_ASSERT(text.n_slots == 2 && text.slots[0].addr == slot[0].addr &&
	          text.slots[1].addr == slot[1].addr);
}

/* No notes, damaged ones, records of the same bytes: nothing is opened, nothing changes. */
static void test_whole(void)
{
	struct text before;
	u64 f;

	memset(&text, 0x5a, sizeof(text));
	before = text;
	text_image_init(&img);
	text_image_function(&img, "31c0 c3", 0);
	CU_ASSERT_EQUAL(open_parts(), STATUS_TEXT_NOTES);
	text_image_init(&img);
	f = certified("31c0 c3");
	text_image_object(&img, &(struct notes_input){ .start = f + 2, .end = f + 3 }, 1, 0, 0, 0);
	CU_ASSERT_EQUAL(open_parts(), STATUS_TEXT_NOTES);
	text_image_init(&img);
	certified("31c0 c3");
	certified("31c0 c3");
	img.notes_bytes[img.notes_writer.pos - 11] = 9; /* the second object's version */
	CU_ASSERT_EQUAL(open_parts(), STATUS_TEXT_NOTES);
	CU_ASSERT(memcmp(&text, &before, sizeof(text)) == 0);
	CU_ASSERT(img.keep.used == 0 && img.scratch.used == 0);
}

/* Too little memory, wherever it ends: as if nobody had asked, and asked again it works. */
static void test_memory(void)
{
	struct text before;
	struct arena small;
	u32 n_failed = 0;
	u64 f;

	text_image_init(&img);
	f = certified("31c0 ffc8 75fc c3");
	certified("31c0 c3");
	CU_ASSERT_EQUAL_FATAL(open_parts(), STATUS_OK);
	before = text;
	for (u64 size = 0;; size += 64) {
		arena_init(&small, img.scratch_bytes, size);
		if (text_parts_read(&text, &f, 1, &img.keep, &small, &img.fail) == STATUS_OK)
			break;
		n_failed++;
		CU_ASSERT_EQUAL(img.fail.status, STATUS_WORKSPACE);
		CU_ASSERT(memcmp(&text, &before, sizeof(text)) == 0 && small.used == 0);
		CU_ASSERT(text_is_unread(&text, f));
		for (u64 i = 0; i < text.end - text.start; i++)
			CU_ASSERT_EQUAL(text.marks[i] & (u16)~TEXT_TARGET, 0);
	}
	CU_ASSERT(n_failed > 3);
	expect(f + 2, 0xffff, INSN | TEXT_TARGET | TEXT_LOOP);
}

static const struct unit_test tests[] = {
	{ "functions that are read, and not", test_read },
	{ "functions that are called", test_callees },
	{ "who arrives", test_arrivals },
	{ "jump tables out of a function", test_table },
	{ "what jump tables leave unread", test_spare },
	{ "landing pads from elsewhere", test_pads },
	{ "functions that are entered from elsewhere", test_is_entered },
	{ "slots", test_slots },
	{ "modules that are read as a whole", test_whole },
	{ "too little memory", test_memory },
};

int main(void)
{
	return UNIT_RUN("text by parts", tests);
}
