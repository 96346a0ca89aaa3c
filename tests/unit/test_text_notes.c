/* SPDX-License-Identifier: MIT */
/*
 * Text with notes: certified boundaries, prohibitions, facts, tables, slots, cache and far pool; records
 * that overlap; and what is left alone when notes are damaged, disabled, or do not decode.
 */
#include <string.h>
#include "dynopt_notes.h"
#include "text_image.h"
#include "unit.h"

static struct text_image img;
static struct text text;

#define INSN (TEXT_INSN | TEXT_CERTIFIED | TEXT_REACHED)
#define NO_ALL (TEXT_NO_PATCH | TEXT_NO_TRANSLATE | TEXT_NO_INLINE | TEXT_NO_DEFER)
#define FACTS (TEXT_PLAIN | TEXT_STACK_PRIVATE)

static void build(void)
{
	CU_ASSERT_EQUAL_FATAL(text_image_build(&img, &text), STATUS_OK);
}

static void expect(u64 addr, u32 mask, u32 want)
{
	u16 marks = text_marks(&text, addr);

	if ((marks & mask) != want)
		printf("\n    0x%llx: marks %04x, of %04x should be %04x\n",
		       (unsigned long long)addr, marks, mask, want);
	CU_ASSERT_EQUAL(marks & mask, want);
}

static struct notes_input record(u64 start, u64 end)
{
	return (struct notes_input){ .start = start, .end = end, .single = true };
}

static void add(const struct notes_input *record, u32 flags)
{
	text_image_object(&img, record, 1, flags, 0, 0);
}

static void test_certified(void)
{
	struct notes_input in;
	u64 f;

	text_image_init(&img);
	f = text_image_function(&img, "31c0 e800000000 4889e5 75fb c3", 0);
	in = record(f, f + 13);
	in.facts = DYNOPT_FACT_PLAIN;
	add(&in, 0);
	build();
	CU_ASSERT(text.noted);
	CU_ASSERT_EQUAL(text.n_functions, 1);
	CU_ASSERT_EQUAL(text.proven_bytes, 13);
	expect(f, 0xffff, INSN | TEXT_FUNCTION | TEXT_PLAIN);
	expect(f + 1, 0xffff, TEXT_CERTIFIED | TEXT_PLAIN);
	expect(f + 7, 0xffff, INSN | TEXT_TARGET | TEXT_LOOP | TEXT_RETURN | TEXT_PLAIN);
	for (u32 i = 1; i < STATUS_N; i++)
		CU_ASSERT_EQUAL(text.refused[i], 0);
}

/* Opaque pieces: nothing starts there, decoding goes on behind; the unwind table does not speak for them. */
static void test_opaque(void)
{
	struct notes_opaque piece;
	struct notes_input in;
	u64 f;

	text_image_init(&img);
	f = text_image_function(&img, "31c0 eb0206 06 4889e5 c3", 0);
	in = record(f, f + 10);
	piece.start = f + 2;
	piece.end = f + 6;
	in.opaque = &piece;
	in.n_opaque = 1;
	add(&in, 0);
	build();
	expect(f, INSN, INSN);
	for (u32 i = 2; i < 6; i++)
		expect(f + i, INSN, 0);
	expect(f + 6, INSN, INSN);
	expect(f + 9, INSN, INSN);
	CU_ASSERT_EQUAL(text.proven_bytes, 6);
}

static void test_undecodable(void)
{
	struct notes_input in;
	u64 f;

	text_image_init(&img);
	f = text_image_function(&img, "31c0 06 4889e5 c3", 0);
	in = record(f, f + 7);
	add(&in, 0);
	build();
	CU_ASSERT_EQUAL(text.refused[STATUS_DECODE_INVALID], 1);
	expect(f, INSN, INSN);
	for (u32 i = 2; i < 7; i++)
		expect(f + i, INSN, 0);
	/* An instruction that passes the end of the range is none of it. */
	text_image_init(&img);
	f = text_image_function(&img, "31c0 4889e5 c3", 0);
	in = record(f, f + 4);
	add(&in, 0);
	build();
	CU_ASSERT_EQUAL(text.refused[STATUS_DECODE_CUT], 1);
	expect(f, INSN, INSN);
	expect(f + 2, TEXT_INSN, 0);
}

static void test_prohibitions(void)
{
	static const struct {
		u64 reason;
		u32 marks;
	} reasons[] = {
		{ DYNOPT_REASON_USER, NO_ALL },
		{ DYNOPT_REASON_SETJMP, TEXT_NO_INLINE | TEXT_NO_DEFER },
		{ DYNOPT_REASON_ASMFLOW, TEXT_NO_PATCH | TEXT_NO_TRANSLATE },
		{ DYNOPT_REASON_IFUNC, TEXT_NO_PATCH | TEXT_NO_TRANSLATE | TEXT_NO_INLINE },
		{ DYNOPT_REASON_SLEDS, TEXT_NO_PATCH },
		{ (u64)1 << 40, NO_ALL }, /* unknown */
	};

	for (u32 i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		struct notes_noopt range[2];
		struct notes_input in;
		u64 f;

		text_image_init(&img);
		f = text_image_function(&img, "31c0 4889e5 4889e5 c3", 0);
		in = record(f, f + 9);
		range[0].start = f + 2;
		range[0].end = f + 5;
		range[0].reasons = reasons[i].reason;
		range[1].start = f + 4;
		range[1].end = f + 6;
		range[1].reasons = DYNOPT_REASON_RETADDR;
		in.noopt = range;
		in.n_noopt = 2;
		add(&in, 0);
		build();
		expect(f + 1, NO_ALL, 0);
		expect(f + 2, NO_ALL, reasons[i].marks);
		expect(f + 4, NO_ALL, reasons[i].marks | TEXT_NO_INLINE | TEXT_NO_DEFER);
		expect(f + 5, NO_ALL, TEXT_NO_INLINE | TEXT_NO_DEFER);
		expect(f + 6, NO_ALL, 0);
		CU_ASSERT_EQUAL(text.refused[STATUS_TEXT_FORBIDDEN],
		                (reasons[i].marks & (TEXT_NO_PATCH | TEXT_NO_TRANSLATE)) != 0);
	}
}

static void test_disabled(void)
{
	struct notes_input in;
	u64 f, g;

	text_image_init(&img);
	f = text_image_function(&img, "31c0 c3", 0);
	g = text_image_function(&img, "31c0 c3", 0);
	in = record(f, f + 3);
	add(&in, DYNOPT_OBJECT_DISABLED);
	in = record(g, g + 3);
	add(&in, 0);
	build();
	CU_ASSERT_EQUAL(text.refused[STATUS_TEXT_DISABLED], 1);
	expect(f, NO_ALL | INSN, NO_ALL | INSN);
	expect(f + 2, NO_ALL, NO_ALL);
	expect(g, NO_ALL | INSN, INSN);
}

static void test_functions(void)
{
	struct notes_function functions[2];
	struct notes_input in;
	u64 f;

	text_image_init(&img);
	f = text_image_function(&img, "90 31c0 75fc c3 31c0 75f8 c3 90", 0);
	in = record(f, f + 12);
	in.single = false;
	in.functions = functions;
	in.n_functions = 2;
	functions[0] = (struct notes_function){ f + 1, f + 6, DYNOPT_FACT_STACK_PRIVATE };
	functions[1] = (struct notes_function){ f + 6, f + 11, DYNOPT_FACTS_MASK };
	add(&in, 0);
	build();
	CU_ASSERT_EQUAL(text.n_functions, 2);
	expect(f, FACTS | TEXT_FUNCTION, 0); /* the unwind table's function does not count here */
	expect(f + 1, FACTS | TEXT_FUNCTION | TEXT_LOOP,
	       TEXT_STACK_PRIVATE | TEXT_FUNCTION | TEXT_LOOP);
	expect(f + 5, FACTS, TEXT_STACK_PRIVATE);
	expect(f + 6, FACTS | TEXT_FUNCTION, FACTS | TEXT_FUNCTION);
	/* The second function's branch goes back into the first: not its own loop. */
	expect(f + 2, TEXT_TARGET | TEXT_INTERIOR | TEXT_INSN, TEXT_INTERIOR);
	expect(f + 11, FACTS | TEXT_INSN, TEXT_INSN);
}

/* Two records of the same bytes: prohibitions of both, facts and opaque pieces only as both say. */
static void test_folded(void)
{
	struct notes_opaque piece;
	struct notes_noopt range;
	struct notes_input a, b;
	u64 f;

	text_image_init(&img);
	f = text_image_function(&img, "31c0 4889e5 31c0 c3", 0);
	a = record(f, f + 8);
	a.facts = DYNOPT_FACTS_MASK;
	b = record(f, f + 8);
	b.facts = DYNOPT_FACT_PLAIN;
	piece.start = f + 2;
	piece.end = f + 5;
	b.opaque = &piece;
	b.n_opaque = 1;
	range.start = f;
	range.end = f + 2;
	range.reasons = DYNOPT_REASON_SETJMP;
	b.noopt = &range;
	b.n_noopt = 1;
	for (u32 order = 0; order < 2; order++) {
		text_image_init(&img);
		text_image_function(&img, "31c0 4889e5 31c0 c3", 0);
		add(order ? &a : &b, 0);
		add(order ? &b : &a, 0);
		build();
		expect(f, 0xffff,
		       INSN | TEXT_FUNCTION | TEXT_PLAIN | TEXT_NO_INLINE | TEXT_NO_DEFER);
		expect(f + 2, INSN, 0);
		expect(f + 5, INSN | FACTS, INSN | TEXT_PLAIN);
		CU_ASSERT_EQUAL(text.n_functions, 1);
		CU_ASSERT_EQUAL(text.proven_bytes, 5);
	}
}

/* Records that contradict each other about boundaries: nobody is believed. */
static void test_disputed(void)
{
	for (u32 order = 0; order < 2; order++) {
		struct notes_input a, b;
		u64 f;

		text_image_init(&img);
		/* b8 imm32 read from its second byte is 31 c0 31 c0 */
		f = text_image_function(&img, "31c0 b831c031c0 c3", 0);
		a = record(f, f + 8);
		b = record(f + 3, f + 8);
		add(order ? &a : &b, 0);
		add(order ? &b : &a, 0);
		build();
		expect(f, INSN, INSN);
		expect(f + 2, TEXT_INSN, 0);
		expect(f + 3, TEXT_INSN, 0);
		expect(f + 5, TEXT_INSN, 0);
		expect(f + 7, INSN, INSN);
	}
}

/* An unknown record may be the one that says "leave this alone". */
static void test_damaged(void)
{
	struct notes_input in;
	u64 f, g;

	text_image_init(&img);
	f = text_image_function(&img, "31c0 c3", 0);
	text_image_code(&img, "cccccccccc");
	g = text_image_function(&img, "31c0 c3", 0);
	in = record(f, f + 3);
	add(&in, 0);
	build();
	expect(g, NO_ALL | TEXT_INSN | TEXT_REACHED, TEXT_INSN | TEXT_REACHED);
	CU_ASSERT_EQUAL(text.n_slots, 1);
	in = record(g, g + 3);
	add(&in, 0);
	img.notes_bytes[img.notes_writer.pos - 11] = 9; /* the second object's version */
	build();
	CU_ASSERT(text.noted);
	CU_ASSERT_EQUAL(text.refused[STATUS_TEXT_NOTES], 2); /* the object, and the function */
	expect(f, NO_ALL | INSN, INSN);
	expect(g, NO_ALL | TEXT_INSN, NO_ALL);
	CU_ASSERT_EQUAL(text.n_slots, 0);
}

static void test_foreign_beside(void)
{
	struct notes_input in;
	u64 f, g;

	text_image_init(&img);
	f = text_image_function(&img, "31c0 c3", 0);
	g = text_image_function(&img, "31c0 ebfc", 0);
	in = record(f, f + 3);
	add(&in, 0);
	build();
	expect(f, TEXT_INSN | TEXT_CERTIFIED, TEXT_INSN | TEXT_CERTIFIED);
	expect(g, TEXT_INSN | TEXT_CERTIFIED | TEXT_LOOP, TEXT_INSN | TEXT_LOOP);
	/* A branch from certified text into foreign instructions counts, too. */
	text_image_init(&img);
	f = text_image_function(&img, "eb01", 0);
	g = text_image_function(&img, "31c0 c3", 0);
	in = record(f, f + 2);
	add(&in, 0);
	build();
	CU_ASSERT_EQUAL(text.refused[STATUS_TEXT_INTERIOR], 1);
	expect(g, TEXT_INSN, 0);
}

static void test_tables(void)
{
	struct notes_table tables[3];
	struct notes_input in;
	u64 f, table;

	text_image_init(&img);
	f = text_image_function(&img, "ffe0 ffe1 31c0 c3 31c0 c3", 0);
	img.data_size += 4;
	table = text_image_data(&img, "12345678123456781234567812345678", 32);
	text_image_put(&img, table, f + 4 - table, 4);
	text_image_put(&img, table + 4, f + 8 - table, 4);
	text_image_put(&img, table + 8, f + 7, 8);
	in = record(f, f + 10);
	tables[0] = (struct notes_table){ f + 2, table, 2, DYNOPT_TABLE_REL32 };
	tables[1] = (struct notes_table){ 0, table, 2, DYNOPT_TABLE_REL32 };
	tables[2] = (struct notes_table){ f, table + 8, 1, DYNOPT_TABLE_ABS64 };
	in.tables = tables;
	in.n_tables = 3;
	add(&in, 0);
	build();
	CU_ASSERT_EQUAL_FATAL(text.n_tables, 2);
	CU_ASSERT(text.tables[0].site == f && text.tables[0].form == DYNOPT_TABLE_ABS64);
	CU_ASSERT(text.tables[1].site == f + 2 && text.tables[1].addr == table);
	CU_ASSERT_EQUAL(text.tables[1].count, 2);
	expect(f + 4, TEXT_TARGET, TEXT_TARGET);
	expect(f + 7, TEXT_TARGET, TEXT_TARGET);
	expect(f + 8, TEXT_TARGET | TEXT_INTERIOR, TEXT_INTERIOR);
	img.pie = true; /* absolute words are not final */
	build();
	expect(f + 7, TEXT_TARGET, 0);
}

static void test_slots(void)
{
	struct notes_noopt range;
	struct notes_slot slots[2];
	struct notes_input in;
	u64 f;

	text_image_init(&img);
	/* jmp over a slot; xor; an executed NOP of eight bytes whose last five are one; ret */
	f = text_image_function(&img, "eb05 cccccccccc 31c0 0f1f84cccccccccc c3", 0);
	in = record(f, f + 18);
	slots[0].addr = f + 2;
	slots[1].addr = f + 12;
	in.slots = slots;
	in.n_slots = 2;
	add(&in, 0);
	build();
	CU_ASSERT_EQUAL_FATAL(text.n_slots, 2);
	CU_ASSERT(text.slots[0].addr == f + 2 && text.slots[0].size == DYNOPT_SLOT_SIZE);
	CU_ASSERT(text.slots[1].addr == f + 12 && text.slots[1].size == DYNOPT_SLOT_SIZE);
	expect(f + 9, INSN | TEXT_FREE, INSN);
	expect(f + 12, TEXT_INSN | TEXT_FREE, TEXT_FREE);

	img.text[12] = 0; /* no longer unused */
	build();
	CU_ASSERT_EQUAL(text.n_slots, 1);
	expect(f + 13, TEXT_FREE, 0);

	img.text[12] = 0xcc;
	range.start = f + 16;
	range.end = f + 17;
	range.reasons = DYNOPT_REASON_SLEDS;
	in.noopt = &range;
	in.n_noopt = 1;
	add(&in, 0); /* a second record of the same bytes forbids one of them */
	build();
	CU_ASSERT_EQUAL(text.n_slots, 1);
	CU_ASSERT_EQUAL(text.slots[0].addr, f + 2);
}

/* Padding of certified text, beyond the notes' own slots. */
static void test_padding(void)
{
	struct notes_input in;
	u64 f, g;

	text_image_init(&img);
	f = text_image_function(&img, "c3 0f1f440000 c3", 0);
	text_image_code(&img, "cccccccccc cccccccccc cc");
	g = text_image_function(&img, "31c0 c3", TEXT_IMAGE_NO_FDE);
	text_image_function(&img, "c3", 0); /* so that the gap is looked at */
	in = record(f, f + 7);
	add(&in, 0);
	in = record(g, g + 3);
	add(&in, 0);
	build();
	CU_ASSERT_EQUAL_FATAL(text.n_slots, 3);
	CU_ASSERT_EQUAL(text.slots[0].addr, f + 1);
	CU_ASSERT_EQUAL(text.slots[1].addr, f + 7);
	expect(f + 12, TEXT_FREE, TEXT_FREE);
}

static void test_cache(void)
{
	struct notes_input in;
	u64 f, cache, far;
	struct notes_farpool pool;

	text_image_init(&img);
	f = text_image_function(&img, "c3", 0);
	text_image_align(&img, 16, 0x90);
	cache = TEXT_IMAGE_TEXT + img.text_size;
	text_image_align(&img, 256, 0xcc);
	far = TEXT_IMAGE_TEXT + img.text_size;
	for (u32 i = 0; i < 32; i++)
		text_image_code(&img, "cc");
	text_image_function(&img, "c3", 0); /* reserved bytes are no padding in front of it */
	in = record(f, f + 1);
	/* Three shares, out of order, the second apart. */
	text_image_object(&img, &in, 1, 0, cache + 32, 64);
	text_image_object(&img, &in, 1, 0, cache + 112, 48);
	text_image_object(&img, &in, 1, 0, cache, 32);
	pool = (struct notes_farpool){ .start = far, .end = far + 32 };
	CU_ASSERT_EQUAL(notes_write_farpool(&img.notes_writer, &pool), NOTES_OK);
	build();
	CU_ASSERT_EQUAL(text.cache, cache);
	CU_ASSERT_EQUAL(text.cache_end, cache + 96);
	CU_ASSERT_EQUAL(text.far, far);
	CU_ASSERT_EQUAL(text.far_end, far + 32);
	CU_ASSERT_EQUAL(text.n_slots, 0);
	text_image_put(&img, cache + 95, 0, 1); /* used by somebody: the other run is left */
	text_image_put(&img, far + 3, 0, 1);
	build();
	CU_ASSERT_EQUAL(text.cache, cache + 112);
	CU_ASSERT_EQUAL(text.cache_end, cache + 160);
	CU_ASSERT(text.far == 0 && text.far_end == 0);
}

static const struct unit_test tests[] = {
	{ "certified text", test_certified },
	{ "opaque pieces", test_opaque },
	{ "records that do not decode", test_undecodable },
	{ "prohibitions", test_prohibitions },
	{ "disabled objects", test_disabled },
	{ "functions and facts", test_functions },
	{ "folded code", test_folded },
	{ "records that contradict each other", test_disputed },
	{ "damaged notes", test_damaged },
	{ "foreign text beside noted text", test_foreign_beside },
	{ "jump tables", test_tables },
	{ "slots", test_slots },
	{ "padding", test_padding },
	{ "cache and far pool", test_cache },
};

int main(void)
{
	return UNIT_RUN("text of notes", tests);
}
