/* SPDX-License-Identifier: MIT */
/*
 * Modules that are refused as a whole, where text_build() leaves everything as it was; and what a finished
 * text answers: bytes, instructions, sites.
 */
#include <stdlib.h>
#include <string.h>
#include "dynopt_notes.h"
#include "text_image.h"
#include "unit.h"

static struct text_image img;
static struct text text;
static u8 *decoder;

/* ---- refused as a whole ---- */

static void refused(enum status want)
{
	struct text before;
	enum status status;

	memset(&text, 0x5a, sizeof(text));
	before = text;
	status = text_image_build(&img, &text);
	if (status != want)
		printf("\n    %s, not %s\n", status_name(status), status_name(want));
	CU_ASSERT_EQUAL(status, want);
	CU_ASSERT_EQUAL(img.fail.status, want);
	CU_ASSERT_EQUAL(memcmp(&text, &before, sizeof(text)), 0);
	CU_ASSERT_EQUAL(img.keep.used, 0);
	CU_ASSERT_EQUAL(img.scratch.used, 0);
}

static void accepted(void)
{
	CU_ASSERT_EQUAL_FATAL(text_image_build(&img, &text), STATUS_OK);
}

static void test_segments(void)
{
	text_image_init(&img);
	text_image_function(&img, "c3", 0);
	accepted();
	CU_ASSERT_EQUAL(text.start, TEXT_IMAGE_TEXT);
	CU_ASSERT_EQUAL(text.end, TEXT_IMAGE_TEXT + 1);
	img.text_flags = ELF_VIEW_R;
	refused(STATUS_TEXT_NONE);
	img.text_flags = ELF_VIEW_X; /* nobody can read it */
	refused(STATUS_TEXT_NONE);
	img.text_flags = ELF_VIEW_R | ELF_VIEW_W | ELF_VIEW_X;
	refused(STATUS_TEXT_WRITABLE);
	CU_ASSERT_EQUAL(img.fail.addr, TEXT_IMAGE_TEXT);
}

static void dynamic(u64 tag, u64 value)
{
	u64 dyn[] = { 1, 1, tag, value, 0, 0, 22, 0 };

	text_image_init(&img);
	text_image_function(&img, "c3", 0);
	img.dynamic = text_image_data(&img, dyn, sizeof(dyn));
	img.dynamic_size = sizeof(dyn);
}

static void test_relocated(void)
{
	dynamic(22, 0); /* DT_TEXTREL */
	refused(STATUS_TEXT_RELOCATED);
	CU_ASSERT_EQUAL(img.fail.addr, img.dynamic + 16);
	dynamic(30, 4); /* DT_FLAGS, DF_TEXTREL */
	refused(STATUS_TEXT_RELOCATED);
	dynamic(30, 8); /* DF_BIND_NOW; what follows DT_NULL does not count */
	accepted();
	img.dynamic = 0x900000; /* where no segment is: nobody knows */
	refused(STATUS_TEXT_RELOCATED);
}

static void test_rseq(void)
{
	u64 at;

	/* At all distances from the end, and from an earlier look-alike. */
	for (u32 n = 0; n < 9; n++) {
		text_image_init(&img);
		text_image_function(&img, "c3", 0);
		for (u32 i = 0; i < n; i++)
			text_image_code(&img, "53");
		at = text_image_code(&img, "0fb93d53300553");
		for (u32 i = 0; i < n; i++)
			text_image_code(&img, "0f");
		refused(STATUS_TEXT_RSEQ);
		CU_ASSERT_EQUAL(img.fail.addr, at);
		text_image_put(&img, at + n % 7, 0, 1);
		accepted();
	}
}

/* Two executable segments that lie too far apart; and tables that name the same bytes again and again. */
static void test_large(void)
{
	static u8 far_bytes[16];
	struct elf_span *far;
	u64 f;

	text_image_init(&img);
	f = text_image_function(&img, "c3", 0);
	accepted();
	far = &img.view.loads[img.view.n_loads++];
	*far = (struct elf_span){ .addr = f + 0x10000000,
		                  .size = sizeof(far_bytes),
		                  .bytes = far_bytes,
		                  .flags = ELF_VIEW_R | ELF_VIEW_X };
	CU_ASSERT_EQUAL(text_build(&text, &img.view, &img.keep, &img.scratch, &img.fail),
	                STATUS_TEXT_LARGE);

	text_image_init(&img);
	f = text_image_code(&img, "c3");
	text_image_align(&img, 4096, 0x90);
	for (u32 i = 0; i < 100; i++)
		text_image_fde(&img, f, 4096, 0, 0);
	refused(STATUS_TEXT_LARGE);
}

static void test_workspace(void)
{
	u64 keep, scratch, sizes[2];

	text_image_init(&img);
	text_image_function(&img, "c3", 0);
	text_image_code(&img, "cccccccccc");
	text_image_function(&img, "eb00 c3", 0);
	accepted();
	sizes[0] = img.keep.peak;
	sizes[1] = img.scratch.peak;
	text_build_size(&img.view, &keep, &scratch);
	CU_ASSERT(sizes[0] <= keep && sizes[1] <= scratch);
	for (u32 which = 0; which < 2; which++) {
		for (u64 size = 0; size < sizes[which]; size += 16) {
			void *kept = malloc(sizes[0]), *scratched = malloc(sizes[1]);

			arena_init(&img.keep, kept, which ? sizes[0] : size);
			arena_init(&img.scratch, scratched, which ? size : sizes[1]);
			CU_ASSERT_EQUAL(text_build(&text, &img.view, &img.keep, &img.scratch,
			                           &img.fail),
			                STATUS_WORKSPACE);
			CU_ASSERT(img.keep.used == 0 && img.scratch.used == 0);
			free(kept);
			free(scratched);
		}
	}
}

/* ---- answers ---- */

static void test_bytes(void)
{
	u64 f, size = 7;

	text_image_init(&img);
	f = text_image_function(&img, "31c0 c3", 0);
	accepted();
	CU_ASSERT_PTR_NOT_NULL_FATAL(text_bytes(&text, f + 1, &size));
	CU_ASSERT_EQUAL(*text_bytes(&text, f + 1, &size), 0xc0);
	CU_ASSERT_EQUAL(size, 2);
	CU_ASSERT_PTR_NULL(text_bytes(&text, f + 3, &size));
	CU_ASSERT_PTR_NULL(text_bytes(&text, f - 1, &size));
	CU_ASSERT_PTR_NULL(text_bytes(&text, TEXT_IMAGE_DATA, &size)); /* not executable */
	CU_ASSERT_EQUAL(text_marks(&text, f - 1), 0);
	CU_ASSERT_EQUAL(text_marks(&text, f + 3), 0);
}

static void test_insn(void)
{
	struct failure fail;
	struct insn insn;
	u64 f;

	text_image_init(&img);
	f = text_image_function(&img, "31c0 c3", 0);
	accepted();
	CU_ASSERT_EQUAL(text_insn(&text, f, decoder, &insn, &fail), STATUS_OK);
	CU_ASSERT(insn.addr == f && insn.len == 2);
	CU_ASSERT_EQUAL(text_insn(&text, f + 1, decoder, &insn, &fail), STATUS_TEXT_UNPROVEN);
	CU_ASSERT_EQUAL(fail.addr, f + 1);
	CU_ASSERT_EQUAL(text_insn(&text, f + 3, decoder, &insn, &fail), STATUS_TEXT_UNPROVEN);
	text.marks[f - text.start] |= TEXT_NO_TRANSLATE;
	CU_ASSERT_EQUAL(text_insn(&text, f, decoder, &insn, &fail), STATUS_TEXT_FORBIDDEN);
}

/* The site for offset `head` of a function: at offset `at`, of `len` bytes; or the status. */
struct site_case {
	const char *code;
	u64 head;
	enum status status;
	u64 at;
	u32 len;
};

static const struct site_case site_cases[] = {
	/* the first instruction of a function is passed over */
	{ "4889e5 31c0 c3", 0, STATUS_OK, 3, 2 },
	{ "4889e5 31c0 c3", 3, STATUS_OK, 3, 2 },
	{ "4889e5 c3", 0, STATUS_SITE_SHORT, 0, 0 }, /* nothing but a ret is left */
	{ "eb00 c3", 0, STATUS_SITE_FUNCTION, 0, 0 }, /* its block ends with it */
	{ "55 31c0 7500 c3", 0, STATUS_OK, 1, 2 },
	/* one-byte instructions */
	{ "31c0 55 53 4989d8 c3", 2, STATUS_OK, 4, 3 },
	{ "31c0 c3", 2, STATUS_SITE_SHORT, 0, 0 },
	{ "7401 55 31c0 c3", 2, STATUS_SITE_SHORT, 0, 0 }, /* 31c0 is another block's start */
	/* endbr64 is passed over, wherever it stands */
	{ "f30f1efa 4889e5 c3", 0, STATUS_OK, 4, 3 },
	{ "31c0 f30f1efa 4889e5 c3", 2, STATUS_OK, 6, 3 },
	{ "7404 f30f1efa 31c0 c3", 2, STATUS_SITE_ENDBR, 0, 0 },
	/* calls, system calls, traps */
	{ "31c0 e800000000 c3", 2, STATUS_SITE_CALL, 0, 0 },
	{ "31c0 ffd0 c3", 2, STATUS_SITE_CALL, 0, 0 },
	{ "31c0 55 ff1500000000 c3", 2, STATUS_SITE_CALL, 0, 0 },
	{ "31c0 0f05 c3", 2, STATUS_SITE_SYSTEM, 0, 0 },
	{ "31c0 cd80 c3", 2, STATUS_SITE_SYSTEM, 0, 0 },
	{ "31c0 0f0b", 2, STATUS_SITE_SYSTEM, 0, 0 },
	{ "31c0 f4", 2, STATUS_SITE_SYSTEM, 0, 0 },
	{ "31c0 0f01d0 c3", 2, STATUS_OK, 2, 3 }, /* xgetbv: copied exactly, so it may be a site */
	/* branches may be sites */
	{ "31c0 eb00 c3", 2, STATUS_OK, 2, 2 },
	{ "31c0 e900000000 c3", 2, STATUS_OK, 2, 5 },
	{ "31c0 7400 c3", 2, STATUS_OK, 2, 2 },
	{ "31c0 ffe0", 2, STATUS_OK, 2, 2 },
	{ "31c0 f3c3", 2, STATUS_OK, 2, 2 },
	/* the return point of a call, padding that is executed */
	{ "e800000000 31c0 c3", 5, STATUS_OK, 5, 2 },
	{ "31c0 0f1f00 c3", 2, STATUS_OK, 2, 3 },
	/* only boundaries that are reached */
	{ "31c0 c3", 1, STATUS_TEXT_UNPROVEN, 0, 0 },
	{ "c3 31c0 c3", 1, STATUS_TEXT_UNPROVEN, 0, 0 },
};

static void site_check(const struct site_case *c, u64 f)
{
	u64 site = 0;
	u32 len = 0;
	enum status status = text_site(&text, f + c->head, decoder, &site, &len, &img.fail);

	if (status != c->status || (status == STATUS_OK && (site != f + c->at || len != c->len)))
		printf("\n    %s at %llu: %s, site at %lld, %u bytes\n", c->code,
		       (unsigned long long)c->head, status_name(status), (long long)(site - f),
		       len);
	CU_ASSERT_EQUAL(status, c->status);
	if (status) {
		CU_ASSERT(site == 0 && len == 0);
		CU_ASSERT_EQUAL(img.fail.status, status);
	} else {
		CU_ASSERT(site == f + c->at && len == c->len);
	}
}

static void test_sites(void)
{
	for (u32 i = 0; i < sizeof(site_cases) / sizeof(site_cases[0]); i++) {
		u64 f;

		text_image_init(&img);
		f = text_image_function(&img, site_cases[i].code, 0);
		accepted();
		site_check(&site_cases[i], f);
	}
}

static void test_site_marks(void)
{
	static const struct site_case ok = { "31c0 4889e5 c3", 2, STATUS_OK, 2, 3 },
				      forbidden = { "31c0 4889e5 c3", 2, STATUS_TEXT_FORBIDDEN, 0,
		                                    0 },
				      interior = { "31c0 4889e5 c3", 2, STATUS_SITE_INTERIOR, 0,
		                                   0 };
	static const struct {
		u64 at;
		u16 mark;
		const struct site_case *result;
	} cases[] = {
		{ 2, TEXT_NO_PATCH, &forbidden },
		{ 3, TEXT_NO_PATCH, &forbidden },
		{ 4, TEXT_NO_PATCH, &forbidden },
		{ 5, TEXT_NO_PATCH, &ok },
		{ 2, TEXT_NO_TRANSLATE, &forbidden },
		{ 2, TEXT_NO_INLINE | TEXT_NO_DEFER, &ok },
		{ 3, TEXT_INTERIOR, &interior },
		{ 4, TEXT_INTERIOR, &interior },
		{ 2, TEXT_TARGET, &ok },
		{ 5, TEXT_TARGET, &ok },
	};
	u64 f;

	text_image_init(&img);
	f = text_image_function(&img, ok.code, 0);
	for (u32 i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		accepted();
		text.marks[f + cases[i].at - text.start] |= cases[i].mark;
		site_check(cases[i].result, f);
	}
}

/* Direct calls that may lead elsewhere: five bytes, reached, nothing forbids it, nobody branches into them. */
static void test_calls(void)
{
	static const struct {
		const char *code;
		u64 at;
		u16 mark;
		u64 marked;
		enum status status;
	} cases[] = {
		{ "e801000000 c3 c3", 0, 0, 0, STATUS_OK },
		{ "e801000000 c3 c3", 0, TEXT_NO_INLINE | TEXT_NO_DEFER, 0, STATUS_OK },
		{ "e801000000 c3 c3", 0, TEXT_NO_PATCH, 0, STATUS_TEXT_FORBIDDEN },
		{ "e801000000 c3 c3", 0, TEXT_NO_PATCH, 4, STATUS_TEXT_FORBIDDEN },
		{ "e801000000 c3 c3", 0, TEXT_NO_TRANSLATE, 0, STATUS_TEXT_FORBIDDEN },
		{ "e801000000 c3 c3", 0, TEXT_INTERIOR, 2, STATUS_SITE_INTERIOR },
		{ "e801000000 c3 c3", 1, 0, 0, STATUS_TEXT_UNPROVEN },
		{ "e801000000 c3 c3", 5, 0, 0, STATUS_SITE_CALL },
		{ "48e801000000 c3 c3", 0, 0, 0, STATUS_SITE_CALL }, /* a prefix */
		{ "e901000000 c3 c3", 0, 0, 0, STATUS_SITE_CALL },
		{ "ffd0 c3 e800000000 c3", 0, 0, 0, STATUS_SITE_CALL },
		{ "c3 e800000000 c3", 1, 0, 0, STATUS_TEXT_UNPROVEN }, /* not reached */
	};

	for (u32 i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		u64 target = 0, f;

		text_image_init(&img);
		f = text_image_function(&img, cases[i].code, 0);
		accepted();
		text.marks[f + cases[i].marked - text.start] |= cases[i].mark;
		CU_ASSERT_EQUAL(text_call(&text, f + cases[i].at, decoder, &target, &img.fail),
		                cases[i].status);
		CU_ASSERT_EQUAL(target, cases[i].status ? 0 : f + 6);
	}
}

/* A NOP of eight bytes that holds a slot is passed over: both would be written. */
static void test_site_slot(void)
{
	static const struct site_case cases[] = {
		{ "31c0 0f1f84cccccccccc 4889e5 c3", 2, STATUS_OK, 10, 3 },
		{ "31c0 0f1f84cccccccccc 4889e5 75fb c3", 2, STATUS_SITE_TAKEN, 0, 0 },
	};

	for (u32 i = 0; i < 2; i++) {
		u64 f;

		text_image_init(&img);
		f = text_image_function(&img, cases[i].code, 0);
		accepted();
		for (u32 j = 5; j < 10; j++)
			text.marks[f + j - text.start] |= TEXT_FREE;
		site_check(&cases[i], f);
	}
}

static const struct unit_test tests[] = {
	{ "segments", test_segments },           { "text relocations", test_relocated },
	{ "restartable sequences", test_rseq },  { "too large", test_large },
	{ "too little memory", test_workspace }, { "bytes", test_bytes },
	{ "instructions", test_insn },           { "sites", test_sites },
	{ "sites and marks", test_site_marks },  { "calls", test_calls },
	{ "sites and slots", test_site_slot },
};

int main(void)
{
	decoder = malloc(decode_scratch_size());
	return UNIT_RUN("modules and sites", tests);
}
