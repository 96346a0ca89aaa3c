/* SPDX-License-Identifier: MIT */
/*
 * Records of a perf ring: streams laid out by hand as perf_event_open(2) has them, whole, going round the ring's end, and damaged; what a
 * processor keeps of its branches, as runs; the names of events, as libpfm4 encodes them.
 */
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include "hardware.h"
#include "perf_record.h"
#include "runs.h"
#include "unit.h"

#define RING 1024u

static u8 bytes[RING];
static const struct perf_ring ring = { bytes, RING };
static u64 tail, head, record; /* record: where the last one begins */
static struct perf_found found;

static void begin(u64 at)
{
	memset(bytes, 0xaa, sizeof(bytes));
	tail = head = at;
}

static void put(const void *from, u64 size)
{
	for (u64 i = 0; i < size; i++)
		bytes[head++ % RING] = ((const u8 *)from)[i];
}

static void put64(u64 value)
{
	put(&value, 8);
}

static void put32(u32 value)
{
	put(&value, 4);
}

/* u32 type; u16 misc; u16 size */
static void open_record(u32 type)
{
	record = head;
	put32(type);
	put32(0);
}

static void set_size(u64 size)
{
	bytes[(record + 6) % RING] = (u8)size;
	bytes[(record + 7) % RING] = (u8)(size >> 8);
}

static void close_record(void)
{
	set_size(head - record);
}

static bool next(u64 type, u64 regs)
{
	struct perf_layout layout = { type, regs };

	return perf_next(&ring, &layout, &tail, head, &found);
}

#define TIME (PERF_SAMPLE_IP | PERF_SAMPLE_TID)
#define STACK (TIME | PERF_SAMPLE_BRANCH_STACK)
#define LOAD (TIME | PERF_SAMPLE_ADDR | PERF_SAMPLE_WEIGHT | PERF_SAMPLE_DATA_SRC)
#define MACHINE (TIME | PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER)

static void put_time(u64 ip)
{
	open_record(PERF_RECORD_SAMPLE);
	put64(ip);
	put32(70);
	put32(71);
}

static void put_branches(u64 ip, u32 n)
{
	put_time(ip);
	put64(n);
	for (u32 i = 0; i < n; i++) {
		put64(0x1000 + i);
		put64(0x2000 + i);
		put64(1);
	}
	close_record();
}

static void test_time(void)
{
	begin(0);
	put_time(0x401000);
	close_record();
	put_time(0x401002);
	close_record();
	CU_ASSERT_TRUE_FATAL(next(TIME, 0));
	CU_ASSERT_EQUAL(found.kind, PERF_KIND_SAMPLE);
	CU_ASSERT_EQUAL(found.sample.ip, 0x401000);
	CU_ASSERT_EQUAL(found.sample.pid, 70);
	CU_ASSERT_EQUAL(found.sample.tid, 71);
	CU_ASSERT_EQUAL(found.sample.addr, 0);
	CU_ASSERT_TRUE_FATAL(next(TIME, 0));
	CU_ASSERT_EQUAL(found.sample.ip, 0x401002);
	CU_ASSERT_FALSE(next(TIME, 0));
	CU_ASSERT_EQUAL(tail, head);
}

/* At each place of the ring, so that every field goes round its end once. */
static void test_round_the_end(void)
{
	for (u64 at = 0; at < RING; at += 8) {
		begin(5 * RING + at);
		put_branches(0x77, 3);
		CU_ASSERT_TRUE_FATAL(next(STACK, 0));
		CU_ASSERT_EQUAL(found.kind, PERF_KIND_SAMPLE);
		CU_ASSERT_EQUAL(found.sample.ip, 0x77);
		CU_ASSERT_EQUAL_FATAL(found.sample.n_branches, 3);
		CU_ASSERT_EQUAL(found.sample.branches[2].from, 0x1002);
		CU_ASSERT_EQUAL(found.sample.branches[2].to, 0x2002);
		CU_ASSERT_FALSE(next(STACK, 0));
	}
}

static void test_load(void)
{
	begin(0);
	put_time(0x401000);
	put64(0x7fff1234); /* address: behind the thread, in front of weight and source */
	put64(300);
	put64(0x68100142);
	close_record();
	CU_ASSERT_TRUE_FATAL(next(LOAD, 0));
	CU_ASSERT_EQUAL(found.kind, PERF_KIND_SAMPLE);
	CU_ASSERT_EQUAL(found.sample.addr, 0x7fff1234);
	CU_ASSERT_EQUAL(found.sample.weight, 300);
	CU_ASSERT_EQUAL(found.sample.source, 0x68100142);
}

/* Registers of three bits, and a stack of which 16 of 32 bytes are real. */
static void put_machine(u64 abi, u64 real)
{
	put_time(0x401000);
	put64(abi);
	for (u32 i = 0; abi && i < 3; i++)
		put64(0x100 + i);
	put64(32);
	for (u32 i = 0; i < 4; i++)
		put64(0x11 * (i + 1));
	put64(real);
	close_record();
}

static void test_machine(void)
{
	u64 word;

	begin(RING - 64); /* the stack's bytes go round */
	put_machine(PERF_SAMPLE_REGS_ABI_64, 16);
	CU_ASSERT_TRUE_FATAL(next(MACHINE, 0x181));
	CU_ASSERT_EQUAL(found.kind, PERF_KIND_SAMPLE);
	CU_ASSERT_EQUAL_FATAL(found.sample.n_regs, 3);
	CU_ASSERT_EQUAL(found.sample.regs[2], 0x102);
	CU_ASSERT_EQUAL_FATAL(found.sample.n_stack, 16);
	memcpy(&word, found.sample.stack + 8, 8);
	CU_ASSERT_EQUAL(word, 0x22);

	begin(0);
	put_machine(PERF_SAMPLE_REGS_ABI_NONE, 0); /* in the kernel all along */
	put_machine(PERF_SAMPLE_REGS_ABI_32, 8);
	CU_ASSERT_TRUE_FATAL(next(MACHINE, 0x181));
	CU_ASSERT_EQUAL(found.kind, PERF_KIND_SAMPLE);
	CU_ASSERT_EQUAL(found.sample.n_regs, 0);
	CU_ASSERT_EQUAL(found.sample.n_stack, 0);
	CU_ASSERT_TRUE_FATAL(next(MACHINE, 0x181));
	CU_ASSERT_EQUAL(found.kind, PERF_KIND_SAMPLE);
	CU_ASSERT_EQUAL(found.sample.n_regs, 0); /* not 64-bit code: nothing to be read as such */

	begin(0);
	put_machine(PERF_SAMPLE_REGS_ABI_64, 40); /* more than there is room for */
	CU_ASSERT_TRUE_FATAL(next(MACHINE, 0x181));
	CU_ASSERT_EQUAL(found.kind, PERF_KIND_BROKEN);
}

/* Where it ran, and what was counted, stand between the thread and the rest. */
static void test_place(void)
{
	const u64 type = TIME | PERF_SAMPLE_CPU | PERF_SAMPLE_READ | PERF_SAMPLE_BRANCH_STACK;

	begin(RING - 40);
	put_time(0x401000);
	put32(3);
	put32(0xffffffff); /* reserved */
	put64(123456789);
	put64(1);
	put64(0x10);
	put64(0x20);
	put64(0);
	close_record();
	CU_ASSERT_TRUE_FATAL(next(type, 0));
	CU_ASSERT_EQUAL(found.kind, PERF_KIND_SAMPLE);
	CU_ASSERT_EQUAL(found.sample.cpu, 3);
	CU_ASSERT_EQUAL(found.sample.value, 123456789);
	CU_ASSERT_EQUAL_FATAL(found.sample.n_branches, 1);
	CU_ASSERT_EQUAL(found.sample.branches[0].to, 0x20);

	begin(0);
	put_time(0x401000);
	put32(3);
	close_record(); /* cut off */
	CU_ASSERT_TRUE_FATAL(next(type, 0));
	CU_ASSERT_EQUAL(found.kind, PERF_KIND_BROKEN);
}

static void test_lost_and_others(void)
{
	begin(0);
	open_record(PERF_RECORD_LOST);
	put64(5);
	put64(1234);
	close_record();
	open_record(PERF_RECORD_THROTTLE);
	put64(1);
	put64(2);
	put64(3);
	close_record();
	open_record(PERF_RECORD_LOST); /* too short */
	put64(5);
	close_record();
	put_branches(9, 1);
	CU_ASSERT_TRUE_FATAL(next(STACK, 0));
	CU_ASSERT_EQUAL(found.kind, PERF_KIND_LOST);
	CU_ASSERT_EQUAL(found.lost, 1234);
	CU_ASSERT_TRUE_FATAL(next(STACK, 0));
	CU_ASSERT_EQUAL(found.kind, PERF_KIND_OTHER);
	CU_ASSERT_EQUAL(found.lost, 0);
	CU_ASSERT_TRUE_FATAL(next(STACK, 0));
	CU_ASSERT_EQUAL(found.kind, PERF_KIND_BROKEN);
	CU_ASSERT_TRUE_FATAL(next(STACK, 0));
	CU_ASSERT_EQUAL(found.kind, PERF_KIND_SAMPLE);
	CU_ASSERT_EQUAL(found.sample.ip, 9);
	CU_ASSERT_FALSE(next(STACK, 0));
}

/* A header that cannot be: all the rest is passed over, and nothing goes on for ever. */
static void loose(u64 size)
{
	begin(0);
	put_branches(1, 2);
	set_size(size);
	put_branches(2, 2);
	CU_ASSERT_TRUE_FATAL(next(STACK, 0));
	CU_ASSERT_EQUAL(found.kind, PERF_KIND_LOOSE);
	CU_ASSERT_EQUAL(tail, head);
	CU_ASSERT_FALSE(next(STACK, 0));
}

static void test_damaged(void)
{
	u64 whole;

	loose(0);
	loose(7);
	loose(0xffff);
	begin(0);
	put_branches(1, 2);
	whole = head;
	head -= 1; /* the ring's end lies in the record */
	CU_ASSERT_TRUE_FATAL(next(STACK, 0));
	CU_ASSERT_EQUAL(found.kind, PERF_KIND_LOOSE);
	tail = 0;
	head = 4; /* in the header */
	CU_ASSERT_TRUE_FATAL(next(STACK, 0));
	CU_ASSERT_EQUAL(found.kind, PERF_KIND_LOOSE);
	tail = 0;
	head = RING + 8; /* written over, as nobody has read */
	CU_ASSERT_TRUE_FATAL(next(STACK, 0));
	CU_ASSERT_EQUAL(found.kind, PERF_KIND_LOOSE);

	/* Each size from the header's to the record's own: what is missing makes it broken, and the next one is found. */
	for (u64 size = 8; size < whole; size++) {
		begin(0);
		put_branches(1, 2);
		head = size;
		set_size(size);
		put_branches(2, 0);
		CU_ASSERT_TRUE_FATAL(next(STACK, 0));
		CU_ASSERT_EQUAL(found.kind, PERF_KIND_BROKEN);
		CU_ASSERT_TRUE_FATAL(next(STACK, 0));
		CU_ASSERT_EQUAL(found.kind, PERF_KIND_SAMPLE);
		CU_ASSERT_EQUAL(found.sample.ip, 2);
	}
}

static void test_huge_counts(void)
{
	static const u64 counts[] = { PERF_BRANCHES_MAX + 1, 0x0aaaaaaaaaaaaaab, ~(u64)0 };

	for (u32 i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		begin(0);
		put_branches(1, 2);
		memcpy(bytes + 24, &counts[i], 8);
		CU_ASSERT_TRUE_FATAL(next(STACK, 0));
		CU_ASSERT_EQUAL(found.kind, PERF_KIND_BROKEN);
		begin(0);
		put_machine(PERF_SAMPLE_REGS_ABI_64, 16);
		memcpy(bytes + 56, &counts[i], 8); /* the stack's size */
		CU_ASSERT_TRUE_FATAL(next(MACHINE, 0x181));
		CU_ASSERT_EQUAL(found.kind, PERF_KIND_BROKEN);
	}
}

static void test_layouts(void)
{
	CU_ASSERT_TRUE(
		perf_layout_known(&(struct perf_layout){ STACK | LOAD | MACHINE, 0xff0fff }));
	CU_ASSERT_FALSE(perf_layout_known(&(struct perf_layout){ TIME | PERF_SAMPLE_PERIOD, 0 }));
	CU_ASSERT_FALSE(perf_layout_known(&(struct perf_layout){ MACHINE, 0x1ffffff }));
}

/* ---- runs ---- */

static struct runs runs;
static struct run all[64];
static u32 n_all;

static void note(void *ctx, const struct run *run)
{
	(void)ctx;
	if (n_all < 64)
		all[n_all++] = *run;
}

static u32 times(u64 start, u64 last, u64 to)
{
	n_all = 0;
	runs_each(&runs, last, last + 1, note, NULL);
	for (u32 i = 0; i < n_all; i++)
		if (all[i].start == start && all[i].to == to)
			return all[i].n;
	return 0;
}

static void test_stack(void)
{
	/* newest first: from 50 to 60; 30 -> 40; a gap, as what came between is not known; 10 -> 20 */
	static const struct perf_branch branches[] = {
		{ 50, 60 }, { 30, 40 }, { 0, 0 }, { 10, 20 }
	};

	memset(&runs, 0, sizeof(runs));
	runs_add_stack(&runs, branches, 4, 65);
	runs_add_stack(&runs, branches, 2, 65);
	CU_ASSERT_EQUAL(times(0, 10, 20), 1);
	CU_ASSERT_EQUAL(times(0, 30, 40), 2);
	CU_ASSERT_EQUAL(times(20, 30, 40), 0); /* over the gap */
	CU_ASSERT_EQUAL(times(40, 50, 60), 2);
	CU_ASSERT_EQUAL(times(60, 65, 0), 2);
	n_all = 0;
	runs_each(&runs, 10, 50, note, NULL);
	CU_ASSERT_EQUAL(n_all, 2);
	runs_add_stack(&runs, &(struct perf_branch){ 100, 200 }, 1,
	               150); /* backwards: not straight on */
	CU_ASSERT_EQUAL(times(200, 150, 0), 0);
}

static void test_full(void)
{
	memset(&runs, 0, sizeof(runs));
	runs_add(&runs, 1, 2, 3, 1000);
	for (u64 i = 0; i < 3 * RUNS_MAX; i++)
		runs_add(&runs, 0, 0x1000 + i * 16, 5, 1);
	CU_ASSERT_EQUAL(runs.touched, RUNS_MAX);
	CU_ASSERT(times(1, 2, 3) < 1000 &&
	          times(1, 2, 3) >= 1000 >> 4); /* older, and still there */
	CU_ASSERT_EQUAL(times(0, 0x1000 + (3 * RUNS_MAX - 1) * 16, 5), 1);
	runs_add(&runs, 9, 9, 9, 0xfffffff0u);
	runs_add(&runs, 9, 9, 9, 0xfffffff0u);
	CU_ASSERT_EQUAL(times(9, 9, 9), 0xffffffffu);
}

/* ---- names ---- */

static void test_names(void)
{
	static const u64 taken[] = { 0x20c4, 0xc4, 0xc4 }; /* BR_INST_RETIRED.NEAR_TAKEN; PMCx0C4 */

	setenv("LIBPFM_ENCODE_INACTIVE", "1", 1); /* also of other processors */
	CU_ASSERT_EQUAL_FATAL(hardware_rows(), 4);
	for (u32 i = 0; i < hardware_rows(); i++) {
		struct hardware_event event;
		const char *why = "";
		bool known = hardware_encode(i, &event, &why);

		if (!known)
			printf("\n    %s: %s\n", event.name, why);
		/* A name without a model is that of the processor's own table, which only Intel's have. */
		if (!known && !strstr(event.name, "::") && !__builtin_cpu_is("intel"))
			continue;
		CU_ASSERT_TRUE(known);
		CU_ASSERT_EQUAL(event.type, i < 3 ? PERF_TYPE_RAW : PERF_TYPE_HARDWARE);
		CU_ASSERT_EQUAL(event.config, i < 3 ? taken[i] : PERF_COUNT_HW_CPU_CYCLES);
	}
}

static const struct unit_test tests[] = {
	{ "time", test_time },
	{ "round the ring's end", test_round_the_end },
	{ "loads", test_load },
	{ "registers and stack", test_machine },
	{ "processors and counts", test_place },
	{ "lost records and others", test_lost_and_others },
	{ "damaged", test_damaged },
	{ "huge counts", test_huge_counts },
	{ "layouts", test_layouts },
	{ "branch stacks", test_stack },
	{ "a full table", test_full },
	{ "names", test_names },
};

int main(void)
{
	return UNIT_RUN("perf records", tests);
}
