/* SPDX-License-Identifier: MIT */
/*
 * What dynoptd makes of the kernel module's advice: how many traces it sends at once.
 */
#include "kernel_device.h"
#include "unit.h"

static void test_smaller(void)
{
	struct kernel_pace pace = { 0 };
	u32 sent = DYNOPT_SUBMIT_TRACES_MAX;

	while (sent > 1) {
		kernel_pace_take(&pace, DYNOPT_ADVICE_SMALLER);
		CU_ASSERT_EQUAL(pace.most, sent / 2);
		sent = pace.most;
	}
	kernel_pace_take(&pace, DYNOPT_ADVICE_SMALLER);
	CU_ASSERT_EQUAL(pace.most, 1);
}

static void test_larger_again(void)
{
	struct kernel_pace pace = { 100, 0 };

	kernel_pace_take(&pace, DYNOPT_ADVICE_SLOWER);
	CU_ASSERT_EQUAL(pace.most, 200);
	kernel_pace_take(&pace, 0);
	CU_ASSERT_EQUAL(pace.most, DYNOPT_SUBMIT_TRACES_MAX);
	kernel_pace_take(&pace, 0);
	CU_ASSERT_EQUAL(pace.most, DYNOPT_SUBMIT_TRACES_MAX);
}

static void test_advice_is_the_last(void)
{
	struct kernel_pace pace = { 0 };

	kernel_pace_take(&pace, DYNOPT_ADVICE_ENOUGH | DYNOPT_ADVICE_SLOWER);
	CU_ASSERT_EQUAL(pace.advice, DYNOPT_ADVICE_ENOUGH | DYNOPT_ADVICE_SLOWER);
	kernel_pace_take(&pace, 0);
	CU_ASSERT_EQUAL(pace.advice, 0);
}

static const struct unit_test tests[] = {
	{ "smaller", test_smaller },
	{ "larger again", test_larger_again },
	{ "the last one's", test_advice_is_the_last },
};

int main(void)
{
	return UNIT_RUN("pace", tests);
}
