/* SPDX-License-Identifier: MIT */
/*
 * What samples stand for, and when sampling rests: threads that are sampled as often as they once were, whatever is wanted now.
 */
#include "meter.h"
#include "unit.h"

#define MS 1000000ull

/* Ticks of 50 ms of CPU time; a sample comes each `each` ms of it, unless sampling rests. How many came in `ms`. */
static u64 run(struct meter *m, u64 *clock, u64 ms, u64 each, u64 wanted)
{
	bool rests = false;
	u64 all = 0;

	for (u64 end = *clock + ms * MS; *clock < end;) {
		u64 n = rests ? 0 : 50 / each;

		*clock += 50 * MS;
		all += n;
		rests = meter_rests(m, *clock, n, wanted * MS);
	}
	return all;
}

static void test_as_wanted(void)
{
	struct meter m = { 0 };
	u64 clock = 0;

	meter_want(&m, 2 * MS);
	CU_ASSERT_EQUAL(m.stands_ns, 2 * MS);
	CU_ASSERT_EQUAL(run(&m, &clock, 10000, 2, 2), 5000);
	CU_ASSERT_EQUAL(m.cpu_ns, 10000 * MS);
	CU_ASSERT_EQUAL(m.stands_ns, 2 * MS);
	/* Less often than wanted, as some of the time is the kernel's: each stands for more. */
	CU_ASSERT_EQUAL(run(&m, &clock, 10000, 5, 2), 2000);
	CU_ASSERT(m.stands_ns > 4 * MS && m.stands_ns < 6 * MS);
	CU_ASSERT_EQUAL(m.cpu_ns, 20000 * MS);
}

static void test_rests(void)
{
	static const u64 wanted[] = { 2, 4, 10, 50 };

	for (u32 i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		struct meter m = { 0 };
		u64 clock = 0, n;

		meter_want(&m, wanted[i] * MS);
		n = run(&m, &clock, 60000, 1, wanted[i]);
		CU_ASSERT(n > 50000 / wanted[i] && n <= 60000 / wanted[i] + 50);
		CU_ASSERT_EQUAL(m.cpu_ns, 60000 * MS); /* a rest is no less CPU time */
		CU_ASSERT_EQUAL(m.stands_ns, wanted[i] * MS);
	}
}

/* A third more often than wanted is not worth it. */
static void test_nearly(void)
{
	struct meter m = { 0 };
	u64 clock = 0;

	meter_want(&m, 6 * MS);
	CU_ASSERT_EQUAL(run(&m, &clock, 10000, 5, 6), 2000);
	CU_ASSERT_EQUAL(m.stands_ns, 5 * MS);
}

/* Who wants more samples than before does not wait for the end of a rest. */
static void test_wanted_anew(void)
{
	struct meter m = { 0 };

	meter_want(&m, 10 * MS);
	CU_ASSERT(meter_rests(&m, 100 * MS, 100, 10 * MS));
	CU_ASSERT(meter_rests(&m, 200 * MS, 0, 10 * MS));
	CU_ASSERT(meter_rests(&m, 999 * MS, 0, 10 * MS));
	meter_want(&m, MS);
	CU_ASSERT_FALSE(meter_rests(&m, 999 * MS, 0, MS));
	meter_want(&m, 10 * MS);
	CU_ASSERT(meter_rests(&m, 1099 * MS, 100, 10 * MS));
	CU_ASSERT(meter_rests(&m, 1998 * MS, 0, 10 * MS));
	CU_ASSERT_FALSE(meter_rests(&m, 1999 * MS, 0, 10 * MS));
}

/* Too few samples tell nothing; they are counted with those that follow. */
static void test_few(void)
{
	struct meter m = { 0 };

	meter_want(&m, 10 * MS);
	CU_ASSERT_FALSE(meter_rests(&m, 15 * MS, METER_LEAST - 1, 10 * MS));
	CU_ASSERT(meter_rests(&m, 16 * MS, 1, 10 * MS));
	CU_ASSERT_EQUAL(m.until_ns, METER_LEAST * 10 * MS);
}

static void test_no_clock(void)
{
	struct meter m = { 0 };

	meter_want(&m, 4 * MS); /* what the sampler can do */
	CU_ASSERT_FALSE(meter_rests(&m, 0, 1000, MS));
	CU_ASSERT_EQUAL(m.cpu_ns, 4000 * MS);
	CU_ASSERT_EQUAL(m.stands_ns, 4 * MS);
	/* A clock that goes back, as the process is another one, is not believed. */
	CU_ASSERT_FALSE(meter_rests(&m, 5000 * MS, 0, 4 * MS));
	CU_ASSERT_FALSE(meter_rests(&m, 10 * MS, 0, 4 * MS));
	CU_ASSERT_EQUAL(m.cpu_ns, 5000 * MS);
}

static const struct unit_test tests[] = {
	{ "as often as wanted", test_as_wanted },
	{ "more often: it rests", test_rests },
	{ "a little more often", test_nearly },
	{ "wanted anew", test_wanted_anew },
	{ "few samples", test_few },
	{ "no clock", test_no_clock },
};

int main(void)
{
	return UNIT_RUN("meter", tests);
}
