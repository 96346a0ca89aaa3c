/* SPDX-License-Identifier: MIT */
/*
 * fuzz_perf - records of a perf ring that are damaged in every way.
 *
 *     fuzz_perf [--count N] [--seed S] [--start I]
 *
 * Case I of seed S is always the same. A case is a ring of records as the kernel lays them, some of whose words are spoilt, read to its end; the ring is a
 * block of its own, so that AddressSanitizer sees each byte beside it. Rules: each step moves on and not beyond the end; no count is larger than its array.
 * Exit codes: 0 nothing found, 1 found something, 2 wrong use.
 */
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "options.h"
#include "perf_record.h"
#include "rnd.h"

#define SIZE_LEAST 256u
#define SIZES 4
#define RECORDS 12

static struct {
	u64 seed, start, count, now;
	u64 kinds[PERF_KIND_LOOSE + 1];
} run = { .seed = 1, .count = 100000 };

static u8 *rings[SIZES];
static struct perf_ring ring;
static u64 head;

static void require(bool good, const char *rule)
{
	if (good)
		return;
	fprintf(stderr,
	        "fuzz_perf: broken rule: %s\nfuzz_perf: to repeat: fuzz_perf --seed %llu --start %llu --count 1\n",
	        rule, (unsigned long long)run.seed, (unsigned long long)run.now);
	_exit(1);
}

static void put(u64 value)
{
	memcpy((u8 *)ring.data + (head & (ring.size - 1)), &value, sizeof(value));
	head += sizeof(value);
}

/* A count, and here and there one that is none. */
static u64 counted(u64 *rnd, u64 most)
{
	return rnd_chance(rnd, 3) ? rnd_next(rnd) >> rnd_below(rnd, 64) : rnd_below(rnd, most + 1);
}

static void put_sample(u64 *rnd, const struct perf_layout *layout)
{
	u64 n;

	put(rnd_next(rnd));
	put(rnd_next(rnd));
	if (layout->type & PERF_SAMPLE_ADDR)
		put(rnd_next(rnd));
	if (layout->type & PERF_SAMPLE_BRANCH_STACK) {
		put(n = counted(rnd, 6));
		for (u64 i = 0; i < 3 * n && i < 18; i++)
			put(rnd_next(rnd));
	}
	if (layout->type & PERF_SAMPLE_REGS_USER) {
		put(n = rnd_below(rnd, 4));
		for (int i = 0; n && i < __builtin_popcountll(layout->regs); i++)
			put(rnd_next(rnd));
	}
	if (layout->type & PERF_SAMPLE_STACK_USER) {
		put(n = counted(rnd, 4) * 8);
		for (u64 i = 0; i < n / 8 && i < 4; i++)
			put(rnd_next(rnd));
		if (n)
			put(counted(rnd, 32));
	}
	if (layout->type & PERF_SAMPLE_WEIGHT)
		put(rnd_next(rnd));
	if (layout->type & PERF_SAMPLE_DATA_SRC)
		put(rnd_next(rnd));
}

static void put_record(u64 *rnd, const struct perf_layout *layout)
{
	u64 at = head, size, type = rnd_chance(rnd, 85) ? PERF_RECORD_SAMPLE : rnd_below(rnd, 24);

	put(0);
	if (type == PERF_RECORD_SAMPLE)
		put_sample(rnd, layout);
	else
		for (u64 n = rnd_below(rnd, 4); n > 0; n--)
			put(rnd_next(rnd));
	size = rnd_chance(rnd, 4) ? rnd_next(rnd) & 0xffff : head - at;
	size = type | size << 48;
	memcpy((u8 *)ring.data + (at & (ring.size - 1)), &size, sizeof(size));
}

static void one(u64 number)
{
	static const u64 types[] = { 0,
		                     PERF_SAMPLE_ADDR,
		                     PERF_SAMPLE_BRANCH_STACK,
		                     PERF_SAMPLE_REGS_USER,
		                     PERF_SAMPLE_STACK_USER,
		                     PERF_SAMPLE_WEIGHT,
		                     PERF_SAMPLE_DATA_SRC };
	static struct perf_found found;
	struct perf_layout layout = { PERF_SAMPLE_IP | PERF_SAMPLE_TID, 0 };
	u64 rnd = rnd_start(run.seed, 0, number), at, limit;
	u32 which = (u32)rnd_below(&rnd, SIZES);

	ring = (struct perf_ring){ rings[which], SIZE_LEAST << which };
	for (u32 i = 0; i < 3; i++)
		layout.type |= types[rnd_below(&rnd, sizeof(types) / sizeof(types[0]))];
	layout.regs = rnd_next(&rnd) & 0xff0fff & rnd_next(&rnd);
	require(perf_layout_known(&layout), "the layout is known");
	head = at = rnd_next(&rnd) >> 8 & ~(u64)7;
	for (u64 n = rnd_below(&rnd, RECORDS); n > 0; n--)
		put_record(&rnd, &layout);
	if (head - at > ring.size && rnd_chance(&rnd, 90))
		at = head - ring.size; /* begins within a record */
	if (rnd_chance(&rnd, 5))
		head -= rnd_below(&rnd, head - at + 1);
	limit = (head - at) / 8 + 1;
	for (u64 before = at; perf_next(&ring, &layout, &at, head, &found); before = at) {
		require(at > before && at <= head, "each step moves on, and not beyond the end");
		require(limit-- > 0, "not more records than there is room for");
		require(found.kind <= PERF_KIND_LOOSE, "a kind");
		run.kinds[found.kind]++;
		require(found.kind != PERF_KIND_SAMPLE ||
		                (found.sample.n_branches <= PERF_BRANCHES_MAX &&
		                 found.sample.n_regs <= PERF_REGS_MAX &&
		                 found.sample.n_stack <= PERF_STACK_MAX),
		        "no count is larger than its array");
	}
	require(at == head, "all of it was read");
}

int main(int argc, char **argv)
{
	if (!options_read(argc, argv, &run.count, &run.seed, &run.start))
		return 2;
	for (u32 i = 0; i < SIZES; i++)
		if (!(rings[i] = calloc(1, SIZE_LEAST << i)))
			return 2;
	for (run.now = run.start; run.now < run.start + run.count; run.now++)
		one(run.now);
	printf("%llu cases: %llu samples, %llu lost, %llu others, %llu broken, %llu loose\n",
	       (unsigned long long)run.count, (unsigned long long)run.kinds[PERF_KIND_SAMPLE],
	       (unsigned long long)run.kinds[PERF_KIND_LOST],
	       (unsigned long long)run.kinds[PERF_KIND_OTHER],
	       (unsigned long long)run.kinds[PERF_KIND_BROKEN],
	       (unsigned long long)run.kinds[PERF_KIND_LOOSE]);
	return run.kinds[PERF_KIND_SAMPLE] || run.count < 1000 ? 0 : 1;
}
