/* SPDX-License-Identifier: MIT */
/*
 * test_mem.c - the library's own memcpy and its like against libc's: every length and overlap up to where string instructions take over, and some beyond.
 */
#include <string.h>

#include "unit.h"

/* What mem.c defines, by the names that it is compiled with here. */
void *own_memcpy(void *dst, const void *src, size_t n);
void *own_memmove(void *dst, const void *src, size_t n);
void *own_memset(void *dst, int byte, size_t n);
int own_memcmp(const void *a, const void *b, size_t n);

#define ROOM 512
#define LONGEST 300
#define FROM 64

static void fill(unsigned char *bytes)
{
	for (unsigned i = 0; i < ROOM; i++)
		bytes[i] = (unsigned char)(i * 7 + i / 256 + 1);
}

static void test_copy(void)
{
	unsigned char src[ROOM], dst[ROOM], want[ROOM];

	for (size_t n = 0; n <= LONGEST; n++) {
		for (size_t at = 0; at < 8; at++) {
			fill(src);
			memset(dst, 0xee, ROOM);
			memset(want, 0xee, ROOM);
			memcpy(want + FROM + at, src + at / 2, n);
			CU_ASSERT_PTR_EQUAL(own_memcpy(dst + FROM + at, src + at / 2, n),
			                    dst + FROM + at);
			CU_ASSERT_EQUAL(memcmp(dst, want, ROOM), 0);
		}
	}
}

static void test_move(void)
{
	unsigned char bytes[ROOM], want[ROOM];

	for (size_t n = 0; n <= LONGEST; n++) {
		for (size_t to = FROM - 17; to <= FROM + 17; to++) {
			fill(bytes);
			fill(want);
			memmove(want + to, want + FROM, n);
			CU_ASSERT_PTR_EQUAL(own_memmove(bytes + to, bytes + FROM, n), bytes + to);
			CU_ASSERT_EQUAL(memcmp(bytes, want, ROOM), 0);
		}
	}
}

static void test_set(void)
{
	unsigned char bytes[ROOM], want[ROOM];

	for (size_t n = 0; n <= LONGEST; n++) {
		fill(bytes);
		fill(want);
		/* cppcheck-suppress memsetValueOutOfRange */
		memset(want + FROM + n % 8, 0x1c3, n);
		CU_ASSERT_PTR_EQUAL(own_memset(bytes + FROM + n % 8, 0x1c3, n),
		                    bytes + FROM + n % 8);
		CU_ASSERT_EQUAL(memcmp(bytes, want, ROOM), 0);
	}
}

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

static void test_compare(void)
{
	unsigned char a[ROOM], b[ROOM];

	for (size_t n = 0; n <= LONGEST; n++) {
		fill(a);
		fill(b);
		b[FROM + n] ^= 1; /* behind what is compared */
		CU_ASSERT_EQUAL(own_memcmp(a + FROM, b + FROM, n), 0);
		for (size_t at = n < 40 ? 0 : n - 40; at < n; at++) {
			b[FROM + at] ^= 0x80;
			CU_ASSERT_EQUAL(sign(own_memcmp(a + FROM, b + FROM, n)),
			                sign(memcmp(a + FROM, b + FROM, n)));
			b[FROM + at] ^= 0x80;
		}
	}
}

static const struct unit_test tests[] = {
	{ "copy", test_copy },
	{ "move", test_move },
	{ "set", test_set },
	{ "compare", test_compare },
};

int main(void)
{
	return UNIT_RUN("memory", tests);
}
