/* SPDX-License-Identifier: MIT */
/*
 * How often a program is sampled, by what is known of it.
 */
#include "rate.h"
#include "unit.h"

#define LONG_NS (2ull * RATE_QUIET_AFTER_NS)

static u64 period(bool read, bool paid, u32 unchanged, u64 look_ns, u64 phase_ns)
{
	const struct rate rate = { .read = read,
		                   .paid = paid,
		                   .unchanged = unchanged,
		                   .look_ns = look_ns,
		                   .phase_ns = phase_ns };

	return rate_period(&rate);
}

static void test_stages(void)
{
	CU_ASSERT_EQUAL(period(false, true, 0, 0, LONG_NS), RATE_FIRST_NS);
	CU_ASSERT_EQUAL(period(true, true, 0, 0, LONG_NS), RATE_NEXT_NS);
	CU_ASSERT_EQUAL(period(false, false, 0, 0, LONG_NS), RATE_RARE_NS);
	CU_ASSERT_EQUAL(period(true, false, 0, 0, LONG_NS), RATE_RARE_NS);
	CU_ASSERT_EQUAL(period(true, true, 1, 0, LONG_NS), RATE_RARE_NS);
	CU_ASSERT_EQUAL(period(true, true, RATE_SETTLED, 0, LONG_NS), RATE_QUIET_NS);
	CU_ASSERT_EQUAL(period(true, true, 0, RATE_QUIET_AFTER_NS, LONG_NS), RATE_NEXT_NS);
	CU_ASSERT_EQUAL(period(true, true, 0, LONG_NS, LONG_NS), RATE_QUIET_NS);
	CU_ASSERT_EQUAL(period(false, false, 0, LONG_NS, LONG_NS), RATE_QUIET_NS);
}

/* It does something else: what was known of it counts no more, but the budget does. */
static void test_lively(void)
{
	CU_ASSERT_EQUAL(period(true, true, RATE_SETTLED, LONG_NS, 0), RATE_NEXT_NS);
	CU_ASSERT_EQUAL(period(true, false, RATE_SETTLED, LONG_NS, 0), RATE_RARE_NS);
	CU_ASSERT_EQUAL(period(true, true, 1, 0, RATE_QUIET_AFTER_NS), RATE_NEXT_NS);
}

static void test_all(void)
{
	const struct rate rate = { .all = true,
		                   .read = true,
		                   .sample_ns = RATE_FIRST_NS,
		                   .unchanged = RATE_SETTLED,
		                   .look_ns = LONG_NS,
		                   .phase_ns = LONG_NS };

	CU_ASSERT_EQUAL(rate_period(&rate), RATE_FIRST_NS);
}

/* Where entering the kernel is slow, all samples are rarer by the same; where it is fast, they are as rare as they are wanted. */
static void test_dear(void)
{
	struct rate rate = { .paid = true,
		             .sample_ns = 3 * RATE_FIRST_NS / RATE_PART,
		             .phase_ns = LONG_NS };

	CU_ASSERT_EQUAL(rate_period(&rate), rate.sample_ns * RATE_PART);
	rate.unchanged = RATE_SETTLED;
	CU_ASSERT_EQUAL(rate_period(&rate),
	                RATE_QUIET_NS / RATE_FIRST_NS * rate.sample_ns * RATE_PART);
	rate.sample_ns = RATE_FIRST_NS / RATE_PART / 2;
	CU_ASSERT_EQUAL(rate_period(&rate), RATE_QUIET_NS);
}

/* What earlier runs have told of waits for the budget, from which samples are paid. */
static void test_saves_up(void)
{
	struct rate rate = { .saves_up = true, .paid = true, .phase_ns = 0 };

	CU_ASSERT_EQUAL(rate_period(&rate), RATE_QUIET_NS);
	rate.saves_up = false;
	CU_ASSERT_EQUAL(rate_period(&rate), RATE_FIRST_NS);
}

static const struct unit_test tests[] = {
	{ "stages", test_stages },     { "another phase", test_lively }, { "for tests", test_all },
	{ "dear samples", test_dear }, { "saves up", test_saves_up },
};

int main(void)
{
	return UNIT_RUN("rate", tests);
}
