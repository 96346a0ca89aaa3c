/* SPDX-License-Identifier: MIT */
/*
 * Walks through more code than they keep: what they execute is what is there, and code is asked for again only where it was forgotten.
 */
#include <string.h>
#include "unit.h"
#include "walk.h"

#define N (3u * WALK_CODE + 100) /* instructions; instruction i sets rax to i */
#define LONG 7u /* bytes at most */
#define BASE 0x555555554000u
#define VISITS 150000u

static struct {
	u8 bytes[N * LONG];
	u32 at[N + 1];
} text;
static struct walk walk;
static u32 n_asked, n_runs;

/* Whether an instruction is kept, as it should be. */
static struct {
	bool kept[N];
	u32 n, asked;
} model;

static void make_text(void)
{
	for (u32 i = 0; i < N; i++) {
		u8 *out = text.bytes + text.at[i];
		u32 n = 0;

		if (i % 3 == 0) { /* mov $i, %rax; else mov $i, %eax */
			out[n++] = 0x48;
			out[n++] = 0xc7;
			out[n++] = 0xc0;
		} else {
			out[n++] = 0xb8;
		}
		memcpy(out + n, &i, sizeof(i));
		text.at[i + 1] = text.at[i] + n + (u32)sizeof(i);
	}
}

static u32 code(void *ctx, u64 addr, u8 *out, u32 size)
{
	u64 at = addr - BASE;

	(void)ctx;
	n_asked++;
	if (at >= text.at[N])
		return 0;
	size = size < text.at[N] - at ? size : (u32)(text.at[N] - at);
	memcpy(out, text.bytes + at, size);
	return size;
}

static const u8 *page(void *ctx, u64 at)
{
	(void)ctx;
	(void)at;
	return NULL;
}

static void run(void *ctx, u64 start, u64 last, u64 to)
{
	(void)ctx;
	(void)to;
	n_runs += start < last;
}

static void begin(void)
{
	static const struct walk_world world = { .code = code, .page = page, .run = run };
	static u8 scratch[1 << 16] __attribute__((aligned(16)));

	CU_ASSERT_FATAL(decode_scratch_size() <= sizeof(scratch));
	memset(&walk, 0, sizeof(walk));
	memset(&model, 0, sizeof(model));
	walk.world = &world;
	walk.decoder = scratch;
	n_asked = n_runs = 0;
	walk_begin_round(&walk);
}

/* Whoever finds no room begins anew. */
static void keep(u32 i)
{
	if (model.kept[i])
		return;
	if (model.n == WALK_CODE) {
		memset(model.kept, 0, sizeof(model.kept));
		model.n = 0;
	}
	model.kept[i] = true;
	model.n++;
	model.asked++;
}

/* Each that is kept has one place, and no place leads elsewhere. */
static void check_places(void)
{
	u32 n = 0, last = 0;

	for (u32 i = 0; i < WALK_PLACES; i++) {
		n += walk.places[i] != 0;
		last = walk.places[i] > last ? walk.places[i] : last;
	}
	CU_ASSERT_FATAL(walk.n_code <= WALK_CODE);
	CU_ASSERT_EQUAL_FATAL(n, walk.n_code);
	CU_ASSERT_EQUAL_FATAL(last, walk.n_code);
}

/* Executes `insns` from instruction i on. */
static void go(u32 i, u32 insns)
{
	walk.m.rip = BASE + text.at[i];
	walk_on(&walk, ~0u, insns);
	CU_ASSERT_EQUAL_FATAL(walk.end, WALK_LIMIT);
	CU_ASSERT_EQUAL_FATAL(walk.n_insns, insns);
	CU_ASSERT_EQUAL_FATAL(walk.m.rip, BASE + text.at[i + insns]);
	CU_ASSERT_EQUAL_FATAL(walk.m.gpr[0].value, i + insns - 1);
	CU_ASSERT_EQUAL_FATAL(walk.m.gpr[0].known, 0xff);
	for (u32 k = i; k < i + insns; k++)
		keep(k);
	CU_ASSERT_EQUAL_FATAL(n_asked, model.asked);
}

/* Straight on, several times as far as there is room; and the same again, of which nothing but the end can be kept. */
static void test_straight(void)
{
	begin();
	for (u32 round = 0; round < 3; round++) {
		for (u32 i = 0; i < N; i += 50) {
			go(i, i + 50 < N ? 50 : N - i);
			check_places();
		}
		CU_ASSERT_EQUAL(n_asked, (round + 1) * N);
	}
	CU_ASSERT_EQUAL(n_runs, 3 * ((N + 49) / 50));
	/* In one walk. */
	begin();
	go(0, N);
	check_places();
	CU_ASSERT_EQUAL(n_asked, N);
	CU_ASSERT_EQUAL(n_runs, 1);
}

/* What there is room for is asked for once. */
static void test_fits(void)
{
	begin();
	for (u32 round = 0; round < 3; round++) {
		go(0, WALK_CODE);
		CU_ASSERT_EQUAL(n_asked, WALK_CODE);
	}
	check_places();
	go(WALK_CODE, 1);
	CU_ASSERT_EQUAL(walk.n_code, 1);
	check_places();
}

/* Here and there, among half as many again as there is room for. */
static void test_about(void)
{
	u32 x = 1;

	begin();
	for (u32 n = 0; n < VISITS; n++) {
		x = x * 1664525 + 1013904223;
		go((x >> 8) % (WALK_CODE + WALK_CODE / 2), 1 + (x >> 30));
		if (n % 64 == 0)
			check_places();
	}
	CU_ASSERT_TRUE(n_asked > 10 * WALK_CODE);
}

/* A new round knows nothing of the code that was there before. */
static void test_round(void)
{
	u8 *number = text.bytes + text.at[2] - sizeof(u32);

	begin();
	go(0, 3);
	(*number)++;
	walk_begin_round(&walk);
	walk.m.rip = BASE + text.at[1];
	walk_on(&walk, 1, 1);
	CU_ASSERT_EQUAL(walk.m.gpr[0].value, 2);
	CU_ASSERT_EQUAL(n_asked, 4);
	CU_ASSERT_EQUAL(walk.n_code, 1);
	(*number)--;
}

static const struct unit_test tests[] = {
	{ "straight on", test_straight },
	{ "code that there is room for", test_fits },
	{ "here and there", test_about },
	{ "a new round", test_round },
};

int main(void)
{
	make_text();
	return UNIT_RUN("walk_code", tests);
}
