/* SPDX-License-Identifier: MIT */
/*
 * From samples to trees: the table of heat, files of samples, counts of blocks and branches, and which paths a tree has for them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "grow_hot.h"
#include "heat.h"
#include "phase.h"
#include "pick.h"
#include "samples.h"
#include "sys.h"
#include "text_image.h"
#include "unit.h"
#include "waits.h"
#include "warm.h"

struct world *world;

/* ---- the table ---- */

static struct heat_table table;

static void test_heat(void)
{
	u64 next;

	memset(&table, 0, sizeof(table));
	heat_add(&table, 0x30, 3, 7, false);
	heat_add(&table, 0x10, 1, 0, true);
	heat_add(&table, 0x20, 2, 5, false);
	heat_add(&table, 0x30, 4, 40, true);
	CU_ASSERT_EQUAL(table.n, 3);
	CU_ASSERT_EQUAL(table.samples, 10);
	CU_ASSERT_EQUAL(table.fresh, 5);
	for (u32 i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(table.at[i].rip, 0x10 * (i + 1));
	CU_ASSERT_EQUAL(heat_of(&table, 0x30), 7);
	CU_ASSERT_EQUAL(table.at[2].inside, 4);
	CU_ASSERT_EQUAL(table.at[2].fresh, 3);
	CU_ASSERT_EQUAL(table.at[2].ns, 47);
	heat_tell(&table, 0x30, 6);
	CU_ASSERT_EQUAL(heat_of(&table, 0x30), 13);
	CU_ASSERT_EQUAL(table.at[2].told, 6);
	CU_ASSERT_EQUAL(table.at[2].inside, 4);
	CU_ASSERT_EQUAL(table.samples, 16);
	CU_ASSERT_EQUAL(table.at[2].ns, 47);
	CU_ASSERT_EQUAL(table.fresh, 5); /* what earlier runs were told is no news */
	heat_cool(&table);
	CU_ASSERT_EQUAL(table.at[1].n, 6);
	CU_ASSERT_EQUAL(table.at[1].told, 3);
	CU_ASSERT_EQUAL(table.at[1].inside, 2);
	CU_ASSERT_EQUAL(table.at[1].ns, 23);
	CU_ASSERT_EQUAL(table.at[0].ns, 2);
	memset(&table, 0, sizeof(table));
	heat_tell(&table, 0x30, 0xfffffffe);
	heat_add(&table, 0x30, 3, 0, true); /* a file may say anything */
	CU_ASSERT_EQUAL(heat_of(&table, 0x30), 0xffffffff);
	memset(&table, 0, sizeof(table));
	heat_add(&table, 0x10, 1, 0, false);
	heat_add(&table, 0x20, 1, 0, false);
	heat_add(&table, 0x30, 1, 0, false);
	CU_ASSERT_EQUAL(heat_of(&table, 0x31), 0);
	CU_ASSERT_EQUAL(heat_from(&table, 0x11), 1);
	CU_ASSERT_EQUAL(heat_from(&table, 0x31), 3);
	CU_ASSERT_EQUAL(heat_near(&table, 0x10, &next), 1);
	CU_ASSERT_EQUAL(next, 0x20);
	CU_ASSERT_EQUAL(heat_near(&table, 0x11, &next), 0);
	CU_ASSERT_EQUAL(next, 0x20);
	CU_ASSERT_EQUAL(heat_near(&table, 0x30, &next), 1);
	CU_ASSERT_EQUAL(next, ~(u64)0);
	CU_ASSERT_EQUAL(heat_near(&table, 0x31, &next), 0);
	CU_ASSERT_EQUAL(next, ~(u64)0);
}

static void test_heat_full(void)
{
	memset(&table, 0, sizeof(table));
	heat_add(&table, 7, 100, 0, false);
	for (u32 i = 1; i < HEAT_MAX; i++)
		heat_add(&table, 1000 + i, 1, 0, false);
	CU_ASSERT_EQUAL(table.n, HEAT_MAX);
	heat_add(&table, 5, 6, 0, true);
	CU_ASSERT_EQUAL(table.n, 2); /* those with one sample are gone */
	CU_ASSERT_EQUAL(heat_of(&table, 5), 6);
	CU_ASSERT_EQUAL(heat_of(&table, 7), 50);
	CU_ASSERT_EQUAL(table.samples, 56);
	CU_ASSERT_EQUAL(table.fresh, 50);
}

/* ---- files ---- */

static const char *const wrong_lines[] = {
	"samples",
	"samples lua",
	"samples lua 0x10",
	"samples lua 10 1",
	"samples lua 0x 1",
	"samples lua 0x1g 1",
	"samples lua 0x10 x",
	"samples lua 0x10 1 1",
	"samples lua 0x10 4294967296",
	"samples lua 0x10 -1",
	"trace lua 0x10 1",
	"samples lua 0x1000000000000000000 1",
	"run lua 0x10 0x20 1",
	"run lua 0x10 0x20 0x30",
	"run lua 0x10 0x20 0x30 1 1",
	"run lua 0x10 20 0x30 1",
	"runs lua 0x10 0x20 0x30 1",
	"module lua",
	"module lua 12ab x",
	"module",
	"ran 12 x",
	"ran -1",
};

static void test_lines(void)
{
	static const char text[] = "# head\n\n  samples lua 0x1aF 3\nsamples\tb 0x20 12 # why\n";
	static const char good[] =
		"samples lua 0x1af 3\n \t\nsamples\tb 0x20 12 # why\nrun lua 0x0 0x12 0x34 5\nran 12 0 3\nmodule lua 5f3c \n";
	struct sample_line line;
	u64 pos = 0;
	u32 number = 0;
	bool wrong;

	CU_ASSERT_FALSE(samples_next(text, sizeof(text) - 1, &pos, &number, &line, &wrong));
	CU_ASSERT_TRUE(wrong); /* large digits are not ours */
	CU_ASSERT_EQUAL(number, 3);
	pos = number = 0;
	CU_ASSERT_TRUE_FATAL(samples_next(good, sizeof(good) - 1, &pos, &number, &line, &wrong));
	CU_ASSERT_EQUAL(line.addr, 0x1af);
	CU_ASSERT_EQUAL(line.n, 3);
	CU_ASSERT_EQUAL(line.name_len, 3);
	CU_ASSERT_TRUE_FATAL(samples_next(good, sizeof(good) - 1, &pos, &number, &line, &wrong));
	CU_ASSERT_EQUAL(line.addr, 0x20);
	CU_ASSERT_EQUAL(line.n, 12);
	CU_ASSERT_EQUAL(number, 3);
	CU_ASSERT_EQUAL(line.kind, SAMPLE_COUNT);
	CU_ASSERT_TRUE_FATAL(samples_next(good, sizeof(good) - 1, &pos, &number, &line, &wrong));
	CU_ASSERT_EQUAL(line.kind, SAMPLE_RUN);
	CU_ASSERT_EQUAL(line.start, 0);
	CU_ASSERT_EQUAL(line.addr, 0x12);
	CU_ASSERT_EQUAL(line.to, 0x34);
	CU_ASSERT_EQUAL(line.n, 5);
	CU_ASSERT_EQUAL(line.name_len, 3);
	CU_ASSERT_TRUE_FATAL(samples_next(good, sizeof(good) - 1, &pos, &number, &line, &wrong));
	CU_ASSERT_EQUAL(line.kind, SAMPLE_RAN);
	CU_ASSERT_TRUE_FATAL(samples_next(good, sizeof(good) - 1, &pos, &number, &line, &wrong));
	CU_ASSERT_EQUAL(line.kind, SAMPLE_MODULE);
	CU_ASSERT_EQUAL(line.name_len, 3);
	CU_ASSERT_EQUAL(line.build_len, 4);
	CU_ASSERT_EQUAL(memcmp(line.build, "5f3c", 4), 0);
	CU_ASSERT_FALSE(samples_next(good, sizeof(good) - 1, &pos, &number, &line, &wrong));
	CU_ASSERT_FALSE(wrong);
	for (u32 i = 0; i < sizeof(wrong_lines) / sizeof(wrong_lines[0]); i++) {
		pos = number = 0;
		CU_ASSERT_FALSE(samples_next(wrong_lines[i], strlen(wrong_lines[i]), &pos, &number,
		                             &line, &wrong));
		CU_ASSERT_TRUE(wrong);
		if (!wrong)
			printf("\n    taken: %s\n", wrong_lines[i]);
	}
}

static u64 told, told_runs, told_heads;

static void tell(void *ctx, const struct sample_line *line)
{
	if (line->kind == SAMPLE_MODULE || line->kind == SAMPLE_RAN) {
		told_heads++;
		return;
	}
	if (line->kind == SAMPLE_RUN) {
		CU_ASSERT_EQUAL(line->start, 0x1234);
		CU_ASSERT_EQUAL(line->addr, 0xffffffffff);
		CU_ASSERT_EQUAL(line->to, 0);
		CU_ASSERT_EQUAL(line->n, 0xffffffff);
		told_runs++;
		return;
	}
	CU_ASSERT_EQUAL(line->addr, 0x1000 + told);
	CU_ASSERT_EQUAL(line->n, told + 1);
	CU_ASSERT_EQUAL(memcmp(line->name, "a_b", line->name_len), 0);
	(void)ctx;
	told++;
}

static void test_file(void)
{
	static struct sample_file file;
	char path[] = "/tmp/dynopt-samples-XXXXXX";

	static char text[1 << 17];
	u32 line = 0;
	long size;

	CU_ASSERT_FATAL(mkstemp(path) >= 0);
	CU_ASSERT_TRUE_FATAL(samples_create(&file, AT_FDCWD, path, 0600));
	samples_put_ran(&file, "ran 1\n", 6);
	samples_put_module(&file, "a b", "0123");
	for (u32 i = 0; i < 1000; i++)
		samples_put(&file, "a b", 0x1000 + i, i + 1);
	for (u32 i = 0; i < 1000; i++)
		samples_put_run(&file, "a b", 0x1234, 0xffffffffff, 0, 0xffffffff);
	samples_close(&file);
	CU_ASSERT_EQUAL(file.error, 0);
	size = sys_read_file(path, text, sizeof(text));
	CU_ASSERT_FATAL(size > 0 && (u64)size < sizeof(text));
	told = 0;
	CU_ASSERT_TRUE(samples_read(text, (u64)size, tell, NULL, &line));
	CU_ASSERT_EQUAL(told, 1000);
	CU_ASSERT_EQUAL(told_runs, 1000);
	CU_ASSERT_EQUAL(told_heads, 2);
	told = 0;
	CU_ASSERT_FALSE(samples_read(text, 60, tell, NULL, &line));
	CU_ASSERT_EQUAL(told, 0); /* all or nothing */
	CU_ASSERT_EQUAL(line, 4);
	unlink(path);
}

/* What cannot be written leaves what was there, and nothing beside it. */
static void test_file_wrong(void)
{
	static struct sample_file file;
	char folder[] = "/tmp/dynopt-samples-XXXXXX", *name;

	CU_ASSERT_FATAL(mkdtemp(folder) != NULL);
	CU_ASSERT_FALSE(samples_create(&file, AT_FDCWD, "/proc/none/none", 0600));
	CU_ASSERT_EQUAL(file.error, ENOENT);
	CU_ASSERT_FATAL(asprintf(&name, "%s/s", folder) > 0);
	CU_ASSERT_TRUE_FATAL(samples_create(&file, AT_FDCWD, name, 0600));
	close(file.fd);
	file.fd = -1;
	samples_put(&file, "a", 1, 1);
	samples_close(&file);
	CU_ASSERT_EQUAL(file.error, EBADF);
	CU_ASSERT_NOT_EQUAL(access(name, F_OK), 0);
	CU_ASSERT_EQUAL(rmdir(folder), 0);
	free(name);
}

/* ---- paths ---- */

static struct text_image img;
static struct text text;
static struct arena arena;
static struct flows flows;
static struct grown grown;
static struct grow_sum sum;
static u32 samples[256]; /* from the start of the text on */
static _Alignas(16) u8 memory[1 << 20];

static u32 samples_at(const void *ctx, u64 addr)
{
	(void)ctx;
	return addr - TEXT_IMAGE_TEXT < 256 ? samples[addr - TEXT_IMAGE_TEXT] : 0;
}

static u32 samples_near(const void *ctx, u64 addr, u64 *next)
{
	for (*next = addr + 1; *next < TEXT_IMAGE_TEXT + 256 && !samples_at(ctx, *next);)
		++*next;
	return samples_at(ctx, addr);
}

static void begin(void)
{
	CU_ASSERT_EQUAL_FATAL(text_image_build(&img, &text), STATUS_OK);
	arena_init(&arena, memory, sizeof(memory));
	memset(&flows, 0, sizeof(flows));
	flows.text = &text;
	flows.heat = samples_near;
	flows.arena = &arena;
	flows.decoder = arena_alloc(&arena, 1, decode_scratch_size());
}

static void put(u64 addr, u32 n)
{
	samples[addr - TEXT_IMAGE_TEXT] = n;
}

/*
 * A loop of ten rounds with a side that is gone in `side` of 100:
 *
 *     0: mov rax, rdi   3: add eax, 1   6: test al, 15   8: jz 15   10: cmp eax, esi   12: jnz 3   14: ret
 *     15: add ecx, 2   18: jmp 10
 */
static u64 loop(u32 side)
{
	static const u8 at[] = { 3, 6, 8, 10, 12 };
	u64 f;

	text_image_init(&img);
	f = text_image_function(&img, "48 89 f8 83 c0 01 a8 0f 74 05 39 f0 75 f5 c3 83 c1 02 eb f6",
	                        0);
	memset(samples, 0, sizeof(samples));
	put(f, 10);
	put(f + 14, 10);
	for (u32 i = 0; i < sizeof(at); i++)
		put(f + at[i], 100);
	put(f + 15, side);
	put(f + 18, side);
	begin();
	return f;
}

static void near(u64 value, u64 wanted, u64 percent)
{
	CU_ASSERT(value * 100 >= wanted * (100 - percent));
	CU_ASSERT(value * 100 <= wanted * (100 + percent));
	if (value * 100 < wanted * (100 - percent) || value * 100 > wanted * (100 + percent))
		printf("\n    %llu, not %llu\n", (unsigned long long)value,
		       (unsigned long long)wanted);
}

static void test_flow(void)
{
	u64 f = loop(30);
	const struct flow *flow = flow_of(&flows, f + 6);

	CU_ASSERT_PTR_NOT_NULL_FATAL(flow);
	CU_ASSERT_EQUAL(flow->start, f);
	CU_ASSERT_EQUAL(flow->n_blocks, 5);
	CU_ASSERT_EQUAL(flow->samples, 580);
	near(flow_block_at(flow, f + 3)->count, 100 * FLOW_ONE, 5);
	near(flow_block_at(flow, f + 12)->count, 100 * FLOW_ONE, 5);
	near(flow_block_at(flow, f)->outside, 10 * FLOW_ONE, 20);
	near(flow_block_at(flow, f + 8)->taken - 1, 300, 15);
	near(flow_block_at(flow, f + 12)->taken - 1, 900, 5);
	CU_ASSERT_EQUAL(flow_block_at(flow, f + 3)->outside, 0);
	CU_ASSERT_PTR_NULL(flow_block_at(flow, f + 20));
	CU_ASSERT_PTR_EQUAL(flow_of(&flows, f), flow); /* not made twice */
	CU_ASSERT_PTR_NULL(flow_of(&flows, f + 400));
}

/* What was made since a mark is forgotten with it, and made once more; what was there before stays. */
static void test_flow_released(void)
{
	static const char code[] = "48 89 f8 83 c0 01 a8 0f 74 05 39 f0 75 f5 c3 83 c1 02 eb f6";
	const struct flow *first, *second;
	u64 f, g, mark;
	void *other;

	text_image_init(&img);
	f = text_image_function(&img, code, 0);
	g = text_image_function(&img, code, 0);
	memset(samples, 0, sizeof(samples));
	put(f + 3, 100);
	put(g + 3, 100);
	begin();
	first = flow_of(&flows, f);
	mark = arena_mark(flows.arena);
	CU_ASSERT_PTR_NOT_NULL_FATAL(first);
	CU_ASSERT_PTR_NOT_NULL_FATAL(flow_of(&flows, g));
	flows_release(&flows, mark);
	other = arena_alloc(flows.arena, 1, 4096);
	CU_ASSERT_PTR_NOT_NULL_FATAL(other);
	memset(other, 0xff, 4096);
	second = flow_of(&flows, g + 3);
	CU_ASSERT_PTR_NOT_NULL_FATAL(second);
	CU_ASSERT_EQUAL(second->n_blocks, 5);
	CU_ASSERT_PTR_NOT_NULL_FATAL(flow_block_at(second, g + 3));
	CU_ASSERT_EQUAL(flow_block_at(second, g + 3)->end, g + 10);
	CU_ASSERT_PTR_EQUAL(flow_of(&flows, f), first);
	CU_ASSERT_EQUAL(flow_block_at(first, f + 3)->end, f + 10);
}

/* What branches were seen to do stands above what samples say: here that the side is taken as often as not, in 40 rounds of 41. */
static void test_flow_seen(void)
{
	static struct runs runs;
	const u64 base = 0x7f0000000000;
	u64 f = loop(30);
	const struct flow *flow;

	memset(&runs, 0, sizeof(runs));
	flows.runs = &runs;
	flows.base = base;
	f += base;
	runs_add(&runs, f + 3, f + 8, f + 15, 6); /* too few */
	runs_add(&runs, f + 3, f + 12, f + 3, 6);
	flow = flow_of(&flows, f - base);
	CU_ASSERT_PTR_NOT_NULL_FATAL(flow);
	near(flow_block_at(flow, f - base + 8)->taken - 1, 300, 15);

	begin();
	flows.runs = &runs;
	flows.base = base;
	runs_add(&runs, f + 3, f + 8, f + 15, 14);
	runs_add(&runs, f + 15, f + 18, f + 10, 20);
	runs_add(&runs, f + 10, f + 12, f + 3, 20);
	runs_add(&runs, f + 3, f + 12, f + 3, 13);
	runs_add(&runs, f + 3, f + 14, 0, 1);
	runs_add(&runs, f - 64, f - 60, f + 3, 1000); /* somebody else's */
	flow = flow_of(&flows, f - base);
	CU_ASSERT_PTR_NOT_NULL_FATAL(flow);
	CU_ASSERT_EQUAL(flow_block_at(flow, f - base + 8)->taken - 1, 500);
	CU_ASSERT_EQUAL(flow_block_at(flow, f - base + 12)->taken - 1, 975);
	near(flow_block_at(flow, f - base + 3)->count, 100 * FLOW_ONE, 10);
	near(flow_block_at(flow, f - base + 15)->count, 50 * FLOW_ONE, 20);
}

/*
 * Runs that are too few to say how often branches are taken say where control was all the same: a side has all samples, as it is slow, but control goes round the loop
 * without it.
 */
static void test_flow_walked(void)
{
	static struct runs runs;
	u64 f = loop(0), loops, sides;
	const struct flow *flow;

	memset(samples, 0, sizeof(samples));
	put(f + 15, 4);
	begin();
	flow = flow_of(&flows, f);
	CU_ASSERT_PTR_NOT_NULL_FATAL(flow);
	loops = flow_block_at(flow, f + 10)->count;
	sides = flow_block_at(flow, f + 15)->count;

	memset(&runs, 0, sizeof(runs));
	begin();
	flows.runs = &runs;
	runs_add(&runs, f + 3, f + 12, f + 3, FLOW_SEEN - 1);
	flow = flow_of(&flows, f);
	CU_ASSERT_PTR_NOT_NULL_FATAL(flow);
	CU_ASSERT_EQUAL(flow_block_at(flow, f + 8)->seen, 0);
	CU_ASSERT(flow_block_at(flow, f + 15)->count * loops * 100 <
	          flow_block_at(flow, f + 10)->count * sides * 85);
}

/* Samples that contradict the flow of control: what comes in is what goes out all the same. */
static void test_flow_contradicted(void)
{
	u64 f = loop(0);
	const struct flow *flow;
	u64 in, out;

	put(f + 10, 20); /* of 100 that come */
	put(f + 12, 20);
	begin();
	flow = flow_of(&flows, f);
	CU_ASSERT_PTR_NOT_NULL_FATAL(flow);
	in = flow_block_at(flow, f + 3)->count;
	out = flow_block_at(flow, f + 10)->count;
	CU_ASSERT(in < 95 * FLOW_ONE);
	CU_ASSERT(out > 40 * FLOW_ONE);
}

/* One instruction that waits for memory has most of its block's samples: they do not say that the block is executed more often. */
static void test_flow_stalled(void)
{
	u64 f;
	const struct flow *flow;

	text_image_init(&img);
	/* 0: jz 13   2: mov eax, [rdi]; lea rdi, [rdi+4]; add eax, esi; xor eax, edx   12: ret   13: 4 times inc eax, ret */
	f = text_image_function(
		&img, "74 0b 8b 07 48 8d 7f 04 01 f0 31 d0 c3 ff c0 ff c0 ff c0 ff c0 c3", 0);
	memset(samples, 0, sizeof(samples));
	put(f, 30);
	for (u32 at = 13; at <= 21; at += 2)
		put(f + at, 20);
	for (u32 i = 2; i <= 12; i += i == 2 || i > 7 ? 2 : 4)
		put(f + i, 10);
	put(f + 8, 900);
	begin();
	flow = flow_of(&flows, f);
	CU_ASSERT_PTR_NOT_NULL_FATAL(flow);
	near(flow_block_at(flow, f)->taken - 1, 640, 15);
}

/* ---- what a program waits for ---- */

/*
 *     0: xor eax, eax   2: mov rdi, [rdi]   5: add eax, 1   8: test rdi, rdi   11: jnz 2   13: ret
 *     14: mov ecx, [rsi]   16: mov edx, [rsi+8]   19: add rsi, 4   23: add eax, ecx   25: cmp rsi, r8   28: jne 14   30: ret
 */
static struct wait waits_of(u64 peak, u32 n)
{
	struct wait wait = { 0, 0 };
	u64 f;

	text_image_init(&img);
	f = text_image_function(&img,
	                        "31 c0 48 8b 3f 83 c0 01 48 85 ff 75 f5 c3 "
	                        "8b 0e 8b 56 08 48 83 c6 04 01 c8 4c 39 c6 75 f0 c3",
	                        0);
	begin();
	memset(samples, 0, sizeof(samples));
	for (u64 addr = f; addr < f + 31; addr++)
		if (text_marks(&text, addr) & TEXT_INSN)
			put(addr, 2);
	put(f + peak, n);
	if (!waits_find(&text, f, f + 31, samples_at, NULL, flows.decoder, &wait))
		return wait;
	wait.load -= f;
	return wait;
}

static void test_waits(void)
{
	struct wait wait = waits_of(5, 400); /* right behind the load */

	CU_ASSERT_EQUAL(wait.load, 2);
	CU_ASSERT_EQUAL(wait.samples, 400);
	CU_ASSERT_EQUAL(waits_of(8, 400).load, 2); /* where the pointer is used */
	CU_ASSERT_EQUAL(waits_of(8, 400).samples, 400);
	CU_ASSERT_EQUAL(waits_of(2, 400).samples, 0); /* no load in front of it in this round */
	CU_ASSERT_EQUAL(waits_of(5, 31).samples, 0); /* few */
	CU_ASSERT_EQUAL(waits_of(0, 400).samples, 0); /* in no loop */
	CU_ASSERT_EQUAL(waits_of(13, 400).samples, 0);
}

/* ---- phases ---- */

static void test_phases(void)
{
	static struct phase phase;
	u64 state = 1;

	for (u32 i = 0; i < 200 * PHASE_WINDOW; i++) { /* 16 pieces at random */
		state = state * 6364136223846793005u + 1442695040888963407u;
		CU_ASSERT_FALSE(phase_add(&phase, 0x400000 + (state >> 60) * 4096 + i % 50));
	}
	for (u32 i = 0; i < PHASE_WINDOW - 1; i++)
		CU_ASSERT_FALSE(phase_add(&phase, i % 4 ? 0x700000 : 0x400000));
	CU_ASSERT_TRUE(phase_add(&phase, 0x700000));
	for (u32 i = 0; i < 10 * PHASE_WINDOW; i++)
		CU_ASSERT_FALSE(phase_add(&phase, i % 4 ? 0x700000 : 0x400000));
}

/* ---- which functions are looked at ---- */

/* So many functions of 1,000 bytes, each with its samples, at as many addresses. */
static void pick_all(struct pick *pick, const u32 *n_samples, u32 n)
{
	pick->n = 0;
	for (u32 i = 0; i < n; i++)
		CU_ASSERT_TRUE(pick_add(pick, (struct batch_range){ 1000 * i, 1000 * i + 1000 },
		                        n_samples[i], n_samples[i]));
}

static void test_pick(void)
{
	static struct pick pick;
	static const u32 n_samples[] = { 20, 300, 10, 200, 50 };
	u64 dearest, rest = 0, need_ns;

	pick_all(&pick, n_samples, 5);
	dearest = pick.weights[1].cost_ns;
	CU_ASSERT(dearest > pick.weights[3].cost_ns);
	for (u32 i = 0; i < 5; i++)
		rest += i == 1 ? 0 : pick.weights[i].cost_ns;
	CU_ASSERT_EQUAL(pick_cost(&pick), dearest + rest);
	CU_ASSERT_TRUE(pick_afford(&pick, dearest + rest, &need_ns));
	CU_ASSERT_EQUAL(pick.n, 5);
	CU_ASSERT_TRUE(pick_afford(&pick, dearest + rest - 1, &need_ns)); /* without the coolest */
	CU_ASSERT_EQUAL(pick.n, 4);
	CU_ASSERT_EQUAL(pick.ranges[1].start, 1000);
	CU_ASSERT_EQUAL(pick.ranges[2].start, 3000); /* still ascending, each with its samples */
	CU_ASSERT_EQUAL(pick.weights[2].samples, 200);
	CU_ASSERT_TRUE(pick_afford(&pick, dearest + pick.weights[2].cost_ns, &need_ns));
	CU_ASSERT_EQUAL(pick.n, 2);
	CU_ASSERT_EQUAL(pick.ranges[0].start, 1000);
	pick_all(&pick, n_samples, 5);
	rest = pick.weights[3].cost_ns;
	CU_ASSERT_FALSE(pick_afford(&pick, dearest, &need_ns)); /* 300 of 580 samples are too few */
	CU_ASSERT_EQUAL(need_ns, dearest + rest); /* 500 are enough */
	CU_ASSERT_FALSE(pick_afford(&pick, 0, &need_ns));
	CU_ASSERT_FALSE(pick_afford(&pick, ~(u64)0, &need_ns)); /* nothing is left */
	while (pick.n < PICK_RANGES)
		CU_ASSERT_TRUE(pick_add(&pick, (struct batch_range){ 1, 2 }, 1, 1));
	CU_ASSERT_FALSE(pick_add(&pick, (struct batch_range){ 1, 2 }, 1, 1));
}

static bool has_block(u64 addr)
{
	for (u32 i = 0; i < grown.trace.n_blocks; i++)
		if (grown.blocks[i].start == addr)
			return true;
	return false;
}

static void test_loop(void)
{
	u64 f = loop(20);

	grow_hot(&flows, f + 3, true, &grown, &sum);
	CU_ASSERT_TRUE(has_block(f + 10));
	CU_ASSERT_TRUE(has_block(f + 14));
	CU_ASSERT_TRUE(has_block(f + 15));
	CU_ASSERT_EQUAL(grown.blocks[0].start, f + 3);
	CU_ASSERT_EQUAL(grown.blocks[0].parent, TRACE_NO_PARENT);
	CU_ASSERT_EQUAL(grown.blocks[1].start, f + 10); /* what is taken most comes first */
	CU_ASSERT_EQUAL(grown.blocks[1].parent, 0);
	near(sum.heads, 10 * GROW_ONE, 20);
	near(grow_samples(&sum, flow_block_at(flow_of(&flows, f), f + 3)->count), 550, 15);
	f = loop(0);
	grow_hot(&flows, f + 3, true, &grown, &sum);
	CU_ASSERT_FALSE(has_block(f + 15)); /* hardly ever taken */
	CU_ASSERT_EQUAL(grown.trace.n_blocks, 3);
	grow_hot(&flows, f, true, &grown, &sum);
	near(grow_samples(&sum, flow_block_at(flow_of(&flows, f), f)->outside), 520, 20);
}

/* Heads that would take over enough samples; of those where control comes so seldom that only loops behind it are warm, these are. */
static void test_warm(void)
{
	u64 f = loop(20);

	CU_ASSERT_TRUE(warm_enough(&flows, f + 3, true));
	CU_ASSERT_TRUE(warm_enough(&flows, f, true));
	CU_ASSERT_FALSE(warm_enough(&flows, f + 1, true)); /* no block begins here */
	for (u32 i = 0; i < 256; i++)
		samples[i] /= 50;
	begin();
	CU_ASSERT_TRUE(warm_enough(&flows, f + 3, true));
	put(f, 0);
	put(f + 14, 0);
	for (u32 i = 3; i < 14; i++)
		samples[f + i - TEXT_IMAGE_TEXT] *= 1000;
	begin();
	CU_ASSERT_TRUE(warm_enough(&flows, f + 3, true));
	CU_ASSERT_FALSE(warm_enough(&flows, f, true));
}

/* A place of few samples is tried where there is time for it. */
static void test_thorough(void)
{
	u64 f = loop(20);

	for (u32 i = 0; i < 256; i++)
		samples[i] = 0;
	for (u32 i = 3; i < 9; i++)
		samples[f + i - TEXT_IMAGE_TEXT] = 1;
	begin();
	CU_ASSERT_FALSE(warm_enough(&flows, f + 3, true));
	flows.thorough = true;
	CU_ASSERT_TRUE(warm_enough(&flows, f + 3, true));
	flows.thorough = false;
}

/*
 * Entered at its test, as compilers lay loops out: it is closed where the code jumps back, and the test is in the tree twice.
 *
 *     0: jmp 6   2: mov eax, ecx   4: shr eax, 1   6: lea ecx, [rax-3]   9: cmp eax, esi   11: jb 2   13: ret
 */
static void test_turned_loop(void)
{
	static const u8 at[] = { 2, 4, 6, 9, 11 };
	u32 tests = 0;
	u64 f;

	text_image_init(&img);
	f = text_image_function(&img, "eb 04 89 c8 d1 e8 8d 48 fd 39 f0 72 f5 c3", 0);
	memset(samples, 0, sizeof(samples));
	put(f, 10);
	put(f + 13, 10);
	for (u32 i = 0; i < sizeof(at); i++)
		put(f + at[i], 100);
	begin();
	grow_hot(&flows, f, true, &grown, &sum);
	for (u32 i = 0; i < grown.trace.n_blocks; i++)
		tests += grown.blocks[i].start == f + 6;
	CU_ASSERT_TRUE(has_block(f + 2));
	CU_ASSERT_EQUAL(tests, 2); /* one that is closed, and that by which it is entered */
	near(sum.insns, 52 * GROW_ONE, 15);
}

/*
 *     g: push rbx   1: mov edi, ebx   3: call h   8: dec ebx   10: jnz 1   12: pop rbx   13: ret
 *     h: test edi, edi   2: jz 6   4: jmp rax   6: ret
 *
 * h ends by the indirect jump in `leaves` of 100 calls.
 */
static u64 call(u32 leaves, u64 *h)
{
	static const u8 at[] = { 1, 3, 8, 10 };
	u64 g;

	text_image_init(&img);
	g = text_image_function(&img, "53 89 df e8 06000000 ff cb 75 f5 5b c3", 0);
	*h = text_image_function(&img, "85 ff 74 02 ff e0 c3", 0);
	memset(samples, 0, sizeof(samples));
	for (u32 i = 0; i < sizeof(at); i++)
		put(g + at[i], 100);
	put(*h, 100);
	put(*h + 2, 100);
	put(*h + 4, leaves);
	put(*h + 6, 100 - leaves);
	begin();
	return g;
}

static void test_call(void)
{
	u64 h, g = call(1, &h);

	grow_hot(&flows, g + 1, true, &grown, &sum);
	CU_ASSERT_TRUE(has_block(h));
	CU_ASSERT_TRUE(has_block(h + 6));
	CU_ASSERT_TRUE(has_block(g + 8)); /* and behind the call */
	CU_ASSERT(sum.heads > 10 * GROW_ONE); /* the loop is closed */
	grow_hot(&flows, g + 1, false, &grown, &sum);
	CU_ASSERT_EQUAL(grown.trace.n_blocks, 1); /* up to the call */
	CU_ASSERT_EQUAL(sum.insns, 1 * GROW_ONE);
	g = call(90, &h);
	grow_hot(&flows, g + 1, true, &grown, &sum);
	CU_ASSERT_EQUAL(grown.trace.n_blocks, 1); /* it is left from inside too often */
}

/* Trees are bounded, whatever there is: a hundred branches that go both ways. */
static void test_bounds(void)
{
	char hex[100 * 8 + 3] = "";
	u64 f;

	text_image_init(&img);
	for (u32 i = 0; i < 100; i++)
		memcpy(hex + 8 * i, "7402ffc0", 8); /* jz over inc eax */
	strcpy(hex + 800, "c3");
	f = text_image_function(&img, hex, 0);
	for (u32 i = 0; i < 256; i++)
		samples[i] = 50;
	begin();
	grow_hot(&flows, f, true, &grown, &sum);
	CU_ASSERT(grown.trace.n_blocks <= GROW_BLOCKS);
	CU_ASSERT(grown.trace.n_blocks > 20);
	for (u32 i = 1; i < grown.trace.n_blocks; i++)
		CU_ASSERT(grown.blocks[i].parent < i);
}

static const struct unit_test tests[] = {
	{ "heat by address", test_heat },
	{ "a full table forgets what is cold", test_heat_full },
	{ "lines of samples", test_lines },
	{ "files of samples", test_file },
	{ "a file of samples that cannot be written", test_file_wrong },
	{ "counts of blocks and branches", test_flow },
	{ "counts that are released", test_flow_released },
	{ "branches that were seen", test_flow_seen },
	{ "blocks that were gone through", test_flow_walked },
	{ "samples that contradict the flow", test_flow_contradicted },
	{ "samples that wait for memory", test_flow_stalled },
	{ "loads that are waited for", test_waits },
	{ "phases", test_phases },
	{ "functions that there is time for", test_pick },
	{ "a tree of a loop", test_loop },
	{ "heads that are warm", test_warm },
	{ "few samples", test_thorough },
	{ "a loop that is entered in its middle", test_turned_loop },
	{ "calls that pay and calls that do not", test_call },
	{ "bounds", test_bounds },
};

int main(void)
{
	world = calloc(1, sizeof(*world));
	return UNIT_RUN("hot paths", tests);
}
