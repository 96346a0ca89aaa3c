/* SPDX-License-Identifier: MIT */
/*
 * Which translations are kept. Numbers are for one entry: saved instructions, executed ones, ways out.
 */
#include "unit.h"
#include "worth.h"

#define E COST_ENTRY
#define SITES 4

/* ---- what a translation saves ---- */

/* By samples, for one entry: executed in original text, and in the translation; leaves it so often by one of its ways. */
static struct verdict of_code(bool sampled, u64 original, u64 cost, u32 leaves)
{
	struct code_fixup fixups[] = {
		{ .kind = FIXUP_BACK, .flow = 50 * E },
		{ .kind = FIXUP_EXIT, .flow = leaves },
		{ .kind = FIXUP_TABLE, .flow = 7 * E },
		{ .kind = FIXUP_EXIT, .flow = E - leaves },
	};
	struct code code = {
		.cost_original = original * E, .cost = cost * E, .fixups = fixups, .n_fixups = 4
	};
	struct verdict verdict = { .entries = 1, .jumps = 1 };

	worth_of(&code, sampled, &verdict);
	return verdict;
}

static bool is_kept(struct verdict verdict, bool sampled)
{
	struct worth w = { &verdict, 1, NULL, sampled };

	worth_together(&w);
	CU_ASSERT(!verdict.status || verdict.status == STATUS_COST_GAIN);
	return !verdict.status;
}

static void test_gain(void)
{
	struct verdict v = of_code(false, 400, 391, E / 4);

	CU_ASSERT_EQUAL(v.gain, 9 * E);
	CU_ASSERT_EQUAL(v.toll, 0);
	v = of_code(true, 400, 391, E / 4);
	CU_ASSERT_EQUAL(v.gain, 9 * E);
	CU_ASSERT_EQUAL(v.toll, 391 * E / WORTH_TOLL + (WORTH_JUMP - 1) * E);
	v = of_code(false, 10, 13, 0);
	CU_ASSERT_EQUAL(v.gain, -3 * (s64)E);
}

/* It costs its jump in; by samples twice that, its jump out once more than it executes, and one of forty instructions. */
static void test_alone(void)
{
	CU_ASSERT_FALSE(is_kept(of_code(false, 401, 400, 0), false));
	CU_ASSERT_TRUE(is_kept(of_code(false, 402, 400, 0), false));
	/* 400 / 40, 2 in, 1 out */
	CU_ASSERT_FALSE(is_kept(of_code(true, 413, 400, 0), true));
	CU_ASSERT_TRUE(is_kept(of_code(true, 414, 400, 0), true));
	/* A short one's toll is mostly its jumps. */
	CU_ASSERT_FALSE(is_kept(of_code(true, 6, 3, 0), true));
	CU_ASSERT_TRUE(is_kept(of_code(true, 7, 3, 0), true));
}

static void test_short_site(void)
{
	struct verdict v = of_code(false, 402, 400, 0);

	CU_ASSERT_EQUAL(worth_alone(&v, 1, false), E);
	CU_ASSERT_EQUAL(worth_alone(&v, 2, false), 0);
	CU_ASSERT_EQUAL(worth_alone(&v, 1, true), 0);
	CU_ASSERT_EQUAL(worth_alone(&v, 2, true), -2 * (s64)E);
	v.jumps = 2;
	CU_ASSERT_FALSE(is_kept(v, false));
	v.gain++;
	CU_ASSERT_TRUE(is_kept(v, false));
}

/* One that is live has to lose a quarter of an instruction before it goes. */
static void test_live(void)
{
	struct verdict v = { .entries = 1, .jumps = 1, .gain = E - WORTH_SLACK + 1 };

	CU_ASSERT_FALSE(is_kept(v, false));
	v.live = true;
	CU_ASSERT_TRUE(is_kept(v, false));
	v.gain--;
	CU_ASSERT_FALSE(is_kept(v, false));
}

/* ---- together ---- */

static struct {
	struct verdict verdicts[SITES];
	struct lead leads[SITES];
	struct worth w;
} set;

/* Sites 0 and 1 are entered as often as each other; each entry saves so much. Leads are added. */
static void begin(bool sampled, s64 gain0, s64 gain1)
{
	memset(&set, 0, sizeof(set));
	set.w = (struct worth){ set.verdicts, 2, set.leads, sampled };
	for (u32 i = 0; i < 2; i++)
		set.verdicts[i] = (struct verdict){
			.entries = 1000, .known = true, .jumps = 1, .gain = i ? gain1 : gain0
		};
}

/* Site 0 leads to `site` for `flow` of COST_ENTRY entries. */
static void lead_to(u32 site, u32 flow)
{
	set.leads[set.verdicts[0].n++] = (struct lead){ 0, flow, site };
	set.verdicts[1].first = set.verdicts[0].n;
}

/* The same of site 1, once those of site 0 are there. */
static void lead_back(u32 site, u32 flow)
{
	set.leads[set.verdicts[1].first + set.verdicts[1].n++] = (struct lead){ 0, flow, site };
}

static bool judge(u32 site)
{
	worth_together(&set.w);
	return !set.verdicts[site].status;
}

/* Who comes by a link pays nothing at the site: both are kept, or none. */
static void test_linked(void)
{
	begin(false, 2 * E, E / 4);
	CU_ASSERT_FALSE(judge(1));
	begin(false, 2 * E, E / 4);
	lead_to(1, E);
	CU_ASSERT_TRUE(judge(1));
	CU_ASSERT_EQUAL(worth_paid(&set.verdicts[1]), 0);
	CU_ASSERT_EQUAL(worth_paid(&set.verdicts[0]), E);
	/* Half of them come by it. */
	begin(false, 2 * E, E / 2);
	lead_to(1, E / 2);
	CU_ASSERT_FALSE(judge(1));
	begin(false, 2 * E, E / 2 + 1);
	lead_to(1, E / 2);
	CU_ASSERT_TRUE(judge(1));
	CU_ASSERT_EQUAL(worth_paid(&set.verdicts[1]), E / 2);
	/* Those whom the second leads to itself come to it by no jump, and save nobody else one. */
	begin(false, 2 * E, E / 2 + 1);
	set.verdicts[1].jumps = 2;
	lead_to(1, E / 2);
	lead_back(1, E / 4);
	CU_ASSERT_TRUE(judge(1));
	CU_ASSERT_EQUAL(worth_paid(&set.verdicts[1]), E / 2);
	begin(false, 2 * E, E / 2);
	set.verdicts[1].jumps = 2;
	lead_to(1, E / 2);
	lead_back(1, E / 4);
	CU_ASSERT_FALSE(judge(1));
}

/* It saves nothing by itself, but others the way in: as much as that costs. */
static void test_lead(void)
{
	begin(false, 1, 4 * E);
	CU_ASSERT_FALSE(judge(0));
	begin(false, 1, 4 * E);
	lead_to(1, E);
	CU_ASSERT_TRUE(judge(0));
	begin(false, 4 * E, 1);
	lead_to(WORTH_NO_SITE, E);
	lead_back(0, E);
	CU_ASSERT_TRUE(judge(1));
	/* A short site's way in is twice as long. */
	begin(false, -(s64)E, 4 * E);
	lead_to(1, E);
	CU_ASSERT_FALSE(judge(0));
	begin(false, 1 - (s64)E, 4 * E);
	set.verdicts[1].jumps = 2;
	lead_to(1, E);
	CU_ASSERT_TRUE(judge(0));
	begin(false, -(s64)E, 4 * E);
	set.verdicts[1].jumps = 2;
	lead_to(1, E);
	CU_ASSERT_FALSE(judge(0));
	/* No more than come to the other at all. */
	begin(false, E / 2, 4 * E);
	set.verdicts[1].entries = 499;
	lead_to(1, E);
	CU_ASSERT_FALSE(judge(0));
	begin(false, E / 2, 4 * E);
	set.verdicts[1].entries = 501;
	lead_to(1, E);
	CU_ASSERT_TRUE(judge(0));
	/* By samples each jump is dearer, his own and those that he saves. */
	begin(true, 1, 4 * E);
	lead_to(1, E);
	CU_ASSERT_TRUE(judge(0));
	begin(true, 1, 4 * E);
	lead_to(1, E - 1);
	CU_ASSERT_FALSE(judge(0));
}

/* Who is led to one that is dropped goes on in original text: the first falls with the second. */
static void test_dropped(void)
{
	begin(false, E / 4, -1);
	lead_to(1, E);
	CU_ASSERT_FALSE(judge(0));
	CU_ASSERT_EQUAL(set.verdicts[1].status, STATUS_COST_GAIN);
	begin(false, E / 4, 9 * E);
	set.verdicts[1].status = STATUS_WORKSPACE;
	lead_to(1, E);
	CU_ASSERT_FALSE(judge(0));
	CU_ASSERT_EQUAL(set.verdicts[1].status, STATUS_WORKSPACE);
	/* And the second with the first, which was refused: nobody comes by its link. */
	begin(false, 9 * E, E / 4);
	set.verdicts[0].status = STATUS_WORKSPACE;
	lead_to(1, E);
	CU_ASSERT_FALSE(judge(1));
	/* The same once it has been counted. */
	begin(false, -9 * (s64)E, E / 4);
	lead_to(1, E);
	CU_ASSERT_FALSE(judge(1));
}

/* A way into an earlier batch's translation saves the jump in there, which is as dear as any other; one into nothing saves nothing. */
static void test_earlier(void)
{
	begin(false, 1, 4 * E);
	lead_to(WORTH_EARLIER, E);
	CU_ASSERT_TRUE(judge(0));
	begin(false, 0, 4 * E);
	lead_to(WORTH_EARLIER, E);
	CU_ASSERT_FALSE(judge(0));
	begin(true, 1, 4 * E);
	lead_to(WORTH_EARLIER, E);
	CU_ASSERT_TRUE(judge(0));
	begin(true, 0, 4 * E);
	lead_to(WORTH_EARLIER, E);
	CU_ASSERT_FALSE(judge(0));
	begin(true, 1, 4 * E);
	lead_to(WORTH_NO_SITE, E);
	CU_ASSERT_FALSE(judge(0));
}

/* Of those that come where tables lead, a quarter comes through the site. */
static void test_tabled(void)
{
	begin(false, 2 * E, E / 4 + 1);
	CU_ASSERT_FALSE(judge(1));
	begin(false, 2 * E, E / 4 + 1);
	set.verdicts[1].tabled = true;
	CU_ASSERT_TRUE(judge(1));
	CU_ASSERT_EQUAL(worth_paid(&set.verdicts[1]), E / 4);
}

/* How often each is entered counts; where it is not known, links say nothing. */
static void test_entries(void)
{
	/* Half of what the second is entered comes by the first, which is entered half as often. */
	begin(false, 2 * E, E / 2 + 1);
	set.verdicts[1].entries = 2000;
	lead_to(1, E);
	CU_ASSERT_TRUE(judge(1));
	begin(false, 2 * E, E / 2 + 1);
	set.verdicts[1].entries = 3000;
	lead_to(1, E);
	CU_ASSERT_FALSE(judge(1));
	begin(false, 2 * E, E / 2 + 1);
	set.verdicts[1].known = false;
	lead_to(1, E);
	CU_ASSERT_FALSE(judge(1));
	begin(false, 2 * E, E / 2 + 1);
	set.verdicts[0].known = false;
	lead_to(1, E);
	CU_ASSERT_FALSE(judge(1));
	begin(false, E / 2, 4 * E);
	set.verdicts[0].known = false;
	lead_to(1, E);
	CU_ASSERT_FALSE(judge(0));
	begin(false, E / 2, 4 * E);
	set.verdicts[1].known = false;
	lead_to(1, E);
	CU_ASSERT_FALSE(judge(0));
	/* Entered too seldom to be anything after scaling: still by something. */
	begin(false, 2 * E, E + 1);
	set.verdicts[0].entries = (u64)1 << 40;
	set.verdicts[1].entries = 1;
	CU_ASSERT_TRUE(judge(1));
	/* More than fit. */
	begin(true, 3 * E, 1);
	set.verdicts[0].entries = set.verdicts[1].entries = (u64)1 << 60;
	lead_to(1, E);
	CU_ASSERT_TRUE(judge(1));
	CU_ASSERT_TRUE(set.verdicts[1].entries < (u64)1 << 19);
	begin(true, 3 * E, 0);
	set.verdicts[0].entries = set.verdicts[1].entries = (u64)1 << 60;
	lead_to(1, E);
	CU_ASSERT_FALSE(judge(1));
}

static const struct unit_test tests[] = {
	{ "what a translation saves", test_gain },
	{ "one by itself", test_alone },
	{ "a short site", test_short_site },
	{ "one that is live", test_live },
	{ "who comes by a link", test_linked },
	{ "who leads to another", test_lead },
	{ "those that depend on one that is dropped", test_dropped },
	{ "who leads to one of an earlier batch", test_earlier },
	{ "jumps through tables", test_tabled },
	{ "entries", test_entries },
};

int main(void)
{
	return UNIT_RUN("worth", tests);
}
