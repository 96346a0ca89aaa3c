/* SPDX-License-Identifier: MIT */
/*
 * What is left of a run's budget, beside a program, a clock and a memory that this test sets.
 */
#include "account.h"
#include "budget.h"
#include "remember.h"
#include "sys.h"
#include "unit.h"
#include "world.h"

#define SECOND_NS 1000000000u
#define MS_NS 1000000u
#define FAST_NS 3000u /* a sample, where the kernel is entered quickly, */
#define SLOW_NS 24000u /* and where it is not */

static struct world here;
struct world *world = &here;

static u64 agent_ns, expected_ns;
static s64 left_ns;

u64 sys_cpu_ns(void)
{
	return agent_ns;
}

s64 remember_left_ns(void)
{
	return left_ns;
}

u64 remember_expect(u64 cpu_ns)
{
	return expected_ns > cpu_ns ? expected_ns : cpu_ns;
}

static void begin(u64 samples, u64 used_ns)
{
	memset(&here, 0, sizeof(here));
	here.options.budget = 10;
	here.options.agent = 1;
	here.samples = samples;
	agent_ns = used_ns;
	expected_ns = 0;
	left_ns = 0;
}

/* Samples are taken from the same account as the agent's time. */
static void test_samples(void)
{
	struct account account = { .cpu_ns = 2ull * SECOND_NS };

	begin(500, 5 * MS_NS);
	CU_ASSERT_EQUAL(account_left(&account), 25 * MS_NS);
	account.sample_ns = FAST_NS;
	CU_ASSERT_EQUAL(account_left(&account), 25 * MS_NS - 500 * FAST_NS);
	account.sample_ns = SLOW_NS;
	CU_ASSERT_EQUAL(account_left(&account), 13 * MS_NS);
	CU_ASSERT(account_has(&account, 13 * MS_NS - 1));
	CU_ASSERT_FALSE(account_has(&account, 13 * MS_NS));
	here.samples = 1500;
	CU_ASSERT_EQUAL(account_left(&account), 0);
	CU_ASSERT_EQUAL(account_change(&account), 20 * MS_NS - 5 * MS_NS - 1500 * (s64)SLOW_NS);
}

/* Who does everything at once needs no account; tests have more time. */
static void test_modes(void)
{
	const struct account account = { .cpu_ns = 2ull * SECOND_NS };

	begin(0, 100 * MS_NS);
	CU_ASSERT_EQUAL(account_left(&account), 0);
	here.options.all = 1;
	CU_ASSERT_EQUAL(account_left(&account), 30 * ACCOUNT_TESTS * MS_NS - 100 * MS_NS);
	here.options.agent = 0;
	CU_ASSERT_EQUAL(account_left(&account), ~(u64)0);
}

/* What earlier runs have left is for what is known from them; what they owe stays owed. */
static void test_left(void)
{
	const struct account account = { .cpu_ns = 2ull * SECOND_NS };

	begin(0, 0);
	left_ns = 17 * MS_NS;
	CU_ASSERT_EQUAL(account_credit(&account), 37 * MS_NS);
	here.batches = 1;
	CU_ASSERT_EQUAL(account_credit(&account), 30 * MS_NS);
	left_ns = -7 * (s64)MS_NS;
	CU_ASSERT_EQUAL(account_credit(&account), 23 * MS_NS);
}

/* A run of which a part is over leaves what there is to the next, unless that is more than can be left. Samples count. */
static void test_waits(void)
{
	struct account account = { .cpu_ns = SECOND_NS, .sample_ns = SLOW_NS };

	begin(0, 0);
	CU_ASSERT_FALSE(account_waits(&account));
	expected_ns = 2ull * SECOND_NS;
	CU_ASSERT(account_waits(&account));
	here.options.all = 1;
	CU_ASSERT_FALSE(account_waits(&account));
	here.options.all = 0;
	account.cpu_ns = expected_ns / BUDGET_LATE - MS_NS;
	CU_ASSERT_FALSE(account_waits(&account));
	account.cpu_ns = SECOND_NS;
	left_ns = 15 * MS_NS;
	CU_ASSERT_FALSE(account_waits(&account));
	here.samples = 15 * MS_NS / SLOW_NS + 1;
	CU_ASSERT(account_waits(&account));
	CU_ASSERT(account_next_has(&account, BUDGET_LEFT_NS));
	CU_ASSERT_FALSE(
		account_next_has(&account, BUDGET_LEFT_NS + 1)); /* no next one will have that */
	account.cpu_ns = expected_ns / BUDGET_LATE - MS_NS;
	CU_ASSERT_FALSE(account_next_has(&account, MS_NS));
}

/* Who has looked, and has not saved what that took, owes it twice. */
static void test_vain(void)
{
	const struct account account = { .cpu_ns = 2ull * SECOND_NS };

	begin(0, 9 * MS_NS);
	CU_ASSERT_EQUAL(account_change(&account), 11 * MS_NS);
	here.batches = 1;
	CU_ASSERT_EQUAL(account_change(&account), 2 * MS_NS);
	here.saved_ns = 16 * MS_NS;
	CU_ASSERT_EQUAL(account_change(&account), 13 * MS_NS);
}

static const struct unit_test tests[] = {
	{ "samples", test_samples },
	{ "modes", test_modes },
	{ "left by earlier runs", test_left },
	{ "waits", test_waits },
	{ "in vain", test_vain },
};

int main(void)
{
	return UNIT_RUN("account", tests);
}
