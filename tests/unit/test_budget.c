/* SPDX-License-Identifier: MIT */
/*
 * What the agent may use: its part of the program's CPU time, paid a little beforehand, a part of what is saved, and what earlier runs have left; when it is better left to the next run; and how runs become lines of a file.
 */
#include "budget.h"
#include "unit.h"

#include <string.h>

#define MS 1000000ll

static const u64 lengths[] = { 0, 5, 49, 100, 500, 3000, 3001, 60000, 3600000 }; /* ms */
#define LENGTHS (sizeof(lengths) / sizeof(lengths[0]))

static u64 credit(u64 cpu_ms, s64 left_ms)
{
	const struct budget b = { 10, cpu_ms * MS, 0, 0, left_ms * MS, false };

	return budget_credit(&b);
}

static void test_credit(void)
{
	CU_ASSERT_EQUAL(credit(0, 0), 0); /* nothing before anything is used */
	CU_ASSERT_EQUAL(credit(100, 0), 3 * MS);
	CU_ASSERT_EQUAL(credit(334, 0), 10 * MS);
	CU_ASSERT_EQUAL(credit(1000, 0), 10 * MS);
	CU_ASSERT_EQUAL(credit(1500, 0),
	                20 * MS); /* as long again as it is past the first second */
	CU_ASSERT_EQUAL(credit(2000, 0), 30 * MS);
	CU_ASSERT_EQUAL(credit(5000, 0), 60 * MS); /* a second more, where nothing is saved */
	CU_ASSERT_EQUAL(credit(10000, 0), 110 * MS);
	CU_ASSERT_EQUAL(credit(2000, -20), 10 * MS);
	CU_ASSERT_EQUAL(credit(0, 20), 20 * MS);
	CU_ASSERT_EQUAL(credit(100, 20),
	                21 * MS); /* enough to begin with: nothing is paid beforehand */
	CU_ASSERT_EQUAL(credit(500, 4), 10 * MS);
	CU_ASSERT_EQUAL(credit(1000, 20), 30 * MS);
	CU_ASSERT_EQUAL(credit(100, -2), 1 * MS);
	CU_ASSERT_EQUAL(credit(100, -20), 0);
	for (u32 i = 0; i < LENGTHS; i++) {
		u64 cpu = lengths[i], most = cpu > 2000   ? cpu + 1000
		                             : cpu > 1000 ? 2 * cpu - 1000
		                                          : 1000;

		CU_ASSERT(credit(cpu, 0) <= (3 * cpu < most ? 3 * cpu : most) * MS / 100);
		CU_ASSERT(credit(cpu, 0) >= cpu * MS / 100);
	}
}

/* An eighth of what is saved, and no more than half as much again. */
static void test_saved(void)
{
	struct budget b = { 10, 10000 * MS, 160 * MS, 0, 0, false };

	CU_ASSERT_EQUAL(budget_credit(&b), 140 * MS); /* 120, and more is there for as long again */
	b.saved_ns = 400 * MS;
	CU_ASSERT_EQUAL(budget_credit(&b), 150 * MS);
	b.saved_ns = 9000 * MS;
	CU_ASSERT_EQUAL(budget_credit(&b), 150 * MS);
	b.saved_ns = 7 * MS;
	CU_ASSERT_EQUAL(budget_credit(&b), 117 * MS);
	b.saved_ns = -4000 * MS;
	CU_ASSERT_EQUAL(budget_credit(&b), 110 * MS);
	b.cpu_ns = 20000 * MS;
	CU_ASSERT_EQUAL(budget_credit(&b), 210 * MS);
	b.saved_ns = 400 * MS;
	CU_ASSERT_EQUAL(budget_credit(&b), 250 * MS);
	b.saved_ns = 30 * MS;
	b.cpu_ns = 3000 * MS;
	CU_ASSERT_EQUAL(budget_credit(&b), 50 * MS); /* two seconds past the first, as long again */
	b = (struct budget){ 10, 800 * MS, 160 * MS, 0, 0, false };
	CU_ASSERT_EQUAL(budget_credit(&b),
	                12 * MS); /* 8 and 4: nothing of it is there beforehand */
	b.cpu_ns = 400 * MS;
	CU_ASSERT_EQUAL(budget_credit(&b), 10 * MS);
	b.cpu_ns = 1500 * MS;
	CU_ASSERT_EQUAL(budget_credit(&b), 22500000);
}

/* Half of what a run will earn, at once, and no more until it has earned as much. */
static void test_known(void)
{
	struct budget b = { 10, 0, 0, 6000 * MS, 0, false };

	CU_ASSERT_EQUAL(budget_credit(&b), 30 * MS);
	b.left_ns = -20 * MS;
	CU_ASSERT_EQUAL(budget_credit(&b), 10 * MS);
	b.left_ns = 20 * MS;
	CU_ASSERT_EQUAL(budget_credit(&b), 30 * MS);
	b.left_ns = 0;
	b.cpu_ns = 2000 * MS;
	CU_ASSERT_EQUAL(budget_credit(&b), 30 * MS);
	b.cpu_ns = 4000 * MS;
	CU_ASSERT_EQUAL(budget_credit(&b), 50 * MS);
	b = (struct budget){ 10, 0, 0, 3600000 * MS, 0, false };
	CU_ASSERT_EQUAL(budget_credit(&b), 40 * MS);
	b = (struct budget){ 10, 500 * MS, 0, 1000 * MS, 0, false };
	CU_ASSERT_EQUAL(budget_credit(&b), 10 * MS);
}

/* What is paid beforehand is taken back from who ends early. */
static void test_change(void)
{
	const struct budget young = { 10, 500 * MS, 0, 0, 7 * MS, false };
	const struct budget old = { 10, 4000 * MS, 64 * MS, 0, 7 * MS, false };

	CU_ASSERT_EQUAL(budget_change(&young, 15 * MS), -10 * MS);
	CU_ASSERT_EQUAL(budget_change(&young, 2 * MS), 3 * MS);
	CU_ASSERT_EQUAL(budget_change(&old, 30 * MS), 18 * MS);
}

/* Who has looked in vain is not soon to do so again. */
static void test_vain(void)
{
	struct budget b = { 10, 1000 * MS, 0, 0, 0, true };

	CU_ASSERT_EQUAL(budget_change(&b, 4 * MS), 2 * MS);
	CU_ASSERT_EQUAL(budget_change(&b, 16 * MS), -16 * MS);
	b.saved_ns = 16 * MS - 1;
	CU_ASSERT_EQUAL(budget_change(&b, 16 * MS), -16 * MS + 16 * MS / BUDGET_SAVED - 1);
	b.saved_ns++;
	CU_ASSERT_EQUAL(budget_change(&b, 16 * MS), -6 * MS + 16 * MS / BUDGET_SAVED);
	b.saved_ns = 0;
	b.looked = false;
	CU_ASSERT_EQUAL(budget_change(&b, 16 * MS), -6 * MS);
}

static void test_waits(void)
{
	struct budget b = { 10, 100 * MS, 0, 0, 0, false };

	CU_ASSERT_FALSE(budget_waits(&b, 1000 * MS, 2 * MS)); /* it has just begun */
	b.cpu_ns = 300 * MS;
	CU_ASSERT_TRUE(budget_waits(&b, 1000 * MS, 2 * MS));
	CU_ASSERT_FALSE(budget_waits(&b, 10000 * MS, 2 * MS));
	b.left_ns = BUDGET_LEFT_NS - 8 * MS; /* what is left at the end can just be carried on */
	CU_ASSERT_TRUE(budget_waits(&b, 1000 * MS, 2 * MS));
	b.left_ns += 1;
	CU_ASSERT_FALSE(budget_waits(&b, 1000 * MS, 2 * MS));
	b.left_ns = 0;
	b.cpu_ns = 3000 * MS;
	CU_ASSERT_FALSE(budget_waits(&b, 10000 * MS, 2 * MS)); /* 98 ms cannot */
}

static void test_expect(void)
{
	struct budget_past past = { { 0 }, 0 };

	CU_ASSERT_EQUAL(budget_expect(&past, 7 * MS), 7 * MS); /* nothing is known */
	budget_add(&past, 3000 * MS, 0);
	budget_add(&past, 2900 * MS + 1, 0);
	CU_ASSERT_EQUAL(past.ms[0], 2900);
	CU_ASSERT_EQUAL(past.ms[1], 3000);
	CU_ASSERT_EQUAL(budget_expect(&past, 0), 2900 * MS);
	CU_ASSERT_EQUAL(budget_expect(&past, 2950 * MS), 3000 * MS);
	CU_ASSERT_EQUAL(budget_expect(&past, 4000 * MS), 4000 * MS);
	budget_add(&past, 5 * MS,
	           0); /* started in vain: nothing is expected until it is past that */
	CU_ASSERT_EQUAL(budget_expect(&past, 0), 5 * MS);
	CU_ASSERT_EQUAL(budget_expect(&past, 5 * MS), 2900 * MS);
	budget_add(&past, 0, 0);
	CU_ASSERT_EQUAL(budget_expect(&past, 0), 1 * MS);
	for (u32 i = 0; i < BUDGET_RUNS; i++)
		budget_add(&past, 20 * MS, 0); /* long ones are forgotten */
	CU_ASSERT_EQUAL(budget_expect(&past, 0), 20 * MS);
	CU_ASSERT_EQUAL(budget_expect(&past, 20 * MS), 20 * MS);
	budget_add(&past, ~0ull, 0);
	CU_ASSERT_EQUAL(past.ms[0], 0xffffffff);
}

static void test_account(void)
{
	struct budget_past past = { { 0 }, 0 };

	budget_add(&past, MS, 5 * MS + 1999);
	CU_ASSERT_EQUAL(past.left_us, 5001);
	budget_add(&past, MS, -7 * MS);
	CU_ASSERT_EQUAL(past.left_us, -1999);
	budget_add(&past, MS, 1000 * MS);
	CU_ASSERT_EQUAL(past.left_us, BUDGET_LEFT_NS / 1000);
	budget_add(&past, MS, -1000 * MS);
	CU_ASSERT_EQUAL(past.left_us, -BUDGET_LEFT_NS / 1000);
}

static const char whole[] =
	"ran 0000003120 4294967295 0000000000 0000000007 0000000001 0000000002 0000000003 1234567890\n";

/* What a run keeps are half of its samples, and half of what it has found. */
static void test_sampled(void)
{
	struct budget_past past = { { 0 }, 0 };

	CU_ASSERT_EQUAL(budget_sampled_ns(&past, 2), 0);
	past.ms[0] = 1000;
	CU_ASSERT_EQUAL(budget_sampled_ns(&past, 2), 500000000u);
	CU_ASSERT_EQUAL(budget_sampled_ns(&past, 4), 250000000u);
	past.ms[1] = 400;
	CU_ASSERT_EQUAL(budget_sampled_ns(&past, 2), 600000000u);
	past.ms[7] = 2560;
	CU_ASSERT_EQUAL(budget_sampled_ns(&past, 2), 610000000u);
	for (u32 i = 0; i < BUDGET_RUNS; i++)
		past.ms[i] = 0xffffffffu;
	CU_ASSERT_TRUE(budget_sampled_ns(&past, 2) > 0xfe000000u * (u64)1000000);
}

static void lines_of(const char *first, const char *second, char out[BUDGET_LINES])
{
	memset(out, 0, BUDGET_LINES);
	memcpy(out, first, strlen(first));
	memcpy(out + strlen(first), second,
	       BUDGET_LINES - strlen(first) < strlen(second) ? BUDGET_LINES - strlen(first)
	                                                     : strlen(second));
}

static void test_lines(void)
{
	static const char *const wrong_first[] = {
		"ran 0000003120 0000000000 0000000000 0000000000 0000000000 0000000000 0000000000 000000000x\n",
		"ran 0000003120 0000000000 0000000000 0000000000 0000000000 0000000000 0000000000 0000000000 ",
		"ran 4294967296 0000000000 0000000000 0000000000 0000000000 0000000000 0000000000 0000000000\n",
		"ran 0000003120x0000000000 0000000000 0000000000 0000000000 0000000000 0000000000 0000000000\n",
		"run 0000003120 0000000000 0000000000 0000000000 0000000000 0000000000 0000000000 0000000000\n",
	};
	static const char *const wrong_second[] = {
		"left 0000020001\n", "owed 0000020001\n", "left 9999999999\n",  "left 000000000x\n",
		"lost 0000000000\n", "left 0000000000 ",  "left0000000000\n\n", "",
	};
	struct budget_past past = { { 3120, 4294967295u, 0, 7, 1, 2, 3, 1234567890 }, 6000 }, back;
	char lines[BUDGET_LINES], expected[BUDGET_LINES];

	budget_print(&past, lines);
	lines_of(whole, "left 0000006000\n", expected);
	CU_ASSERT_EQUAL(memcmp(lines, expected, BUDGET_LINES), 0);
	CU_ASSERT_TRUE(budget_parse(lines, sizeof(lines), &back));
	CU_ASSERT_EQUAL(memcmp(&past, &back, sizeof(past)), 0);
	CU_ASSERT_FALSE(budget_parse(lines, sizeof(lines) - 1, &back));
	past.left_us = -19999;
	budget_print(&past, lines);
	lines_of(whole, "owed 0000019999\n", expected);
	CU_ASSERT_EQUAL(memcmp(lines, expected, BUDGET_LINES), 0);
	CU_ASSERT_TRUE(budget_parse(lines, sizeof(lines), &back));
	CU_ASSERT_EQUAL(memcmp(&past, &back, sizeof(past)), 0);
	for (u32 i = 0; i < sizeof(wrong_first) / sizeof(wrong_first[0]); i++) {
		lines_of(wrong_first[i], "left 0000000000\n", lines);
		CU_ASSERT_FALSE(budget_parse(lines, BUDGET_LINES, &back));
	}
	for (u32 i = 0; i < sizeof(wrong_second) / sizeof(wrong_second[0]); i++) {
		lines_of(whole, wrong_second[i], lines);
		CU_ASSERT_FALSE(budget_parse(lines, BUDGET_LINES, &back));
	}
	CU_ASSERT_EQUAL(memcmp(&past, &back, sizeof(past)), 0); /* untouched */
}

static const struct unit_test tests[] = {
	{ "what it may use", test_credit },  { "what is known of a run", test_known },
	{ "what is saved", test_saved },     { "what a run changes", test_change },
	{ "what was in vain", test_vain },   { "what can wait", test_waits },
	{ "what is expected", test_expect }, { "what is carried on", test_account },
	{ "runs as lines", test_lines },     { "what samples stand for", test_sampled },
};

int main(void)
{
	return UNIT_RUN("budget", tests);
}
