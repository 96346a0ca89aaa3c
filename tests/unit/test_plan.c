/* SPDX-License-Identifier: MIT */
/*
 * Plans (plan.h): bytes of each kind of hop, order, overlap, the two ways back, and what is refused.
 * That the order is a safe one is the model's business (tests/patch).
 */
#include <stdlib.h>
#include <string.h>
#include "dynopt_notes.h"
#include "limits.h"
#include "plan.h"
#include "unit.h"

#define MAX_EDITS 64

static struct failure fail;
static u8 memory[MAX_EDITS * 4 * sizeof(struct edit)];
static struct arena arena;

static struct plan new_plan(u32 max)
{
	struct plan plan = { 0 };

	CU_ASSERT_EQUAL_FATAL(plan_init(&plan, max, &arena), STATUS_OK);
	CU_ASSERT_EQUAL(plan.n, 0);
	return plan;
}

static void fresh(void)
{
	arena_init(&arena, memory, sizeof(memory));
}

static void expect_edit(const struct edit *e, enum edit_stage stage, u64 addr, const char *new,
                        u32 len)
{
	CU_ASSERT_EQUAL(e->stage, stage);
	CU_ASSERT_EQUAL(e->addr, addr);
	CU_ASSERT_EQUAL_FATAL(e->len, len);
	CU_ASSERT_EQUAL(memcmp(e->new, new, len), 0);
}

#define SITE_OLD ((const u8 *)"\x01\x02\x03\x04\x05\x06\x07")
#define NOPS ((const u8 *)"\x0f\x1f\x44\x00\x00")
#define FREE16 "\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc"

static void test_hop_bytes(void)
{
	struct hop hop = { .site = 0x1000, .len = 7, .target = 0x2000, .kind = HOP_DIRECT };
	struct plan plan;

	fresh();
	plan = new_plan(8);
	CU_ASSERT_EQUAL(plan_add_hop(&plan, &hop, 0, SITE_OLD, NULL, NULL, &fail), STATUS_OK);
	CU_ASSERT_EQUAL_FATAL(plan.n, 1);
	expect_edit(&plan.edits[0], STAGE_SITE, 0x1000, "\xe9\xfb\x0f\x00\x00", 5);
	CU_ASSERT_EQUAL(memcmp(plan.edits[0].old, SITE_OLD, 5), 0);

	plan.n = 0;
	hop = (struct hop){ 0x1000, 0x2000, 3, HOP_SLOT, STATUS_OK, 0xff0, 0 };
	CU_ASSERT_EQUAL(plan_add_hop(&plan, &hop, 0, SITE_OLD, NOPS, NULL, &fail), STATUS_OK);
	CU_ASSERT_EQUAL_FATAL(plan.n, 2);
	expect_edit(&plan.edits[0], STAGE_HOP, 0xff0, "\xe9\x0b\x10\x00\x00", 5);
	CU_ASSERT_EQUAL(memcmp(plan.edits[0].old, NOPS, 5), 0);
	expect_edit(&plan.edits[1], STAGE_SITE, 0x1000, "\xeb\xee", 2);
	CU_ASSERT_EQUAL(memcmp(plan.edits[1].old, SITE_OLD, 2), 0);

	plan.n = 0;
	hop = (struct hop){ 0x1000, 0x2000, 5, HOP_FAR, STATUS_OK, 0, 0x1800 };
	CU_ASSERT_EQUAL(plan_add_hop(&plan, &hop, 0x555500000000, SITE_OLD, NULL, NULL, &fail),
	                STATUS_OK);
	CU_ASSERT_EQUAL_FATAL(plan.n, 2);
	expect_edit(&plan.edits[0], STAGE_CODE, 0x1800,
	            "\xff\x25\x02\x00\x00\x00\xcc\xcc\x00\x20\x00\x00\x55\x55\x00\x00", 16);
	CU_ASSERT_EQUAL(memcmp(plan.edits[0].old, FREE16, 16), 0);
	expect_edit(&plan.edits[1], STAGE_SITE, 0x1000, "\xe9\xfb\x07\x00\x00", 5);

	plan.n = 0;
	hop = (struct hop){ 0x1000, 0x2000, 2, HOP_SLOT_FAR, STATUS_OK, 0x1010, 0x1800 };
	CU_ASSERT_EQUAL(plan_add_hop(&plan, &hop, 0, SITE_OLD, NULL, NULL, &fail), STATUS_OK);
	CU_ASSERT_EQUAL_FATAL(plan.n, 3);
	expect_edit(&plan.edits[1], STAGE_HOP, 0x1010, "\xe9\xeb\x07\x00\x00", 5);
	CU_ASSERT_EQUAL(memcmp(plan.edits[1].old, FREE16, 5), 0);
	expect_edit(&plan.edits[2], STAGE_SITE, 0x1000, "\xeb\x0e", 2);
}

/* Refused hops, hops that do not fit, and jumps that do not reach: nothing is added. */
static void test_bad_hops(void)
{
	static const struct {
		struct hop hop;
		enum status status;
	} rows[] = {
		{ { 0x1000, 0x2000, 5, HOP_NONE, STATUS_HOP_NO_SLOT, 0, 0 }, STATUS_PLAN_HOP },
		{ { 0x1000, 0x2000, 5, HOP_KINDS, STATUS_OK, 0, 0 }, STATUS_PLAN_HOP },
		{ { 0x1000, 0x2000, 4, HOP_DIRECT, STATUS_OK, 0, 0 }, STATUS_PLAN_HOP },
		{ { 0x1000, 0x2000, 4, HOP_FAR, STATUS_OK, 0, 0x1800 }, STATUS_PLAN_HOP },
		{ { 0x1000, 0x2000, 5, HOP_CALL, STATUS_OK, 0, 0 }, STATUS_PLAN_HOP },
		{ { 0x1000, 0x2000, 1, HOP_SLOT, STATUS_OK, 0x1010, 0 }, STATUS_PLAN_HOP },
		{ { 0x1000, 0x100001000, 5, HOP_DIRECT, STATUS_OK, 0, 0 }, STATUS_PLACE_REACH },
		{ { 0x1000, 0x2000, 2, HOP_SLOT, STATUS_OK, 0x1082, 0 }, STATUS_PLACE_REACH },
		{ { 0x1000, 0x2000, 2, HOP_SLOT, STATUS_OK, 0xf81, 0 }, STATUS_PLACE_REACH },
		{ { 0x1000, 0x100001000, 2, HOP_SLOT, STATUS_OK, 0x1010, 0 }, STATUS_PLACE_REACH },
		{ { 0x1000, 0x2000, 5, HOP_FAR, STATUS_OK, 0, 0x100001000 }, STATUS_PLACE_REACH },
	};
	struct plan plan;

	fresh();
	plan = new_plan(8);
	for (u32 i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool slot = rows[i].hop.slot == 0x1010 && rows[i].status == STATUS_PLACE_REACH;

		CU_ASSERT_EQUAL(plan_add_hop(&plan, &rows[i].hop, 0, SITE_OLD, NULL, NULL, &fail),
		                rows[i].status);
		CU_ASSERT_EQUAL(fail.status, rows[i].status);
		CU_ASSERT_EQUAL(fail.addr, slot ? 0x1010 : 0x1000);
		CU_ASSERT_EQUAL(plan.n, 0);
	}
	/* The window's edges do fit. */
	for (u64 slot = 0xf82; slot <= 0x1081; slot += 0xff) {
		struct hop hop = { 0x1000, 0x2000, 2, HOP_SLOT, STATUS_OK, slot, 0 };

		CU_ASSERT_EQUAL(plan_add_hop(&plan, &hop, 0, SITE_OLD, NULL, NULL, &fail),
		                STATUS_OK);
	}
	expect_edit(&plan.edits[1], STAGE_SITE, 0x1000, "\xeb\x80", 2);
	expect_edit(&plan.edits[3], STAGE_SITE, 0x1000, "\xeb\x7f", 2);
}

static void test_full(void)
{
	struct hop hop = { 0x1000, 0x2000, 2, HOP_SLOT, STATUS_OK, 0x1010, 0 };
	struct plan plan, other = { 0 };

	fresh();
	plan = new_plan(2);
	CU_ASSERT_EQUAL(plan_add(&plan, STAGE_CODE, 0x3000, NULL, SITE_OLD, 1, &fail), STATUS_OK);
	CU_ASSERT_EQUAL(plan_add_hop(&plan, &hop, 0, SITE_OLD, NULL, NULL, &fail),
	                STATUS_PLAN_FULL);
	CU_ASSERT(fail.detail == 2 && plan.n == 1);
	CU_ASSERT_EQUAL(plan_add(&plan, STAGE_CODE, 0x3010, NULL, memory, 17, &fail),
	                STATUS_PLAN_FULL);
	CU_ASSERT_EQUAL(plan_add(&plan, STAGE_CODE, 0x3010, NULL, memory, ~0u, &fail),
	                STATUS_PLAN_FULL);
	CU_ASSERT_EQUAL(plan_add(&plan, STAGE_CODE, 0x3010, NULL, memory, 16, &fail), STATUS_OK);
	other.max = 1;
	CU_ASSERT_EQUAL(plan_reclaim(&plan, &other, &fail), STATUS_PLAN_FULL);
	CU_ASSERT_EQUAL(plan_init(&plan, LIMIT_PLAN_EDITS + 1, &arena), STATUS_PLAN_FULL);
	CU_ASSERT_EQUAL(plan_init(&plan, LIMIT_PLAN_EDITS, &arena), STATUS_WORKSPACE);
	CU_ASSERT_EQUAL(plan.n, 2); /* untouched */
}

/* Long pieces are cut without a gap. */
static void test_long_piece(void)
{
	u8 bytes[40];
	struct plan plan;

	fresh();
	plan = new_plan(8);
	for (u32 i = 0; i < sizeof(bytes); i++)
		bytes[i] = (u8)i;
	CU_ASSERT_EQUAL(plan_add(&plan, STAGE_CODE, 0x3000, bytes, bytes, 40, &fail), STATUS_OK);
	CU_ASSERT_EQUAL_FATAL(plan.n, 3);
	for (u32 i = 0; i < 3; i++) {
		expect_edit(&plan.edits[i], STAGE_CODE, 0x3000 + 16 * i,
		            (const char *)bytes + 16 * i, i < 2 ? 16 : 8);
		CU_ASSERT_EQUAL(memcmp(plan.edits[i].old, bytes + 16 * i, i < 2 ? 16 : 8), 0);
	}
	CU_ASSERT_EQUAL(plan_add(&plan, STAGE_CODE, 0x4000, bytes, bytes, 0, &fail), STATUS_OK);
	CU_ASSERT_EQUAL(plan.n, 3);
	CU_ASSERT_EQUAL(plan_finish(&plan, &fail), STATUS_OK);
}

static void test_overlap(void)
{
	static const struct {
		u64 a, b;
		u32 len_a, len_b;
		bool overlap;
	} rows[] = {
		{ 0x1000, 0x1002, 2, 5, false }, { 0x1002, 0x1000, 5, 3, true },
		{ 0x1000, 0x1001, 5, 1, true },  { 0x1000, 0x1000, 1, 1, true },
		{ 0x1001, 0x1000, 1, 1, false },
	};

	for (u32 i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct plan plan;

		fresh();
		plan = new_plan(3);
		/* In different stages: they must not touch one another either. */
		CU_ASSERT_EQUAL(plan_add(&plan, STAGE_SITE, rows[i].a, NULL, memory, rows[i].len_a,
		                         &fail),
		                STATUS_OK);
		CU_ASSERT_EQUAL(plan_add(&plan, STAGE_HOP, rows[i].b, NULL, memory, rows[i].len_b,
		                         &fail),
		                STATUS_OK);
		CU_ASSERT_EQUAL(plan_add(&plan, STAGE_CODE, 0x9000, NULL, memory, 16, &fail),
		                STATUS_OK);
		CU_ASSERT_EQUAL(plan_finish(&plan, &fail),
		                rows[i].overlap ? STATUS_PLAN_OVERLAP : STATUS_OK);
		CU_ASSERT_EQUAL(plan.edits[0].stage, STAGE_CODE);
		CU_ASSERT_EQUAL(plan.edits[2].stage, STAGE_SITE);
	}
}

/* Any order in, one order out; the ways back are its reverse, each byte restored. */
static void test_order_and_back(void)
{
	srand(3);
	for (u32 round = 0; round < 200; round++) {
		u32 n = (u32)rand() % MAX_EDITS;
		struct plan plan, live, rest;
		u32 used = 0;

		fresh();
		plan = new_plan(MAX_EDITS);
		live = new_plan(MAX_EDITS);
		rest = new_plan(MAX_EDITS);
		rest.n = 7; /* what it held is dropped */
		while (plan.n < n) {
			u8 old[8], new[8];
			u64 at = (u64)(rand() % MAX_EDITS);

			if (plan.n < MAX_EDITS && used > 3 * MAX_EDITS)
				break;
			used++;
			memset(old, rand(), sizeof(old));
			memset(new, rand(), sizeof(new));
			for (u32 i = 0; i < plan.n; i++) {
				if (plan.edits[i].addr == 0x1000 + 8 * at)
					at = ~(u64)0;
			}
			if (at != ~(u64)0)
				CU_ASSERT_EQUAL(plan_add(&plan, (enum edit_stage)(rand() % STAGE_N),
				                         0x1000 + 8 * at, old, new,
				                         1 + (u32)rand() % 8, &fail),
				                STATUS_OK);
		}
		n = plan.n;
		CU_ASSERT_EQUAL(plan_finish(&plan, &fail), STATUS_OK);
		CU_ASSERT_EQUAL(plan.n, n);
		for (u32 i = 1; i < n; i++) {
			const struct edit *a = &plan.edits[i - 1], *b = &plan.edits[i];

			CU_ASSERT(a->stage < b->stage ||
			          (a->stage == b->stage && a->addr < b->addr));
		}
		CU_ASSERT_EQUAL(plan_invert(&plan, &live, &fail), STATUS_OK);
		CU_ASSERT_EQUAL(plan_reclaim(&plan, &rest, &fail), STATUS_OK);
		CU_ASSERT_EQUAL_FATAL(live.n + rest.n, n);
		for (u32 i = 0; i < n; i++) {
			const struct edit *edit = &plan.edits[n - 1 - i];
			const struct edit *back = i < live.n ? &live.edits[i]
			                                     : &rest.edits[i - live.n];

			CU_ASSERT(back->addr == edit->addr && back->len == edit->len &&
			          back->stage == edit->stage);
			CU_ASSERT(!memcmp(back->old, edit->new, edit->len));
			CU_ASSERT(!memcmp(back->new, edit->old, edit->len));
			CU_ASSERT_EQUAL(i < live.n, back->stage >= STAGE_SITE);
		}
	}
}

static void test_stale(void)
{
	struct edit edit = { .addr = 0x1000, .len = 3, .old = { 1, 2, 3, 4 } };

	CU_ASSERT_EQUAL(plan_check(&edit, (const u8 *)"\x01\x02\x03\x09", &fail), STATUS_OK);
	CU_ASSERT_EQUAL(plan_check(&edit, (const u8 *)"\x01\x02\xcc", &fail), STATUS_PLAN_STALE);
	CU_ASSERT(fail.addr == 0x1002 && fail.detail == 0xcc);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "bytes of hops", test_hop_bytes },
		{ "hops that do not fit", test_bad_hops },
		{ "full", test_full },
		{ "long pieces", test_long_piece },
		{ "overlap", test_overlap },
		{ "order and the way back", test_order_and_back },
		{ "stale bytes", test_stale },
	};

	return UNIT_RUN("plan", tests);
}
