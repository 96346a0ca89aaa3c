/* SPDX-License-Identifier: MIT */
/*
 * Text without notes: what counts as proven, what is refused under which name, who arrives where,
 * what is reached, and which padding is free. Each case is a module of a few instructions.
 */
#include <string.h>
#include "dynopt_notes.h"
#include "text_image.h"
#include "unit.h"

static struct text_image img;
static struct text text;

#define MARKS(addr) text_marks(&text, addr)

static void build(void)
{
	enum status status = text_image_build(&img, &text);

	CU_ASSERT_EQUAL_FATAL(status, STATUS_OK);
	CU_ASSERT_EQUAL(img.scratch.used, 0);
}

/* Of the bits in `mask`, exactly `want` are set. */
static void expect(u64 addr, u32 mask, u32 want)
{
	if ((MARKS(addr) & mask) != want)
		printf("\n    0x%llx: marks %04x, of %04x should be %04x\n",
		       (unsigned long long)addr, MARKS(addr), mask, want);
	CU_ASSERT_EQUAL(MARKS(addr) & mask, want);
}

static void refused_once(enum status status)
{
	for (u32 i = 1; i < STATUS_N; i++) {
		if (text.refused[i] != (i == status))
			printf("\n    %s: %u\n", status_name((enum status)i), text.refused[i]);
		CU_ASSERT_EQUAL(text.refused[i], i == status);
	}
}

static void put_rel32(u64 field, u64 target)
{
	text_image_put(&img, field, target - (field + 4), 4);
}

static bool slot_at(u64 addr)
{
	for (u32 i = 0; i < text.n_slots; i++) {
		if (text.slots[i].addr == addr && text.slots[i].size == JMP_REL32_LEN)
			return true;
	}
	return false;
}

/* ---- boundaries and flow ---- */

static void test_plain_function(void)
{
	u64 f;

	text_image_init(&img);
	/* push; mov; [loop:] dec; jnz loop; call f; pop; ret */
	f = text_image_function(&img, "55 4889e5 ffcf 75fc e8f3ffffff 5d c3", 0);
	build();
	expect(f, 0xffff, TEXT_INSN | TEXT_REACHED | TEXT_FUNCTION | TEXT_TARGET);
	expect(f + 1, 0xffff, TEXT_INSN | TEXT_REACHED);
	expect(f + 2, 0xffff, 0);
	expect(f + 4, 0xffff, TEXT_INSN | TEXT_REACHED | TEXT_TARGET | TEXT_LOOP);
	expect(f + 13, 0xffff, TEXT_INSN | TEXT_REACHED | TEXT_RETURN);
	CU_ASSERT_EQUAL(text.n_functions, 1);
	CU_ASSERT_EQUAL(text.proven_bytes, 15);
	CU_ASSERT_FALSE(text.noted);
	refused_once(STATUS_OK);
}

static void test_decode_refusals(void)
{
	u64 f, g;

	text_image_init(&img);
	f = text_image_function(&img, "31c0 06 c3", 0); /* 06: no instruction in 64-bit mode */
	g = text_image_function(&img, "31c0 c3", 0);
	build();
	refused_once(STATUS_DECODE_INVALID);
	expect(f, TEXT_INSN | TEXT_FUNCTION, TEXT_FUNCTION);
	expect(g, TEXT_INSN, TEXT_INSN);

	text_image_init(&img);
	f = text_image_code(&img, "31c0 4889e5 c3");
	text_image_fde(&img, f, 4, 0, 0); /* ends inside the mov */
	build();
	refused_once(STATUS_DECODE_CUT);
	expect(f, TEXT_INSN, 0);

	text_image_init(&img);
	f = text_image_function(&img, "66e90000 0000 c3", 0); /* 16-bit jump: makers disagree */
	build();
	refused_once(STATUS_DECODE_UNKNOWN);
}

/* Nobody knows which reading is right: jumped over is no lock prefix (66, repne), or more than that. */
static void test_interior(void)
{
	static const struct {
		const char *code;
		u32 at;
	} cases[] = {
		{ "eb01 660fb10f c3", 3 },        { "eb01 f20fb10f c3", 3 },
		{ "eb02 f00fb10f c3", 4 },        { "eb02 66f00fb10f c3", 4 },
		{ "eb01 f0480fb10f ebfb c3", 4 }, /* over the prefix and into the instruction */
		{ "eb01 48f7d8 c3", 3 },
	};

	for (u32 i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		u64 f, g;

		text_image_init(&img);
		f = text_image_function(&img, cases[i].code, 0);
		g = text_image_function(&img, "c3", 0);
		build();
		refused_once(STATUS_TEXT_INTERIOR);
		expect(f, TEXT_INSN | TEXT_REACHED, 0);
		expect(f + cases[i].at, TEXT_INSN | TEXT_INTERIOR, TEXT_INTERIOR);
		expect(g, TEXT_INSN, TEXT_INSN);
	}
}

static void no_site(u64 addr)
{
	u64 site;
	u32 len;

	CU_ASSERT_EQUAL(text_site(&text, addr, img.scratch_bytes, &site, &len, NULL),
	                STATUS_SITE_INTERIOR);
}

/* The lock prefix is jumped over, as in libc: 74 01 | f0 0f b1 0f. Two instructions, none of which can be overwritten. */
static void test_without_lock(void)
{
	u64 f;

	text_image_init(&img);
	f = text_image_function(&img, "7401 f00fb10f 31c0 c3", 0);
	build();
	refused_once(STATUS_OK);
	expect(f + 2, TEXT_INSN | TEXT_REACHED | TEXT_TARGET, TEXT_INSN | TEXT_REACHED);
	expect(f + 3, TEXT_INSN | TEXT_REACHED | TEXT_TARGET | TEXT_INTERIOR,
	       TEXT_INSN | TEXT_REACHED | TEXT_TARGET);
	expect(f + 4, TEXT_INSN | TEXT_TARGET | TEXT_INTERIOR, 0);
	expect(f + 6, TEXT_INSN | TEXT_REACHED | TEXT_TARGET, TEXT_INSN | TEXT_REACHED);
	no_site(f + 2);
	no_site(f + 3);
	/* Nobody comes to the one with the prefix. */
	text_image_init(&img);
	f = text_image_function(&img, "eb01 f00fb10f c3", 0);
	build();
	refused_once(STATUS_OK);
	expect(f + 2, TEXT_INSN | TEXT_REACHED, TEXT_INSN);
	expect(f + 3, TEXT_INSN | TEXT_REACHED, TEXT_INSN | TEXT_REACHED);
	no_site(f + 3);
}

/* A branch into f's second instruction, by `how` it is said where it stands. */
static void interior_from(const char *hex, u64 field, bool fde)
{
	u64 f, g;

	text_image_init(&img);
	f = text_image_function(&img, "4889e5 4889e5 c3", 0);
	g = text_image_function(&img, hex, fde ? 0 : TEXT_IMAGE_NO_FDE);
	text_image_function(&img, "c3", 0);
	put_rel32(g + field, f + 4);
	build();
	CU_ASSERT_EQUAL(text.refused[STATUS_TEXT_INTERIOR], 1);
	expect(f, TEXT_INSN, 0);
	expect(f + 4, TEXT_INTERIOR, TEXT_INTERIOR);
	put_rel32(g + field, f + 3);
	build();
	CU_ASSERT_EQUAL(text.refused[STATUS_TEXT_INTERIOR], 0);
	expect(f + 3, TEXT_INSN | TEXT_TARGET, TEXT_INSN | TEXT_TARGET);
}

static void test_interior_from_elsewhere(void)
{
	interior_from("e900000000", 1, true); /* another function */
	interior_from("e800000000 c3", 1, true);
	interior_from("0f8400000000 c3", 2, true);
	interior_from("e900000000", 1, false); /* code that no function claims */
	interior_from("06 0606 e900000000", 4, false); /* behind bytes that are no code */
	interior_from("e900000000 06", 1,
	              true); /* a function that cannot be decoded: before that */
	interior_from("06 e900000000", 2, true); /* and behind it */
	interior_from("c7f800000000 c3", 2, true); /* xbegin's abort handler */
}

/* Data between functions is stepped through byte by byte, and that is not dear. */
static void test_data_in_text(void)
{
	u64 f, g;

	text_image_init(&img);
	f = text_image_function(&img, "4889e5 c3", 0);
	for (u32 i = 0; i < 8192; i++)
		text_image_code(&img, "06");
	g = text_image_function(&img, "e900000000", 0);
	put_rel32(g + 1, f + 3);
	build();
	refused_once(STATUS_OK);
	expect(f + 3, TEXT_INSN | TEXT_TARGET, TEXT_INSN | TEXT_TARGET);
}

static void test_overlap(void)
{
	u64 f, g;

	text_image_init(&img);
	f = text_image_function(&img, "31c0 c3", 0);
	text_image_fde(&img, f + 2, 1, 0, 0);
	g = text_image_function(&img, "c3", 0);
	build();
	CU_ASSERT_EQUAL(text.refused[STATUS_TEXT_OVERLAP], 2);
	expect(f, TEXT_INSN, 0);
	expect(f + 2, TEXT_INSN, 0);
	expect(g, TEXT_INSN, TEXT_INSN);
	text_image_fde(&img, g, 1, 0, 0); /* twice the same */
	build();
	CU_ASSERT_EQUAL(text.refused[STATUS_TEXT_OVERLAP], 4);
	expect(g, TEXT_INSN, 0);
	/* One that holds all others: none is left, however they are sorted. */
	text_image_fde(&img, f, 4, 0, 0);
	build();
	CU_ASSERT_EQUAL(text.n_functions, 0);
}

static void test_signal_frame(void)
{
	u64 f;

	text_image_init(&img);
	f = text_image_function(&img, "48c7c00f000000 0f05", TEXT_IMAGE_SIGNAL);
	text_image_function(&img, "c3", 0);
	build();
	refused_once(STATUS_TEXT_SIGNAL);
	expect(f, TEXT_INSN, 0);
}

static void test_damaged_table(void)
{
	u64 f, size;

	text_image_init(&img);
	f = text_image_function(&img, "c3", 0);
	size = img.data_size;
	text_image_function(&img, "31c0 c3", 0);
	text_image_put(&img, TEXT_IMAGE_DATA + size, 0x7fffffff, 4); /* longer than what is left */
	build();
	refused_once(STATUS_TEXT_UNWIND);
	expect(f, TEXT_INSN, TEXT_INSN);
	expect(f + 1, TEXT_INSN, 0);

	img.data[0] = 2; /* another version of the header: nothing can be read */
	build();
	refused_once(STATUS_TEXT_UNWIND);
	expect(f, TEXT_INSN, 0);

	img.eh_frame_hdr = 0;
	build();
	refused_once(STATUS_OK);
	expect(f, TEXT_INSN, 0);
}

/* ---- what is reached ---- */

static void test_reached(void)
{
	u64 f;

	text_image_init(&img);
	/* jmp 1f; ret; 1: ud2; nop; ret */
	f = text_image_function(&img, "eb01 c3 0f0b 90 c3", 0);
	build();
	expect(f, TEXT_REACHED, TEXT_REACHED);
	expect(f + 2, TEXT_INSN | TEXT_REACHED, TEXT_INSN);
	expect(f + 3, TEXT_REACHED, TEXT_REACHED);
	expect(f + 5, TEXT_INSN | TEXT_REACHED, TEXT_INSN); /* behind ud2 */
	expect(f + 6, TEXT_INSN | TEXT_REACHED, TEXT_INSN);

	text_image_init(&img);
	/* call 1f; syscall; hlt; 1: jmp *%rax; ret */
	f = text_image_function(&img, "e803000000 0f05 f4 ffe0 c3", 0);
	build();
	expect(f + 5, TEXT_REACHED | TEXT_RETURN, TEXT_REACHED | TEXT_RETURN);
	expect(f + 7, TEXT_REACHED, TEXT_REACHED); /* behind the system call */
	expect(f + 8, TEXT_REACHED | TEXT_TARGET, TEXT_REACHED | TEXT_TARGET);
	expect(f + 10, TEXT_INSN | TEXT_REACHED, TEXT_INSN); /* behind an indirect jump */
}

static void test_landing_pad(void)
{
	/* no pads' start, no types, uleb call sites: [0, 5) -> pad at 6 */
	static const u8 lsda[] = { 0xff, 0xff, 0x01, 8, 0, 5, 6, 0, 5, 1, 0, 0 };
	u64 f, at;

	text_image_init(&img);
	f = text_image_code(&img, "e800000000 c3 90 c3");
	at = text_image_data(&img, lsda, sizeof(lsda));
	text_image_put(&img, TEXT_IMAGE_DATA + 4, 4 + sizeof(lsda),
	               4); /* .eh_frame starts behind */
	text_image_fde(&img, f, 8, at, 0);
	build();
	expect(f + 6, TEXT_INSN | TEXT_REACHED | TEXT_TARGET,
	       TEXT_INSN | TEXT_REACHED | TEXT_TARGET);
	img.data[at + 6 - TEXT_IMAGE_DATA] = 0; /* no pad */
	build();
	expect(f + 6, TEXT_INSN | TEXT_REACHED | TEXT_TARGET, TEXT_INSN);
	img.data[at + 6 - TEXT_IMAGE_DATA] = 1; /* a pad inside the call */
	build();
	refused_once(STATUS_TEXT_INTERIOR);
}

/*
 * cmp; ja; lea T(%rip),%rdx; movslq (%rdx,%rdi,4),%rax; add %rdx,%rax; jmp *%rax; cases xor;ret, inc;ret, dec;ret; ret
 */
static void test_relative_table(void)
{
	u64 f, table, cases[4];

	text_image_init(&img);
	f = text_image_code(&img, "83ff02 7719 488d1500000000 486304ba 4801d0 ffe0"
	                          " 31c0 c3 ffc0 c3 ffc8 c3 c3");
	table = text_image_data(&img, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	text_image_put(&img, TEXT_IMAGE_DATA + 4, 4 + 16, 4);
	text_image_fde(&img, f, img.text_size, 0, 0);
	put_rel32(f + 8, table);
	for (u32 i = 0; i < 4; i++) {
		cases[i] = f + 21 + 3 * i;
		text_image_put(&img, table + 4 * i, cases[i] - table, 4);
	}
	text_image_put(&img, table + 12, 0x12345678, 4);
	build();
	refused_once(STATUS_OK);
	for (u32 i = 0; i < 3; i++)
		expect(cases[i], TEXT_INSN | TEXT_REACHED | TEXT_TARGET,
		       TEXT_INSN | TEXT_REACHED | TEXT_TARGET);
	/* An entry that is no boundary ends the table, and two do not make one. */
	text_image_put(&img, table + 8, cases[2] + 1 - table, 4);
	build();
	refused_once(STATUS_OK);
	for (u32 i = 0; i < 3; i++)
		expect(cases[i], TEXT_INSN | TEXT_REACHED | TEXT_TARGET, TEXT_INSN);
}

/* The data in front of .eh_frame, which stands behind the header. */
static u64 table_room(u64 size)
{
	static const u8 zeros[256];
	u64 table = text_image_data(&img, zeros, size);

	text_image_put(&img, TEXT_IMAGE_DATA + 4, 4 + size, 4);
	return table;
}

/* A table ends where another begins, even if what follows would lead to boundaries, too. */
static void test_neighbouring_tables(void)
{
	u64 f, tables;

	text_image_init(&img);
	/* two jumps by table; then ret; 16 nops; ret */
	f = text_image_code(&img, "488d1500000000 488d0d00000000 ffe0"
	                          " c3 90909090909090909090909090909090 c3");
	tables = table_room(24);
	text_image_fde(&img, f, img.text_size, 0, 0);
	put_rel32(f + 3, tables);
	put_rel32(f + 10, tables + 12);
	for (u32 i = 0; i < 3; i++) {
		text_image_put(&img, tables + 4 * i, f + 16 - tables, 4);
		text_image_put(&img, tables + 12 + 4 * i, f + 32 - (tables + 12), 4);
	}
	build();
	expect(f + 16, TEXT_TARGET | TEXT_REACHED, TEXT_TARGET | TEXT_REACHED);
	expect(f + 32, TEXT_TARGET | TEXT_REACHED, TEXT_TARGET | TEXT_REACHED);
	expect(f + 20, TEXT_TARGET | TEXT_INSN, TEXT_INSN); /* f + 32, read from the first table */
}

/* Distances from a label: lea 1f(%rip),%rsi; lea T(%rip),%rdx; jmp *%rax; 1: xor; ret; inc; ret */
static void test_label_table(void)
{
	u64 f, table;

	text_image_init(&img);
	f = text_image_code(&img, "488d3509000000 488d1500000000 ffe0 31c0 c3 ffc0 c3");
	table = table_room(64);
	text_image_fde(&img, f, img.text_size, 0, 0);
	put_rel32(f + 10, table);
	for (u32 i = 0; i < 16; i++)
		text_image_put(&img, table + 4 * i, i % 2 ? 3 : 0, 4);
	build();
	expect(f + 16, TEXT_REACHED | TEXT_TARGET, TEXT_REACHED | TEXT_TARGET);
	expect(f + 19, TEXT_REACHED | TEXT_TARGET, TEXT_REACHED | TEXT_TARGET);
	text_image_put(&img, table + 60, 1, 4); /* fifteen are no table */
	build();
	expect(f + 19, TEXT_INSN | TEXT_REACHED | TEXT_TARGET, TEXT_INSN);
}

/* A table may lead into another function if that one leads back into the middle of the first. */
static void test_cold_part(void)
{
	u64 f, cold, table;

	text_image_init(&img);
	f = text_image_code(&img, "488d1500000000 ffe0 31c0 c3");
	cold = text_image_code(&img, "c3 ffc0 e900000000");
	table = table_room(12);
	text_image_fde(&img, f, cold - f, 0, 0);
	text_image_fde(&img, cold, 8, 0, 0);
	put_rel32(f + 3, table);
	put_rel32(cold + 4, f + 11);
	text_image_put(&img, table, f + 9 - table, 4);
	text_image_put(&img, table + 4, cold + 1 - table, 4);
	text_image_put(&img, table + 8, f + 11 - table, 4);
	build();
	expect(cold + 1, TEXT_REACHED | TEXT_TARGET, TEXT_REACHED | TEXT_TARGET);
	expect(f + 9, TEXT_REACHED | TEXT_TARGET, TEXT_REACHED | TEXT_TARGET);
	put_rel32(cold + 4, f); /* a tail call is none */
	build();
	expect(cold + 1, TEXT_INSN | TEXT_REACHED, TEXT_INSN);
	expect(f + 9, TEXT_INSN | TEXT_REACHED, TEXT_INSN);
}

/* jmp *T(,%rax,8), as position-dependent code does it. */
static void test_absolute_table(void)
{
	static const u8 zeros[32];
	u64 f, table;

	text_image_init(&img);
	f = text_image_code(&img, "ff24c500000000 31c0 c3 ffc0 c3 ffc8 c3");
	table = text_image_data(&img, zeros, 32);
	text_image_put(&img, TEXT_IMAGE_DATA + 4, 4 + 32, 4);
	text_image_fde(&img, f, img.text_size, 0, 0);
	text_image_put(&img, f + 3, table, 4);
	for (u32 i = 0; i < 3; i++)
		text_image_put(&img, table + 8 * i, f + 7 + 3 * i, 8);
	build();
	for (u32 i = 0; i < 3; i++)
		expect(f + 7 + 3 * i, TEXT_REACHED | TEXT_TARGET, TEXT_REACHED | TEXT_TARGET);
	/* Addresses may lead into other functions: interpreters' tables name cold code there. */
	f = text_image_function(&img, "c3 c3", 0);
	text_image_put(&img, table + 16, f + 1, 8);
	build();
	expect(f + 1, TEXT_REACHED | TEXT_TARGET, TEXT_REACHED | TEXT_TARGET);
	f = TEXT_IMAGE_TEXT;
	img.pie = true; /* then the file's words say nothing */
	build();
	expect(f + 7, TEXT_INSN | TEXT_REACHED, TEXT_INSN);
}

static void test_code_pointer(void)
{
	u64 dyn[] = { 7, 0, 8, 24, 0, 0 }, rela[] = { 0x412000, 8, 0 }, f;

	text_image_init(&img);
	img.pie = true;
	f = text_image_function(&img, "ffe0 31c0 c3", 0);
	rela[2] = f + 2;
	text_image_put(&img, TEXT_IMAGE_DATA + img.data_size, 0, 4);
	img.data_size += 4; /* end of .eh_frame */
	dyn[1] = text_image_data(&img, rela, sizeof(rela));
	img.dynamic = text_image_data(&img, dyn, sizeof(dyn));
	img.dynamic_size = sizeof(dyn);
	build();
	expect(f + 2, TEXT_INSN | TEXT_REACHED | TEXT_TARGET,
	       TEXT_INSN | TEXT_REACHED | TEXT_TARGET);
	text_image_put(&img, dyn[1] + 8, 1, 8); /* not a relative one */
	build();
	expect(f + 2, TEXT_INSN | TEXT_REACHED | TEXT_TARGET, TEXT_INSN);
}

/* ---- free bytes ---- */

static void test_padding_between(void)
{
	u64 f, pad, g;

	text_image_init(&img);
	f = text_image_function(&img, "31c0 c3", 0);
	pad = text_image_code(&img, "0f1f8000000000 cccccccc 6690"); /* 7 + 4 + 2 */
	g = text_image_function(&img, "c3", 0);
	build();
	CU_ASSERT_EQUAL(text.n_slots, 2);
	CU_ASSERT(slot_at(pad) && slot_at(pad + 5));
	expect(pad, TEXT_FREE | TEXT_INSN, TEXT_FREE);
	expect(f, TEXT_FREE, 0);
	expect(g, TEXT_FREE, 0);

	img.text[pad + 11 - TEXT_IMAGE_TEXT] = 0x31; /* code that nobody has spoken for */
	img.text[pad + 12 - TEXT_IMAGE_TEXT] = 0xc0;
	build();
	CU_ASSERT_EQUAL(text.n_slots, 0);
}

static void padding_case(const char *before, const char *pad, const char *after, u32 n_slots)
{
	text_image_init(&img);
	text_image_function(&img, before, 0);
	text_image_code(&img, pad);
	text_image_function(&img, after, 0);
	build();
	if (text.n_slots != n_slots)
		printf("\n    %s | %s | %s: %u slots\n", before, pad, after, text.n_slots);
	CU_ASSERT_EQUAL(text.n_slots, n_slots);
}

static void test_padding_rules(void)
{
	padding_case("c3", "cccccccccc", "c3", 1);
	padding_case("c3", "cccccccc", "c3", 0); /* too few */
	padding_case("e800000000", "cccccccccc", "c3", 0); /* a call returns */
	padding_case("0f0b", "cccccccccc", "c3", 0); /* a handler may go on behind ud2 */
	padding_case("eb05", "cccccccccc", "c3", 1);
	padding_case("eb04", "cccccccccc", "c3", 0); /* somebody arrives in it */
	padding_case("c3", "cccccccccc", "ebf9", 0); /* somebody arrives at its first byte */
	padding_case("c3", "9090909090", "c3", 0); /* asked for by those who patch functions */
	padding_case("c3", "90909090 cc", "c3", 1);
	padding_case("c3", "f30f1efa 6690", "c3", 0); /* endbr64 is where somebody arrives */
	padding_case("c3", "f390f390f390", "c3", 0); /* pause is no padding */
	/* inside a function: jmp over five bytes; ret */
	padding_case("eb05 0f1f440000 c3", "", "c3", 1);
	padding_case("7405 0f1f440000 c3", "", "c3", 0);
	padding_case("06 c3", "cccccccccc", "c3", 0); /* not proven */
	padding_case("c3 31c0 c3", "cccccccccc", "c3", 0); /* a return that nobody reaches */
}

static void test_padding_long(void)
{
	u64 f, g;

	text_image_init(&img);
	f = text_image_function(&img, "c3", 0);
	text_image_align(&img, 64, 0xcc);
	g = text_image_function(&img, "c3", 0);
	build();
	CU_ASSERT_EQUAL(g - f, 64);
	CU_ASSERT_EQUAL(text.n_slots, 12);
	text_image_align(&img, 128, 0xcc);
	text_image_code(&img, "cc"); /* 64 bytes: no alignment makes that */
	text_image_function(&img, "c3", 0);
	build();
	CU_ASSERT_EQUAL(text.n_slots, 12);
}

static const struct unit_test tests[] = {
	{ "a plain function", test_plain_function },
	{ "functions that do not decode", test_decode_refusals },
	{ "a branch into an instruction", test_interior },
	{ "a branch over a lock prefix", test_without_lock },
	{ "such a branch from elsewhere", test_interior_from_elsewhere },
	{ "data in the text", test_data_in_text },
	{ "functions that overlap", test_overlap },
	{ "signal frames", test_signal_frame },
	{ "damaged unwind tables", test_damaged_table },
	{ "what is reached", test_reached },
	{ "landing pads", test_landing_pad },
	{ "tables of distances", test_relative_table },
	{ "neighbouring tables", test_neighbouring_tables },
	{ "differences of labels", test_label_table },
	{ "cold parts", test_cold_part },
	{ "tables of addresses", test_absolute_table },
	{ "code pointers", test_code_pointer },
	{ "padding between functions", test_padding_between },
	{ "what is no padding", test_padding_rules },
	{ "long padding", test_padding_long },
};

int main(void)
{
	return UNIT_RUN("text of unwind tables", tests);
}
