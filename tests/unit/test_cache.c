/* SPDX-License-Identifier: MIT */
/*
 * Reservations in the code cache (cache.h): alignment, first fit, abort without a hole, and a
 * random run that compares with a list of all bytes given out.
 */
#include <stdlib.h>
#include <string.h>
#include "cache.h"
#include "unit.h"

static struct failure fail;

static void test_clipping(void)
{
	struct cache c;
	u64 addr = 1;

	cache_init(&c);
	CU_ASSERT_EQUAL(cache_reserve(&c, 1, &addr, &fail), STATUS_CACHE_FULL);
	CU_ASSERT_EQUAL(cache_add(&c, 0x1001, 0x103f), STATUS_OK); /* nothing left */
	CU_ASSERT_EQUAL(cache_add(&c, 0x1001, 0x107f), STATUS_OK); /* from 0x1040 to 0x1040 */
	CU_ASSERT_EQUAL(cache_add(&c, 0x2000, 0x1000), STATUS_OK);
	CU_ASSERT_EQUAL(cache_add(&c, ~(u64)0 - 3, ~(u64)0), STATUS_OK);
	CU_ASSERT_EQUAL(c.n_areas, 0);
	CU_ASSERT_EQUAL(cache_add(&c, 0x1001, 0x10ff), STATUS_OK);
	CU_ASSERT_EQUAL(c.areas[0].start, 0x1040);
	CU_ASSERT_EQUAL(c.areas[0].end, 0x10c0);
	CU_ASSERT_FALSE(cache_holds(&c, 0x103f));
	CU_ASSERT(cache_holds(&c, 0x1040));
	CU_ASSERT(cache_holds(&c, 0x10bf));
	CU_ASSERT_FALSE(cache_holds(&c, 0x10c0));
	CU_ASSERT_EQUAL(addr, 1); /* untouched by the failure */
}

static void test_areas(void)
{
	struct cache c;

	cache_init(&c);
	for (u64 i = 1; i <= CACHE_AREAS; i++)
		CU_ASSERT_EQUAL(cache_add(&c, i << 12, (i << 12) + 64), STATUS_OK);
	CU_ASSERT_EQUAL(cache_add(&c, 0x100000, 0x101000), STATUS_CACHE_FULL);
	CU_ASSERT_EQUAL(c.n_areas, CACHE_AREAS);
}

static void test_reservations(void)
{
	struct cache c;
	u64 a = 0, b = 0;

	cache_init(&c);
	CU_ASSERT_EQUAL(cache_add(&c, 0x1000, 0x1100), STATUS_OK);
	CU_ASSERT_EQUAL(cache_reserve(&c, 257, &a, &fail), STATUS_CACHE_FULL);
	CU_ASSERT(fail.status == STATUS_CACHE_FULL && fail.detail == 257);
	CU_ASSERT_EQUAL(cache_reserve(&c, ~(u64)0, &a, &fail), STATUS_CACHE_FULL);
	CU_ASSERT_EQUAL(cache_reserve(&c, 65, &a, &fail), STATUS_OK);
	CU_ASSERT_EQUAL(a, 0x1000);
	/* One at a time in an area; the next area serves the other. */
	CU_ASSERT_EQUAL(cache_reserve(&c, 1, &b, &fail), STATUS_CACHE_FULL);
	CU_ASSERT_EQUAL(cache_add(&c, 0x2000, 0x2080), STATUS_OK);
	CU_ASSERT_EQUAL(cache_reserve(&c, 0, &b, &fail), STATUS_OK);
	CU_ASSERT_EQUAL(b, 0x2000);
	cache_abort(&c, b);
	cache_abort(&c, 0x2040); /* no reservation there */
	cache_commit(&c, a);
	cache_commit(&c, a); /* no longer open */
	CU_ASSERT_EQUAL(cache_reserve(&c, 128, &a, &fail), STATUS_OK);
	CU_ASSERT_EQUAL(a, 0x1080);
	cache_commit(&c, a);
	CU_ASSERT_EQUAL(cache_reserve(&c, 128, &b, &fail), STATUS_OK);
	CU_ASSERT_EQUAL(b, 0x2000); /* as if the aborted one had not been */
	cache_commit(&c, b);
	CU_ASSERT_EQUAL(cache_reserve(&c, 0, &b, &fail), STATUS_CACHE_FULL);
	cache_reset(&c);
	CU_ASSERT_EQUAL(cache_reserve(&c, 256, &b, &fail), STATUS_OK);
	CU_ASSERT_EQUAL(b, 0x1000);
}

/* No byte is given out twice, and none outside. */
static void test_random(void)
{
	static u8 owned[3][1024];
	struct cache c;

	srand(1);
	memset(owned, 0, sizeof(owned));
	cache_init(&c);
	for (u64 i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(cache_add(&c, (i + 1) * 0x1000, (i + 1) * 0x1000 + 1024),
		                STATUS_OK);
	for (int round = 0; round < 400; round++) {
		u64 size = (u64)rand() % 100, addr;

		if (cache_reserve(&c, size, &addr, &fail))
			continue;
		CU_ASSERT_EQUAL(addr % CACHE_ALIGN, 0);
		CU_ASSERT(cache_holds(&c, addr) && cache_holds(&c, addr + size - !!size));
		if (rand() % 3 == 0) {
			cache_abort(&c, addr);
			continue;
		}
		cache_commit(&c, addr);
		for (u64 i = 0; i < size; i++)
			CU_ASSERT_EQUAL(owned[(addr >> 12) - 1][(addr + i) % 0x1000]++, 0);
	}
	CU_ASSERT_EQUAL(cache_reserve(&c, 1024, &(u64){ 0 }, &fail), STATUS_CACHE_FULL);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "clipping", test_clipping },
		{ "number of areas", test_areas },
		{ "reservations", test_reservations },
		{ "random", test_random },
	};

	return UNIT_RUN("cache", tests);
}
