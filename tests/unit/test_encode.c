/* SPDX-License-Identifier: MIT */
/*
 * The identity encoder and the placing of its code (code.h): exact bytes, fix-ups and origins of small trees, each layout
 * of each branch, and every refusal. That larger code does what the original does is checked by the model
 * (tests/patch) and, natively, by the differential fuzzer (tests/fuzz).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cache.h"
#include "code.h"
#include "cost.h"
#include "limits.h"
#include "toy.h"
#include "unit.h"

#define MAX_BLOCKS 8
#define MAX_OPS 512
#define HEAD 0x1000
#define OUT 0x5000 /* exits in the tests lead here and behind */

static struct failure fail;
static u8 memory[2 << 20];
static struct arena arena;
static struct code code;

/* ---- trees from rows ---- */

struct block_row {
	u64 start;
	const char *hex; /* instructions */
	struct ir_edge next, taken;
	u32 weight;
};

#define TO(address, number) { .kind = EDGE_CHILD, .target = (address), .block = (number) }
#define BACK(address, number) { .kind = EDGE_BACK, .target = (address), .block = (number) }
#define EXIT(address) { .kind = EDGE_EXIT, .target = (address) }
#define NOWHERE { .kind = EDGE_NONE }

static struct ir_block blocks[MAX_BLOCKS];
static struct insn ops[MAX_OPS];
static struct ir_tree tree;

static void make_tree(const struct block_row *rows, u32 n)
{
	tree = (struct ir_tree){ .head = rows[0].start, .blocks = blocks, .ops = ops };
	memset(blocks, 0, sizeof(blocks));
	for (u32 b = 0; b < n; b++) {
		struct ir_block *block = &blocks[tree.n_blocks++];
		u8 bytes[MAX_OPS];
		u32 size = toy_hex(rows[b].hex, bytes, sizeof(bytes));

		*block = (struct ir_block){ .start = rows[b].start,
			                    .first = tree.n_ops,
			                    .next = rows[b].next,
			                    .taken = rows[b].taken,
			                    .weight = rows[b].weight };
		for (u32 at = 0; at < size; at += ops[tree.n_ops++].len)
			CU_ASSERT_FATAL(toy_decode(bytes + at, size - at, rows[b].start + at,
			                           &ops[tree.n_ops]));
		block->n = tree.n_ops - block->first;
	}
}

static enum status encode(void)
{
	arena_init(&arena, memory, sizeof(memory));
	memset(memory, 0xa5, sizeof(memory));
	for (u32 b = 0; b < tree.n_blocks; b++)
		if (tree.blocks[b].weight) {
			cost_weigh(&tree); /* the hotter child follows */
			break;
		}
	return encode_tree(&tree, &arena, &code, &fail);
}

/* ---- expectations in one line each ---- */

/* "at:origin" pairs, "d|e|b at+end>target[/to]" of fix-ups. */
struct expected {
	const char *name;
	struct block_row rows[4];
	const char *bytes, *origins, *fixups;
};

static void describe(char *bytes, char *origins, char *fixups)
{
	*bytes = *origins = *fixups = '\0';
	for (u32 i = 0; i < code.size; i++)
		bytes += sprintf(bytes, "%s%02x", i ? " " : "", code.bytes[i]);
	for (u32 i = 0; i < code.n_origins; i++)
		origins += sprintf(origins, "%s%u:%llx", i ? " " : "", code.origins[i].at,
		                   (unsigned long long)code.origins[i].origin);
	for (u32 i = 0; i < code.n_fixups; i++) {
		const struct code_fixup *f = &code.fixups[i];

		fixups += sprintf(fixups, "%s%c%u-%u>%llx", i ? " " : "", "deb"[f->kind], f -> at,
		                  f -> end, (unsigned long long)f -> target);
		if (f->kind == FIXUP_BACK)
			fixups += sprintf(fixups, "/%u", f->to);
	}
}

static void same(const char *name, const char *what, const char *got, const char *want)
{
	if (strcmp(got, want))
		printf("\n    %s: %s\n      got  %s\n      want %s\n", name, what, got, want);
	CU_ASSERT_STRING_EQUAL(got, want);
}

static void expect(const struct expected *x)
{
	char bytes[1024], origins[1024], fixups[1024];
	u32 n = 0;

	while (n < 4 && x->rows[n].start)
		n++;
	make_tree(x->rows, n);
	CU_ASSERT_EQUAL_FATAL(encode(), STATUS_OK);
	CU_ASSERT(code.head == x->rows[0].start && code.n_insns == tree.n_ops);
	describe(bytes, origins, fixups);
	same(x->name, "bytes", bytes, x->bytes);
	same(x->name, "origins", origins, x->origins);
	same(x->name, "fix-ups", fixups, x->fixups);
}

static const struct expected layouts[] = {
	{ "plain, exit",
	  { { HEAD, "89c8 90", EXIT(0x1003), NOWHERE, 0 } },
	  "89 c8 90 e9 00 00 00 00",
	  "0:1000 2:1002 3:1003",
	  "e4-8>1003" },
	{ "addresses, one with an immediate behind it",
	  { { HEAD, "488b0510000000 c70520000000ddccbbaa c3", NOWHERE, NOWHERE, 0 } },
	  "48 8b 05 10 00 00 00 c7 05 20 00 00 00 dd cc bb aa c3",
	  "0:1000 7:1007 17:1011",
	  "d3-7>1017 d9-17>1031" },
	{ "indirect jump", { { HEAD, "ffe0", NOWHERE, NOWHERE, 0 } }, "ff e0", "0:1000", "" },
	{ "indirect jump through an address",
	  { { HEAD, "ff2500010000", NOWHERE, NOWHERE, 0 } },
	  "ff 25 00 01 00 00",
	  "0:1000",
	  "d2-6>1106" },
	{ "jump to the child behind it is nothing",
	  { { HEAD, "90 eb10", TO(0x1013, 1), NOWHERE, 0 }, { 0x1013, "c3", NOWHERE, NOWHERE, 0 } },
	  "90 c3",
	  "0:1000 1:1013",
	  "" },
	{ "jump at the entry is nothing",
	  { { HEAD, "e910000000", TO(0x1015, 1), NOWHERE, 0 },
	    { 0x1015, "c3", NOWHERE, NOWHERE, 0 } },
	  "c3",
	  "0:1015",
	  "" },
	{ "jump out stands for the jump",
	  { { HEAD, "90 ebfe", EXIT(0x1001), NOWHERE, 0 } },
	  "90 e9 00 00 00 00",
	  "0:1000 1:1001",
	  "e2-6>1001" },
	{ "jump to itself",
	  { { HEAD, "ebfe", BACK(HEAD, 0), NOWHERE, 0 } },
	  "e9 00 00 00 00",
	  "0:1000",
	  "b1-5>1000/0" },
	{ "falling into the child",
	  { { HEAD, "90", TO(0x1001, 1), NOWHERE, 0 }, { 0x1001, "c3", NOWHERE, NOWHERE, 0 } },
	  "90 c3",
	  "0:1000 1:1001",
	  "" },
	{ "condition, next follows",
	  { { HEAD, "7410", TO(0x1002, 1), EXIT(0x1012), 0 },
	    { 0x1002, "c3", NOWHERE, NOWHERE, 0 } },
	  "0f 84 00 00 00 00 c3",
	  "0:1000 6:1002",
	  "e2-6>1012" },
	{ "condition, taken follows: inverted",
	  { { HEAD, "0f8e10000000", EXIT(0x1006), TO(0x1016, 1), 0 },
	    { 0x1016, "c3", NOWHERE, NOWHERE, 0 } },
	  "0f 8f 00 00 00 00 c3",
	  "0:1000 6:1016",
	  "e2-6>1006" },
	{ "condition, nothing follows",
	  { { HEAD, "7510", EXIT(0x1002), EXIT(0x1012), 0 } },
	  "0f 85 00 00 00 00 2e e9 00 00 00 00",
	  "0:1000 6:1002",
	  "e2-6>1012 e8-12>1002" },
	{ "loop by a condition",
	  { { HEAD, "90 75fd", EXIT(0x1003), BACK(HEAD, 0), 0 } },
	  "90 0f 85 00 00 00 00 e9 00 00 00 00",
	  "0:1000 1:1001 7:1003",
	  "b3-7>1000/0 e8-12>1003" },
	{ "loop by the inverse of a condition",
	  { { HEAD, "90 ebfb", TO(0xffe, 1), NOWHERE, 0 },
	    { 0xffe, "7510", BACK(HEAD, 0), TO(0x1010, 2), 0 },
	    { 0x1010, "c3", NOWHERE, NOWHERE, 0 } },
	  "90 0f 84 00 00 00 00 c3",
	  "0:1000 1:ffe 7:1010",
	  "b3-7>1000/0" },
	{ "two children without weights",
	  { { HEAD, "7210", TO(0x1002, 1), TO(0x1012, 2), 0 },
	    { 0x1002, "c3", NOWHERE, NOWHERE, 0 },
	    { 0x1012, "90 c3", NOWHERE, NOWHERE, 9 } },
	  "72 01 c3 90 c3",
	  "0:1000 2:1002 3:1012 4:1013",
	  "" },
	{ "two children, the taken one is hotter",
	  { { HEAD, "7210", TO(0x1002, 1), TO(0x1012, 2), 1000 },
	    { 0x1002, "c3", NOWHERE, NOWHERE, 499 },
	    { 0x1012, "90 c3", NOWHERE, NOWHERE, 500 } },
	  "73 02 90 c3 c3",
	  "0:1000 2:1012 3:1013 4:1002",
	  "" },
	{ "two children, equally hot",
	  { { HEAD, "7210", TO(0x1002, 1), TO(0x1012, 2), 1000 },
	    { 0x1002, "c3", NOWHERE, NOWHERE, 500 },
	    { 0x1012, "90 c3", NOWHERE, NOWHERE, 500 } },
	  "72 01 c3 90 c3",
	  "0:1000 2:1002 3:1012 4:1013",
	  "" },
	{ "a later child is reached by a jump, an earlier block by a back-edge",
	  { { HEAD, "7410", TO(0x1002, 1), TO(0x1012, 2), 0 },
	    { 0x1002, "9090", TO(0x1004, 3), NOWHERE, 0 },
	    { 0x1012, "ebec", BACK(HEAD, 0), NOWHERE, 0 },
	    { 0x1004, "ebfc", BACK(0x1002, 1), NOWHERE, 0 } },
	  "74 0a 90 90 2e 2e 2e e9 00 00 00 00 2e 2e 2e e9 00 00 00 00",
	  "0:1000 2:1002 3:1003 4:1004 12:1012",
	  "b8-12>1002/2 b16-20>1000/0" },
	{ "count, next follows",
	  { { HEAD, "e210", TO(0x1002, 1), EXIT(0x1012), 0 },
	    { 0x1002, "c3", NOWHERE, NOWHERE, 0 } },
	  "e2 02 eb 08 2e 2e 2e e9 00 00 00 00 c3",
	  "0:1000 2:1002 4:1012 12:1002",
	  "e8-12>1012" },
	{ "count, taken follows",
	  { { HEAD, "e310", EXIT(0x1002), TO(0x1012, 1), 0 },
	    { 0x1012, "c3", NOWHERE, NOWHERE, 0 } },
	  "e3 05 e9 00 00 00 00 c3",
	  "0:1000 2:1002 7:1012",
	  "e3-7>1002" },
	{ "count, nothing follows, with ecx",
	  { { HEAD, "67e0fd", EXIT(0x1003), BACK(HEAD, 0), 0 } },
	  "67 e0 05 e9 00 00 00 00 e9 00 00 00 00",
	  "0:1000 3:1003 8:1000",
	  "e4-8>1003 b9-13>1000/0" },
	{ "count, both are children",
	  { { HEAD, "e110", TO(0x1002, 1), TO(0x1012, 2), 0 },
	    { 0x1002, "c3", NOWHERE, NOWHERE, 0 },
	    { 0x1012, "90 c3", NOWHERE, NOWHERE, 0 } },
	  "e1 02 eb 02 eb 01 c3 90 c3",
	  "0:1000 2:1002 4:1012 6:1002 7:1012 8:1013",
	  "" },
	{ "a block without instructions",
	  { { HEAD, "90", TO(0x1001, 1), NOWHERE, 0 }, { 0x1001, "", EXIT(0x1001), NOWHERE, 0 } },
	  "90 e9 00 00 00 00",
	  "0:1000 1:1001",
	  "e2-6>1001" },
};

static void test_layouts(void)
{
	for (u32 i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		expect(&layouts[i]);
}

/* Wherever a jump out or back falls, its field lies in one aligned 8-byte word. */
static void test_alignment(void)
{
	for (u32 n = 0; n < 16; n++) {
		for (u32 kind = 0; kind < 2; kind++) {
			char hex[64] = "";
			struct block_row row = { HEAD, hex, EXIT(OUT), NOWHERE, 0 };

			for (u32 i = 0; i < n; i++)
				strcat(hex, "90");
			strcat(hex, "7400");
			row.taken = (struct ir_edge)BACK(HEAD, 0);
			if (kind)
				row.taken = (struct ir_edge)EXIT(OUT);
			make_tree(&row, 1);
			CU_ASSERT_EQUAL_FATAL(encode(), STATUS_OK);
			CU_ASSERT_EQUAL_FATAL(code.n_fixups, 2);
			for (u32 i = 0; i < 2; i++) {
				CU_ASSERT(code.fixups[i].at % 8 <= 4);
				CU_ASSERT_EQUAL(code.fixups[i].end, code.fixups[i].at + 4);
			}
			CU_ASSERT_EQUAL(code.n_origins, n + 2);
			CU_ASSERT(code.size <= n + 6 + 5 + 6);
		}
	}
}

/* ---- refusals ---- */

static void test_roles(void)
{
	static const struct {
		const char *hex;
		u64 at; /* of what is refused */
		u64 role;
	} rows[] = {
		{ "90 e800000000", HEAD + 1, ROLE_CALL },
		{ "ffd0", HEAD, ROLE_CALL_INDIRECT },
		{ "0f05", HEAD, ROLE_SYSCALL },
		{ "cc", HEAD, ROLE_TRAP },
		{ "7400 90", HEAD, ROLE_JCC }, /* not the last */
		{ "eb00 90", HEAD, ROLE_JMP },
		{ "e200 90", HEAD, ROLE_COUNT },
		{ "c3 90", HEAD, ROLE_RET },
		{ "ffe0 90", HEAD, ROLE_JMP_INDIRECT },
	};
	struct block_row row = { HEAD, "90", EXIT(OUT), NOWHERE, 0 };

	for (u32 i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		row.hex = rows[i].hex;
		make_tree(&row, 1);
		CU_ASSERT_EQUAL(encode(), STATUS_ENCODE_ROLE);
		CU_ASSERT_EQUAL(fail.addr, rows[i].at);
		CU_ASSERT_EQUAL(fail.detail, rows[i].role);
		CU_ASSERT_EQUAL(arena_mark(&arena), 0);
	}
	row.hex = "90";
	make_tree(&row, 1);
	ops[0].role = ROLE_SYSTEM;
	CU_ASSERT_EQUAL(encode(), STATUS_ENCODE_ROLE);
	ops[0].role = ROLE_PLAIN;
	ops[0].len = INSN_MAX_LEN + 1;
	CU_ASSERT_EQUAL(encode(), STATUS_ENCODE_ROLE);
}

/*
 * Prefixes that mean nothing are dropped, or kept where the branch counts; those that processors disagree on are
 * refused.
 */
static void test_prefixes(void)
{
	static const char *const branches[] = { "7410", "0f8410000000", "eb10", "e910000000",
		                                "e210" };
	static const char *const dropped[] = { "26", "2e",   "36",   "3e",   "64",
		                               "65", "f2",   "f3",   "40",   "48",
		                               "4f", "2ef2", "f248", "6648", "662e4f" };
	static const char *const refused[] = { "66", "f0", "2e66", "6748f0", "6640" };

	for (u32 b = 0; b < 5; b++) {
		struct block_row row = { HEAD, branches[b], EXIT(OUT), EXIT(OUT + 1), 0 };
		char hex[32], plain[1024], bytes[1024], other[1024];

		make_tree(&row, 1);
		CU_ASSERT_EQUAL_FATAL(encode(), STATUS_OK);
		describe(plain, other, other);
		row.hex = hex;
		for (u32 i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++) {
			snprintf(hex, sizeof(hex), "%s%s", dropped[i], branches[b]);
			make_tree(&row, 1);
			CU_ASSERT_EQUAL_FATAL(encode(), STATUS_OK);
			describe(bytes, other, other);
			if (ops[0].role == ROLE_COUNT) {
				CU_ASSERT(!memcmp(code.bytes, ops[0].bytes, ops[0].len - 1u));
			} else {
				same(hex, "bytes", bytes, plain);
			}
		}
		for (u32 i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
			snprintf(hex, sizeof(hex), "%s%s", refused[i], branches[b]);
			make_tree(&row, 1);
			CU_ASSERT_EQUAL(encode(), STATUS_ENCODE_PREFIX);
			CU_ASSERT_EQUAL(fail.addr, HEAD);
			CU_ASSERT_EQUAL(fail.detail, strstr(refused[i], "f0") ? 0xf0 : 0x66);
		}
	}
}

/* `n` times the same instruction in one block, which then leaves. */
static struct ir_tree repeated(const char *hex, u32 n)
{
	static struct insn many[LIMIT_CODE_BYTES];
	static struct ir_block block;
	u8 bytes[16];
	u32 size = toy_hex(hex, bytes, sizeof(bytes));

	for (u32 i = 0; i < n; i++)
		CU_ASSERT_FATAL(toy_decode(bytes, size, HEAD + i * size, &many[i]));
	block = (struct ir_block){ .start = HEAD, .n = n, .next = EXIT(OUT) };
	return (struct ir_tree){
		.head = HEAD, .blocks = &block, .ops = many, .n_blocks = 1, .n_ops = n
	};
}

static void test_limits(void)
{
	u32 n = LIMIT_CODE_BYTES - 5; /* of one byte, and the jump out */

	tree = repeated("90", n);
	arena.size = 0;
	CU_ASSERT_EQUAL(encode(), STATUS_OK);
	CU_ASSERT_EQUAL(code.size, LIMIT_CODE_BYTES);
	tree = repeated("90", n + 1);
	CU_ASSERT_EQUAL(encode(), STATUS_ENCODE_BYTES);
	CU_ASSERT(fail.detail > LIMIT_CODE_BYTES && arena_mark(&arena) == 0);
	tree = repeated("488b0500000000", LIMIT_CODE_FIXUPS - 1);
	CU_ASSERT_EQUAL(encode(), STATUS_OK);
	CU_ASSERT_EQUAL(code.n_fixups, LIMIT_CODE_FIXUPS);
	tree = repeated("488b0500000000", LIMIT_CODE_FIXUPS);
	CU_ASSERT_EQUAL(encode(), STATUS_ENCODE_FIXUPS);
	CU_ASSERT(fail.detail == LIMIT_CODE_FIXUPS + 1 && arena_mark(&arena) == 0);
}

/* With every size of workspace it works or fails cleanly. */
static void test_workspace(void)
{
	u32 refused = 0;

	make_tree(layouts[17].rows, 4);
	for (u64 size = 0; size < 2048; size++) {
		u8 *block = malloc(size ? size : 1);
		struct code untouched = { .head = 77 };
		enum status status;

		arena_init(&arena, block, size);
		status = encode_tree(&tree, &arena, &untouched, &fail);
		if (status) {
			refused++;
			CU_ASSERT_EQUAL(status, STATUS_WORKSPACE);
			CU_ASSERT(arena_mark(&arena) == 0 && untouched.head == 77);
		} else {
			CU_ASSERT_EQUAL(untouched.size, 20);
		}
		free(block);
	}
	CU_ASSERT(refused > 100 && refused < 2000);
}

/* NOPs from `at` up to `end`, each of the origin; 0 if anything else stands there. */
static u32 count_nops(u32 at, u32 end, u64 origin, void *decoder)
{
	u32 n = 0;

	for (u32 i = 0; at < end; n++) {
		struct insn nop;

		while (i < code.n_origins && code.origins[i].at < at)
			i++;
		if (decode_insn(code.bytes + at, end - at, HEAD, decoder, &nop, &fail) ||
		    !(nop.flags & INSN_NOP) || nop.flags & INSN_LOAD || i == code.n_origins ||
		    code.origins[i].at != at || code.origins[i].origin != origin)
			return 0;
		at += nop.len;
	}
	return n;
}

static const char *nops(u32 n)
{
	static char hex[2 * MAX_OPS + 1];

	hex[0] = 0;
	for (u32 i = 0; i < n; i++)
		strcat(hex, "90");
	return hex;
}

/* A loop that n NOPs stand in front of: its head, its end with a way back, and NOPs from there, if they are not 0, that lead back too. The first way back. */
static const struct code_fixup *encode_loop(u32 n, u32 body, u32 other)
{
	char before[2 * MAX_OPS + 1], loop[2 * MAX_OPS + 1], more[2 * MAX_OPS + 1];
	u64 end = HEAD + n + 2 + body + 2;
	struct block_row rows[] = {
		{ HEAD, before, TO(HEAD + n, 1), NOWHERE, 1000 },
		{ HEAD + n, loop, EXIT(OUT), BACK(HEAD + n, 1), 100000 },
		{ end, more, BACK(HEAD + n, 1), NOWHERE, 10000 },
	};

	strcpy(before, nops(n));
	sprintf(loop, "89c8%s75fc", nops(body));
	strcpy(more, nops(other));
	if (other)
		rows[1].next = (struct ir_edge)TO(end, 2);
	make_tree(rows, other ? 3 : 2);
	blocks[1].parent = 0;
	blocks[2].parent = 1;
	blocks[1].aligned = true;
	CU_ASSERT_EQUAL_FATAL(encode(), STATUS_OK);
	CU_ASSERT_FATAL(code.n_fixups == 2 && code.fixups[0].kind == FIXUP_BACK);
	return &code.fixups[0];
}

/* Cache lines that who goes round needs. */
static u32 lines_of(const struct code_fixup *back)
{
	return (back->end - 1) / CACHE_ALIGN - back->to / CACHE_ALIGN + 1;
}

/*
 * A loop of 8 to 11 bytes, wherever it falls: it never needs a second line, what is in front of it are as few NOPs as can be, of its
 * head's origin, and the way back leads behind them.
 */
static void test_align(void)
{
	void *decoder = malloc(decode_scratch_size());
	u32 padded = 0;

	for (u32 n = 1; n <= 2 * CACHE_ALIGN; n++) {
		const struct code_fixup *back = encode_loop(n, 0, 0);
		u32 pad = back->to - n;

		CU_ASSERT(code.bytes[back->to] == 0x89 && code.bytes[back->to + 1] == 0xc8);
		CU_ASSERT_EQUAL(lines_of(back), 1);
		CU_ASSERT_FATAL(back->to >= n);
		CU_ASSERT_EQUAL(code.n_origins, n + (pad + 14) / 15 + 3);
		CU_ASSERT_EQUAL(count_nops(n, back->to, HEAD + n, decoder), (pad + 14) / 15);
		if (!pad)
			continue;
		padded++;
		CU_ASSERT(back->to % CACHE_ALIGN == 0 && pad <= 10);
	}
	CU_ASSERT(padded >= 2 * 7 && padded <= 2 * 10);
	free(decoder);
}

/* Of two ways back the one that is taken more often tells how long the loop is. */
static void test_align_hottest(void)
{
	for (u32 n = 1; n <= CACHE_ALIGN; n++)
		CU_ASSERT_EQUAL(lines_of(encode_loop(n, 0, LIMIT_ALIGN_LOOP)), 1);
}

/* A longer one, that needs two lines from anywhere or three from somewhere; and one that is too long to be moved. */
static void test_align_longer(void)
{
	for (u32 n = 1; n <= CACHE_ALIGN; n++) {
		CU_ASSERT_EQUAL(lines_of(encode_loop(n, 100, 0)), 2);
		CU_ASSERT_EQUAL(encode_loop(n, LIMIT_ALIGN_LOOP, 0)->to, n);
	}
}

/* Jumps to children: of two bytes as far as those reach, which is decided for all of them together. */
static void test_links(void)
{
	for (u32 n = 1; n < 140; n++) {
		char between[2 * MAX_OPS + 3];
		struct block_row rows[] = {
			{ HEAD, "7402", TO(HEAD + 2, 1), TO(OUT, 2), 0 },
			{ HEAD + 2, between, NOWHERE, NOWHERE, 0 },
			{ OUT, "90c3", NOWHERE, NOWHERE, 0 },
		};
		u32 to;

		sprintf(between, "%sc3", nops(n));
		make_tree(rows, 3);
		blocks[1].parent = blocks[2].parent = 0;
		CU_ASSERT_EQUAL_FATAL(encode(), STATUS_OK);
		to = code.size - 2;
		CU_ASSERT(code.bytes[to] == 0x90 && code.bytes[to + 1] == 0xc3);
		if (n + 1 <= 127) {
			CU_ASSERT(code.bytes[0] == 0x74 && code.bytes[1] == to - 2);
		} else {
			s32 distance;

			memcpy(&distance, code.bytes + 2, sizeof(distance));
			CU_ASSERT(code.bytes[0] == 0x0f && code.bytes[1] == 0x84);
			CU_ASSERT_EQUAL(distance, (s32)(to - 6));
		}
	}
}

/* ---- place ---- */

static s32 field(u32 at)
{
	s32 value;

	memcpy(&value, code.bytes + at, sizeof(value));
	return value;
}

static void test_place(void)
{
	static const struct block_row rows[] = { { HEAD, "488b0510000000 7510", BACK(HEAD, 0),
		                                   EXIT(OUT), 0 } };
	u8 before[64];

	make_tree(rows, 1);
	CU_ASSERT_EQUAL_FATAL(encode(), STATUS_OK);
	CU_ASSERT_EQUAL_FATAL(code.n_fixups, 3);
	for (u64 at = 0x800; at <= 0x80000800; at += 0x80000000 - 0x10) {
		u32 last = code.fixups[2].at;
		u64 place = at & ~(u64)15;

		CU_ASSERT_EQUAL(code_place(&code, place, &fail), STATUS_OK);
		CU_ASSERT_EQUAL(place + 7 + (u64)(s64)field(3), 0x1017);
		CU_ASSERT_EQUAL(place + code.fixups[1].end + (u64)(s64)field(code.fixups[1].at),
		                OUT);
		CU_ASSERT_EQUAL((s32)(last + 4) + field(last), 0);
	}
	/* One byte too far: the first field to fail names the target, and no byte has changed. */
	memcpy(before, code.bytes, code.size);
	CU_ASSERT_EQUAL(code_place(&code, 0x80001020, &fail), STATUS_PLACE_REACH);
	CU_ASSERT(fail.addr == 0x80001023 && fail.detail == 0x1017);
	CU_ASSERT_EQUAL(memcmp(before, code.bytes, code.size), 0);
	CU_ASSERT_EQUAL(code_place(&code, (u64)0 - 0x7fffd000, &fail), STATUS_PLACE_REACH);
	CU_ASSERT_EQUAL(fail.detail, OUT); /* the data is still in reach */
	CU_ASSERT_EQUAL(memcmp(before, code.bytes, code.size), 0);
}

static void test_fixup_value(void)
{
	struct code_fixup f = { .kind = FIXUP_EXIT, .at = 3, .end = 7, .target = 1 };
	u64 from = 0x100000000 + 7;
	s32 value = 5;

	CU_ASSERT_EQUAL(code_fixup_value(&f, from - 7, from + 0x7fffffff, &value, &fail),
	                STATUS_OK);
	CU_ASSERT_EQUAL(value, 0x7fffffff);
	CU_ASSERT_EQUAL(code_fixup_value(&f, from - 7, from - 0x80000000, &value, &fail),
	                STATUS_OK);
	CU_ASSERT_EQUAL(value, (s32)-0x80000000ll);
	CU_ASSERT_EQUAL(code_fixup_value(&f, from - 7, from + 0x80000000, &value, &fail),
	                STATUS_PLACE_REACH);
	CU_ASSERT(fail.addr == from - 4 && fail.detail == from + 0x80000000);
	CU_ASSERT_EQUAL(code_fixup_value(&f, from - 7, from - 0x80000001, &value, &fail),
	                STATUS_PLACE_REACH);
	CU_ASSERT_EQUAL(value, (s32)-0x80000000ll); /* untouched */
}

/* A table's field is as far as its shadow from it, wherever the code stands; without a shadow nothing is filled in. */
static void test_shadow(void)
{
	u8 bytes[7] = { 0xff, 0xa4, 0xc1, 1, 2, 3, 4 };
	struct code_fixup f = {
		.kind = FIXUP_TABLE, .at = 3, .end = 7, .target = 0x4000, .to = (u32)-16
	};
	struct code table = { .bytes = bytes, .fixups = &f, .size = 7, .n_fixups = 1 };
	s32 value;

	CU_ASSERT_EQUAL(code_place(&table, 0x10000, &fail), STATUS_PLACE_TABLE);
	CU_ASSERT(fail.addr == 0x10003 && fail.detail == 0x4000 && bytes[3] == 1);
	f.shadow = 0x12340;
	for (u64 place = 0x10000; place < 0x40000; place += 0x20000) {
		CU_ASSERT_EQUAL(code_place(&table, place, &fail), STATUS_OK);
		memcpy(&value, bytes + 3, sizeof(value));
		CU_ASSERT_EQUAL(value, 0x12340 - 0x4000 - 16);
	}
	f.shadow = 0x4000 + 0x80000010;
	CU_ASSERT_EQUAL(code_place(&table, 0x10000, &fail), STATUS_PLACE_REACH);
}

static void test_origins(void)
{
	static const struct code_origin origins[] = { { .origin = 0x1000, .at = 0 },
		                                      { .origin = 0x1005, .at = 3 },
		                                      { .origin = 0x1001, .at = 9 } };
	static const u64 want[] = { 0x1000, 0x1000, 0x1000, 0x1005, 0x1005, 0x1005,
		                    0x1005, 0x1005, 0x1005, 0x1001, 0x1001 };

	for (u32 n = 1; n <= 3; n++) {
		for (u32 at = 0; at < sizeof(want) / sizeof(want[0]); at++)
			CU_ASSERT_EQUAL(code_origin_at(origins, n, at),
			                at < origins[n - 1].at ? want[at] : origins[n - 1].origin);
	}
	CU_ASSERT_EQUAL(code_origin_at(origins, 0, 0), 0);
	CU_ASSERT_EQUAL(code_origin_at(origins, 3, ~0u), 0x1001);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "layouts", test_layouts },
		{ "alignment", test_alignment },
		{ "roles", test_roles },
		{ "prefixes", test_prefixes },
		{ "loops in few lines", test_align },
		{ "the hottest way back in few lines", test_align_hottest },
		{ "longer loops in few lines", test_align_longer },
		{ "jumps to children", test_links },
		{ "limits", test_limits },
		{ "workspace", test_workspace },
		{ "place", test_place },
		{ "values of fix-ups", test_fixup_value },
		{ "a jump table's shadow", test_shadow },
		{ "origins", test_origins },
	};

	return UNIT_RUN("encode", tests);
}
