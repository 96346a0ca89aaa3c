/* SPDX-License-Identifier: MIT */
/*
 * What the agent may use: never more than its 100 ms and its part, whatever is expected; and what lengths of earlier runs let expect.
 */
#include "budget.h"
#include "unit.h"

#define MS 1000000ull

static const u64 lengths[] = { 0, 5, 49, 100, 500, 3000, 3001, 60000, 3600000 }; /* ms */
#define LENGTHS (sizeof(lengths) / sizeof(lengths[0]))

static void test_credit(void)
{
	CU_ASSERT_EQUAL(budget_credit(0, 0, 10), 10 * MS);
	CU_ASSERT_EQUAL(budget_credit(1000 * MS, 0, 10), 40 * MS);
	CU_ASSERT_EQUAL(budget_credit(4500 * MS, 0, 10), 145 * MS);
	CU_ASSERT_EQUAL(budget_credit(10000 * MS, 0, 10), 200 * MS);
	CU_ASSERT_EQUAL(budget_credit(0, 1000 * MS, 10), 40 * MS);
	CU_ASSERT_EQUAL(budget_credit(0, 3000 * MS, 10), 100 * MS);
	for (u32 i = 0; i < LENGTHS; i++)
		for (u32 k = 0; k < LENGTHS; k++) {
			u64 cpu = lengths[i] * MS, expected = lengths[k] * MS;
			u64 credit = budget_credit(cpu, expected, 10);

			CU_ASSERT(credit <= BUDGET_CREDIT_NS + cpu / 100);
			CU_ASSERT(credit >= budget_credit(cpu, 0, 10));
			CU_ASSERT(expected > cpu || credit == budget_credit(cpu, 0, 10));
		}
}

static void test_expect(void)
{
	struct budget_runs runs = { { 0 } };

	CU_ASSERT_EQUAL(budget_expect(&runs, 7 * MS), 7 * MS); /* nothing is known */
	budget_add(&runs, 3000 * MS);
	budget_add(&runs, 2900 * MS + 1);
	CU_ASSERT_EQUAL(runs.ms[0], 2900);
	CU_ASSERT_EQUAL(runs.ms[1], 3000);
	CU_ASSERT_EQUAL(budget_expect(&runs, 0), 2900 * MS);
	CU_ASSERT_EQUAL(budget_expect(&runs, 2950 * MS), 3000 * MS);
	CU_ASSERT_EQUAL(budget_expect(&runs, 4000 * MS), 4000 * MS);
	budget_add(&runs, 5 * MS); /* started in vain: nothing is expected until it is past that */
	CU_ASSERT_EQUAL(budget_expect(&runs, 0), 5 * MS);
	CU_ASSERT_EQUAL(budget_expect(&runs, 5 * MS), 2900 * MS);
	budget_add(&runs, 0);
	CU_ASSERT_EQUAL(budget_expect(&runs, 0), 1 * MS);
	for (u32 i = 0; i < BUDGET_RUNS; i++)
		budget_add(&runs, 20 * MS); /* long ones are forgotten */
	CU_ASSERT_EQUAL(budget_expect(&runs, 0), 20 * MS);
	CU_ASSERT_EQUAL(budget_expect(&runs, 20 * MS), 20 * MS);
	budget_add(&runs, ~0ull);
	CU_ASSERT_EQUAL(runs.ms[0], 0xffffffff);
}

static void test_line(void)
{
	static const char wrong[][BUDGET_LINE + 1] = {
		"ran 0000003120 0000000000 0000000000 0000000000 0000000000 0000000000 0000000000 000000000x\n",
		"ran 0000003120 0000000000 0000000000 0000000000 0000000000 0000000000 0000000000 0000000000 ",
		"ran 4294967296 0000000000 0000000000 0000000000 0000000000 0000000000 0000000000 0000000000\n",
		"ran 0000003120x0000000000 0000000000 0000000000 0000000000 0000000000 0000000000 0000000000\n",
		"run 0000003120 0000000000 0000000000 0000000000 0000000000 0000000000 0000000000 0000000000\n",
	};
	struct budget_runs runs = { { 3120, 4294967295u, 0, 7, 1, 2, 3, 1234567890 } }, back;
	char line[BUDGET_LINE];

	budget_print(&runs, line);
	CU_ASSERT_EQUAL(
		memcmp(line,
	               "ran 0000003120 4294967295 0000000000 0000000007 0000000001 0000000002 0000000003 1234567890\n",
	               BUDGET_LINE),
		0);
	CU_ASSERT_TRUE(budget_parse(line, sizeof(line), &back));
	CU_ASSERT_EQUAL(memcmp(&runs, &back, sizeof(runs)), 0);
	CU_ASSERT_FALSE(budget_parse(line, sizeof(line) - 1, &back));
	for (u32 i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CU_ASSERT_FALSE(budget_parse(wrong[i], BUDGET_LINE, &back));
	CU_ASSERT_EQUAL(memcmp(&runs, &back, sizeof(runs)), 0); /* untouched */
}

static const struct unit_test tests[] = {
	{ "what it may use", test_credit },
	{ "what is expected", test_expect },
	{ "lengths as a line", test_line },
};

int main(void)
{
	return UNIT_RUN("budget", tests);
}
