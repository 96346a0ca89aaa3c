/* SPDX-License-Identifier: MIT */
/*
 * The hop planner (hops.h): every kind of chain at the edges of its reach, every refusal, and thousands of
 * random surroundings in which no plan serves more sites: an oracle searches all of them.
 */
#include <stdlib.h>
#include <string.h>
#include "decode.h"
#include "dynopt_notes.h"
#include "hops.h"
#include "unit.h"

#define MAX 16
#define AWAY ((u64)1 << 40)

struct scene {
	struct hop hops[MAX];
	u64 slots[MAX], far[MAX];
	u8 taken[MAX], far_taken[MAX];
	u32 n, n_slots, n_far;
};

static u32 plan(struct scene *s)
{
	struct hop_places places = {
		s->slots, s->taken, s->n_slots, s->far, s->far_taken, s->n_far
	};

	return hops_plan(s->hops, s->n, &places);
}

static bool reach32(u64 from, u64 to)
{
	s64 d = (s64)(to - from) - 5;

	return d >= -0x80000000ll && d <= 0x7fffffffll;
}

static bool reach8(u64 from, u64 to)
{
	s64 d = (s64)(to - from) - 2;

	return d >= -128 && d <= 127;
}

static bool listed(const u64 *list, u32 n, u64 addr)
{
	for (u32 i = 0; i < n; i++) {
		if (list[i] == addr)
			return true;
	}
	return false;
}

/* Everything that a plan promises but how many are served. */
static bool sound(const struct scene *before, const struct scene *s, u32 served)
{
	u8 taken[MAX], far_taken[MAX];
	u32 n = 0;

	memcpy(taken, before->taken, sizeof(taken));
	memcpy(far_taken, before->far_taken, sizeof(far_taken));
	for (u32 i = 0; i < s->n; i++) {
		const struct hop *h = &s->hops[i];
		bool slot = h->kind == HOP_SLOT || h->kind == HOP_SLOT_FAR;
		bool far = h->kind == HOP_FAR || h->kind == HOP_SLOT_FAR;
		u64 at = h->site, end = far ? h->far : h->target;

		if ((h->kind == HOP_NONE) != (h->refusal != STATUS_OK))
			return false;
		if (h->kind == HOP_NONE)
			continue;
		n++;
		if (slot) {
			if (!reach8(at, h->slot) || !listed(s->slots, s->n_slots, h->slot))
				return false;
			at = h->slot;
		} else if (h->len < 5 || h->slot) {
			return false;
		}
		if (!reach32(at, end) || (far && !listed(s->far, s->n_far, h->far)))
			return false;
		for (u32 k = 0; k < s->n_slots; k++) {
			if (slot && s->slots[k] == h->slot && taken[k]++)
				return false;
		}
		for (u32 k = 0; k < s->n_far; k++) {
			if (far && s->far[k] == h->far && far_taken[k]++)
				return false;
		}
	}
	return n == served && !memcmp(taken, s->taken, sizeof(taken)) &&
	       !memcmp(far_taken, s->far_taken, sizeof(far_taken));
}

/* Most sites that can be served, by trying everything from site i on. */
static u32 best(struct scene *s, u32 i)
{
	const struct hop *h = &s->hops[i];
	u32 most, got;

	if (i == s->n)
		return 0;
	most = best(s, i + 1); /* without it */
	for (u32 k = 0; k < (h->len >= 5 ? 1 : s->n_slots); k++) {
		u64 at = h->len >= 5 ? h->site : s->slots[k];
		u32 f;

		if (h->len < 5 && (s->taken[k] || !reach8(h->site, at)))
			continue;
		if (h->len < 5)
			s->taken[k] = 1;
		for (f = 0; f < s->n_far; f++) {
			if (!s->far_taken[f] && reach32(at, s->far[f]))
				break; /* all far slots are alike here */
		}
		if (reach32(at, h->target)) {
			got = 1 + best(s, i + 1);
			most = got > most ? got : most;
		} else if (f < s->n_far) {
			s->far_taken[f] = 1;
			got = 1 + best(s, i + 1);
			most = got > most ? got : most;
			s->far_taken[f] = 0;
		}
		if (h->len < 5)
			s->taken[k] = 0;
	}
	return most;
}

/* ---- one site ---- */

static struct scene one(u64 site, u32 len, u64 target)
{
	struct scene s = { .n = 1 };

	s.hops[0] = (struct hop){ .site = site, .len = len, .target = target };
	return s;
}

static void expect(struct scene *s, u32 i, enum hop_kind kind, enum status refusal,
                   const char *what)
{
	const struct hop *h = &s->hops[i];

	if (h->kind != kind || h->refusal != refusal)
		printf("\n    %s: kind %u, refusal %u\n", what, h->kind, h->refusal);
	CU_ASSERT(h->kind == kind && h->refusal == refusal);
}

#define SITE 0x100000000ull

static void test_direct(void)
{
	static const struct {
		s64 distance; /* from the end of the jump */
		bool reaches;
	} rows[] = {
		{ 0x7fffffff, true },
		{ 0x80000000, false },
		{ -0x80000000ll, true },
		{ -0x80000001ll, false },
	};

	for (u32 i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scene s = one(SITE, 5, SITE + 5 + (u64)rows[i].distance);

		CU_ASSERT_EQUAL(plan(&s), rows[i].reaches);
		expect(&s, 0, rows[i].reaches ? HOP_DIRECT : HOP_NONE,
		       rows[i].reaches ? STATUS_OK : STATUS_HOP_NO_FAR, "direct");
		s = one(SITE, 7, SITE + 5 + (u64)rows[i].distance);
		s.n_far = 1;
		s.far[0] = SITE + 0x1000;
		CU_ASSERT_EQUAL(plan(&s), 1);
		expect(&s, 0, rows[i].reaches ? HOP_DIRECT : HOP_FAR, STATUS_OK, "far");
		CU_ASSERT_EQUAL(s.hops[0].far, rows[i].reaches ? 0 : SITE + 0x1000);
		CU_ASSERT_EQUAL(s.far_taken[0], !rows[i].reaches);
	}
}

static void test_slot_window(void)
{
	static const struct {
		s64 slot; /* relative to the site */
		bool reaches;
	} rows[] = {
		{ -127, false },
		{ -126, true },
		{ 129, true },
		{ 130, false },
	};

	for (u32 i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (u32 len = 2; len < 5; len++) {
			struct scene s = one(SITE, len, SITE + 0x10000);

			s.n_slots = 1;
			s.slots[0] = SITE + (u64)rows[i].slot;
			CU_ASSERT_EQUAL(plan(&s), rows[i].reaches);
			expect(&s, 0, rows[i].reaches ? HOP_SLOT : HOP_NONE,
			       rows[i].reaches ? STATUS_OK : STATUS_HOP_NO_SLOT, "window");
		}
	}
}

static void test_slot_reach(void)
{
	/* The jump in the slot reaches what one at the site would not, and the other way round. */
	struct scene s = one(SITE, 2, SITE + 5 + 0x7fffffff + 100);

	s.n_slots = 1;
	s.slots[0] = SITE + 100;
	s.n_far = 1;
	s.far[0] = SITE + 0x1000;
	CU_ASSERT_EQUAL(plan(&s), 1);
	expect(&s, 0, HOP_SLOT, STATUS_OK, "slot reaches");
	CU_ASSERT_EQUAL(s.far_taken[0], 0);
	s = one(SITE, 2, SITE + 5 + 0x7fffffff + 101);
	s.n_slots = s.n_far = 1;
	s.slots[0] = SITE + 100;
	s.far[0] = SITE + 0x1000;
	CU_ASSERT_EQUAL(plan(&s), 1);
	expect(&s, 0, HOP_SLOT_FAR, STATUS_OK, "slot does not reach");
	/* A far slot out of the slot's reach is none, and the slot stays free. */
	s = one(SITE, 2, SITE + AWAY);
	s.n_slots = s.n_far = 1;
	s.slots[0] = SITE + 100;
	s.far[0] = SITE + AWAY;
	CU_ASSERT_EQUAL(plan(&s), 0);
	expect(&s, 0, HOP_NONE, STATUS_HOP_NO_FAR, "far slot out of reach");
	CU_ASSERT(!s.taken[0] && !s.far_taken[0] && !s.hops[0].slot);
}

static void test_low_addresses(void)
{
	struct scene s = one(4, 2, 0x1000);

	s.n_slots = 1;
	s.slots[0] = 40;
	CU_ASSERT_EQUAL(plan(&s), 1);
	CU_ASSERT_EQUAL(s.hops[0].slot, 40);
}

static void test_refusals(void)
{
	struct scene s = { .n = 4, .n_slots = 2, .slots = { SITE + 32, SITE + 48 } };

	s.hops[0] = (struct hop){ .site = SITE, .len = 3, .target = SITE + 4096 };
	s.hops[1] = (struct hop){ .site = SITE + 2, .len = 5, .target = SITE + 4096 };
	s.hops[2] = (struct hop){ .site = SITE + 3, .len = 1, .target = SITE + 4096 };
	s.hops[3] = (struct hop){ .site = SITE + 4, .len = 2, .target = SITE + AWAY };
	CU_ASSERT_EQUAL(plan(&s), 1);
	expect(&s, 0, HOP_SLOT, STATUS_OK, "first");
	expect(&s, 1, HOP_NONE, STATUS_SITE_TAKEN, "overlap");
	expect(&s, 2, HOP_NONE, STATUS_SITE_SHORT, "one byte");
	expect(&s, 3, HOP_NONE, STATUS_HOP_NO_FAR, "no far slot");
	s.hops[1].site = SITE; /* the same twice */
	memset(s.taken, 1, sizeof(s.taken));
	CU_ASSERT_EQUAL(plan(&s), 0);
	expect(&s, 0, HOP_NONE, STATUS_HOP_NO_SLOT, "all taken");
	expect(&s, 1, HOP_NONE, STATUS_SITE_TAKEN, "twice");
}

static void test_release(void)
{
	struct scene s = one(SITE, 2, SITE + AWAY);
	struct hop_places places = { s.slots, s.taken, 2, s.far, s.far_taken, 2 };

	s.slots[0] = SITE + 16;
	s.slots[1] = SITE + 32;
	s.taken[0] = 1;
	s.far[0] = SITE + 0x1000;
	s.far[1] = SITE + 0x1010;
	s.far_taken[0] = 1;
	CU_ASSERT_EQUAL(hops_plan(s.hops, 1, &places), 1);
	CU_ASSERT(s.hops[0].slot == SITE + 32 && s.hops[0].far == SITE + 0x1010);
	CU_ASSERT(s.taken[1] && s.far_taken[1]);
	hops_release(&s.hops[0], &places);
	CU_ASSERT(s.taken[0] && !s.taken[1] && s.far_taken[0] && !s.far_taken[1]);
}

/* ---- many ---- */

/* A site that needs a far slot comes last, and gets a slot only if others move up. */
static void test_moves(void)
{
	struct scene s = { .n = 3,
		           .n_slots = 3,
		           .slots = { SITE + 90, SITE + 120, SITE + 320 },
		           .n_far = 1,
		           .far = { SITE + 0x1000 } };

	for (u32 i = 0; i < 3; i++) {
		s.hops[i] = (struct hop){ .site = SITE + 100 * i, .len = 2 };
		s.hops[i].target = SITE + (i == 0 ? AWAY : 4096);
	}
	CU_ASSERT_EQUAL(plan(&s), 3);
	expect(&s, 0, HOP_SLOT_FAR, STATUS_OK, "moved for");
	CU_ASSERT_EQUAL(s.hops[2].slot, SITE + 320);
}

static void random_scene(struct scene *s)
{
	u64 at = SITE, width = 20 + (u64)(rand() % 120);
	int away = rand() % 4; /* of 4 targets, how many are out of reach */

	memset(s, 0, sizeof(*s));
	s->n = 1 + (u32)(rand() % 8);
	s->n_slots = (u32)(rand() % 8);
	s->n_far = (u32)(rand() % 4);
	for (u32 i = 0; i < s->n; i++) {
		struct hop *h = &s->hops[i];

		h->site = at += 2 + (u64)rand() % width;
		h->len = rand() % 5 ? 2 : 5;
		at += h->len;
		h->target = rand() % 4 < away ? SITE + AWAY : SITE + 0x10000;
		h->kind = (u8)rand(); /* of no meaning to the planner */
	}
	at = SITE - 150;
	for (u32 i = 0; i < s->n_slots; i++) {
		at += 5 + (u64)rand() % width;
		s->slots[i] = at;
		s->taken[i] = rand() % 8 == 0;
	}
	for (u32 i = 0; i < s->n_far; i++) {
		s->far[i] = SITE + 0x8000 + 16 * i;
		s->far_taken[i] = rand() % 8 == 0;
	}
}

static void test_optimal(void)
{
	u32 told = 0, refused = 0, moved = 0;

	srand(2);
	for (u32 round = 0; round < 200000; round++) {
		struct scene s, before;
		u32 got, want;

		random_scene(&s);
		before = s;
		want = best(&s, 0);
		got = plan(&s);
		refused += got < s.n;
		for (u32 i = 1; i < s.n; i++)
			moved += s.hops[i].slot && s.hops[i].slot < s.hops[i - 1].slot;
		if (got == want && sound(&before, &s, got))
			continue;
		CU_FAIL("not optimal or not sound");
		if (told++ < 5)
			printf("\n    round %u: %u served, %u possible\n", round, got, want);
	}
	/* The rounds are worth something. */
	CU_ASSERT(refused > 20000 && refused < 190000);
	CU_ASSERT(moved > 1000);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "direct, and its reach", test_direct },
		{ "the window of slots", test_slot_window },
		{ "reach from a slot", test_slot_reach },
		{ "low addresses", test_low_addresses },
		{ "refusals", test_refusals },
		{ "release", test_release },
		{ "moves", test_moves },
		{ "as many as possible", test_optimal },
	};

	return UNIT_RUN("hops", tests);
}
