/* SPDX-License-Identifier: MIT */
/* How many walks are wanted, and when enough is known for a first look: cold, and with what earlier runs have told. */
#include "unit.h"
#include "ways.h"

static void test_cold(void)
{
	struct ways ways = { .samples = 0 };

	CU_ASSERT_EQUAL(ways_due(&ways), WAYS_MOST);
	ways.walks = WAYS_WALKS - WAYS_LEAST;
	CU_ASSERT_EQUAL(ways_due(&ways), WAYS_LEAST);
	ways.walks++;
	CU_ASSERT_EQUAL(ways_due(&ways), 0);
	ways.samples = WAYS_ONE_OF;
	CU_ASSERT_EQUAL(ways_due(&ways), WAYS_LEAST);
	ways.walks = WAYS_WALKS + 8;
	CU_ASSERT_EQUAL(ways_due(&ways), 0);
	CU_ASSERT_FALSE(ways_known(&ways, WAYS_SAMPLES - 1, WAYS_WALKS - 1, 1));
	CU_ASSERT_TRUE(ways_known(&ways, WAYS_SAMPLES, 0, 1));
	CU_ASSERT_TRUE(ways_known(&ways, 0, WAYS_WALKS, 1));
	CU_ASSERT_TRUE(ways_known(&ways, 0, WAYS_WALKS / 16, 16));
}

/* Few walks do, of this run or of earlier ones; and so do many samples of earlier runs, where nobody walks. */
static void test_told(void)
{
	struct ways ways = { .told = true, .told_samples = WAYS_TOLD_SAMPLES - 1, .told_walks = 2 };

	CU_ASSERT_FALSE(ways_known(&ways, 0, WAYS_TOLD / 2 - 3, 1));
	CU_ASSERT_TRUE(ways_known(&ways, 0, WAYS_TOLD / 2 - 2, 1));
	CU_ASSERT_EQUAL(ways_due(&ways), WAYS_MOST);
	ways.told_samples = 0;
	CU_ASSERT_EQUAL(ways_due(&ways), WAYS_TOLD - 2);
	ways.told_samples = WAYS_TOLD_SAMPLES;
	CU_ASSERT_TRUE(ways_known(&ways, 0, 0, 1));
	ways.walks = WAYS_TOLD_SAMPLES / WAYS_ONE_OF - 2 - WAYS_LEAST;
	CU_ASSERT_EQUAL(ways_due(&ways), WAYS_LEAST);
	ways.walks = 0;
	ways.told_walks = WAYS_WALKS;
	CU_ASSERT_EQUAL(ways_due(&ways), 0);
	ways.samples = 2 * WAYS_LEAST * WAYS_ONE_OF;
	CU_ASSERT_EQUAL(ways_due(&ways), WAYS_MOST);
}

/* 2,000 instructions of four bytes are a walk's. */
static void test_runs(void)
{
	static struct runs runs;

	CU_ASSERT_EQUAL(ways_walks(&runs), 0);
	runs_add(&runs, 0x1000, 0x1000 + 40, 0x2000, 199);
	runs_add(&runs, 0, 0x9000, 0x2000, 1000); /* where it came from is not known */
	runs_add(&runs, 0x9000, 0x8000, 0x2000, 1000); /* a file says so, and no walk */
	CU_ASSERT_EQUAL(ways_walks(&runs), 0);
	runs_add(&runs, 0x2000, 0x2000 + 40, 0x1000, 201);
	CU_ASSERT_EQUAL(ways_walks(&runs), 2);
	runs_add(&runs, 0x2000, 0x2000 + 40, 0x1000, 1000000);
	CU_ASSERT_EQUAL(ways_walks(&runs), WAYS_WALKS);
}

static const struct unit_test tests[] = {
	{ "cold", test_cold },
	{ "told", test_told },
	{ "runs", test_runs },
};

int main(void)
{
	return UNIT_RUN("ways", tests);
}
