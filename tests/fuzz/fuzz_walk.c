/* SPDX-License-Identifier: MIT */
/*
 * fuzz_walk - walks from any state through any code, in memory that is there or is not.
 *
 *     fuzz_walk [--count N] [--seed S] [--start I]
 *
 * Case I of seed S is always the same. Code is this program's own text from a random place on, some of its bytes spoilt, so that instructions are many and
 * real; registers are random numbers, addresses of the two areas that there are, or small numbers. AddressSanitizer and UBSan look on. Rules: no more runs and instructions than asked
 * for; runs follow one another; nothing is asked of memory but whole pages.
 * Exit codes: 0 nothing found, 1 found something, 2 wrong use.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "options.h"
#include "rnd.h"
#include "walk.h"

#define AREA 0x10000u /* code, and as much data */
#define CODE_AT 0x401000u
#define DATA_AT 0x7f0000000000u
#define RUNS 24
#define INSNS 200

extern const u8 __executable_start[], etext[];

static struct {
	u64 seed, start, count, now;
	u64 runs, insns, ends[WALK_ENDS_N];
} run = { .seed = 1, .count = 5000 };

static u8 code[AREA], data[AREA], stack[512];
static u64 rnd, expected;
static u32 n_runs;

static void require(bool good, const char *rule)
{
	if (good)
		return;
	fprintf(stderr,
	        "fuzz_walk: broken rule: %s\nfuzz_walk: to repeat: fuzz_walk --seed %llu --start %llu --count 1\n",
	        rule, (unsigned long long)run.seed, (unsigned long long)run.now);
	_exit(1);
}

static u32 code_at(void *ctx, u64 addr, u8 *out, u32 size)
{
	(void)ctx;
	if (addr - CODE_AT >= AREA)
		return 0;
	size = size < AREA - (addr - CODE_AT) ? size : (u32)(AREA - (addr - CODE_AT));
	memcpy(out, code + (addr - CODE_AT), size);
	return size;
}

static const u8 *page_at(void *ctx, u64 at)
{
	(void)ctx;
	require(at % WALK_PAGE == 0, "whole pages");
	return at - DATA_AT < AREA   ? data + (at - DATA_AT)
	       : at - CODE_AT < AREA ? code + (at - CODE_AT)
	                             : NULL;
}

static void note(void *ctx, u64 start, u64 last, u64 to)
{
	(void)ctx;
	require(start == expected, "a run begins where the one before led to");
	require(last >= start, "straight on");
	expected = to;
	n_runs += to != 0;
}

static u64 any_value(void)
{
	switch (rnd_below(&rnd, 6)) {
	case 0:
		return rnd_next(&rnd);
	case 1:
		return rnd_below(&rnd, 256);
	case 2:
		return CODE_AT + rnd_below(&rnd, AREA);
	case 3:
		return (u64) - (s64)rnd_below(&rnd, 256);
	default:
		return DATA_AT + rnd_below(&rnd, AREA);
	}
}

static struct walk_word any_word(void)
{
	u8 known = rnd_chance(&rnd, 90) ? 0xff : (u8)rnd_next(&rnd);

	return (struct walk_word){ any_value(), known };
}

static void one(struct walk *w, u64 number)
{
	u64 text = (uintptr_t)etext - (uintptr_t)__executable_start;

	rnd = rnd_start(run.seed, 0, number);
	if (number == run.start || number % 64 == 0) {
		u64 again = rnd_start(run.seed, 1, number / 64);

		memcpy(code, __executable_start + rnd_below(&again, text - AREA), AREA);
		for (u32 i = 0; i < AREA / 8; i++) {
			u64 value = rnd_next(&again);

			if (i % 64 == 0)
				code[value % AREA] = (u8)(value >> 32);
			value = i % 3 ? value : DATA_AT + value % AREA;
			memcpy(data + 8 * i, &value, 8);
		}
		walk_begin_round(w);
	}
	for (u32 i = 0; i < 16; i++) {
		w->m.gpr[i] = any_word();
	}
	for (u32 i = 0; i < WALK_VECTORS; i++) {
		for (u32 k = 0; k < 8; k++)
			w->m.vec[i][k] = any_value();
		w->m.vec_known[i] = rnd_chance(&rnd, 90) ? ~(u64)0 : rnd_next(&rnd);
	}
	for (u32 i = 0; i < 8; i++)
		w->m.mask[i] = any_word();
	for (u32 i = 0; i < sizeof(stack); i++)
		stack[i] = (u8)rnd_next(&rnd);
	w->m.rip = expected = CODE_AT + rnd_below(&rnd, AREA);
	w->m.flags = (u16)rnd_next(&rnd);
	w->m.flags_known = rnd_chance(&rnd, 90) ? 0xffff : (u16)rnd_next(&rnd);
	w->stack_at = w->m.gpr[4].value;
	w->stack = stack;
	w->n_stack = (u32)rnd_below(&rnd, sizeof(stack) + 1);
	n_runs = 0;
	walk_on(w, RUNS, INSNS);
	require(w->n_runs <= RUNS && w->n_insns <= INSNS, "no more than asked for");
	require(n_runs == w->n_runs, "each run was told");
	run.runs += w->n_runs;
	run.insns += w->n_insns;
	run.ends[w->end]++;
}

int main(int argc, char **argv)
{
	static struct walk walk;
	static const struct walk_world world = {
		.code = code_at, .page = page_at, .run = note, .guard = 0x1234
	};

	if (!options_read(argc, argv, &run.count, &run.seed, &run.start))
		return 2;
	walk.world = &world;
	walk.decoder = calloc(1, decode_scratch_size());
	for (run.now = run.start; run.now < run.start + run.count; run.now++)
		one(&walk, run.now);
	printf("%llu walks, %llu runs, %llu instructions; ends:", (unsigned long long)run.count,
	       (unsigned long long)run.runs, (unsigned long long)run.insns);
	for (u32 i = 0; i < WALK_ENDS_N; i++)
		printf(" %llu", (unsigned long long)run.ends[i]);
	printf("\n");
	return run.insns || run.count < 100 ? 0 : 1;
}
