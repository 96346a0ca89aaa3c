/* SPDX-License-Identifier: MIT */
/*
 * mem.c - memcpy, memmove, memset and memcmp of the library's own.
 *
 * The compiler calls them whether one likes it or not. The agent must not run the program's libc, whose
 * text it is about to replace, so these hidden ones are what the whole library is linked with. Most calls are for a few
 * bytes, where repeated string instructions take longer to begin than the whole copy does.
 */
#include "port.h"

#define STRING_LEAST 128 /* bytes from which on a string instruction is faster */

typedef u16 __attribute__((aligned(1), may_alias)) any_u16;
typedef u32 __attribute__((aligned(1), may_alias)) any_u32;
typedef u64 __attribute__((aligned(1), may_alias)) any_u64;

static void copy_forward(void *dst, const void *src, size_t n)
{
	__asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(n) : : "memory");
}

/* First and last bytes, which may be the same. */
static void copy_short(u8 *d, const u8 *s, size_t n)
{
	if (n >= 4) {
		u32 last = *(const any_u32 *)(s + n - 4);

		*(any_u32 *)d = *(const any_u32 *)s;
		*(any_u32 *)(d + n - 4) = last;
	} else if (n >= 2) {
		u16 last = *(const any_u16 *)(s + n - 2);

		*(any_u16 *)d = *(const any_u16 *)s;
		*(any_u16 *)(d + n - 2) = last;
	} else if (n) {
		*d = *s;
	}
}

void *memcpy(void *dst, const void *src, size_t n)
{
	u8 *d = dst;
	const u8 *s = src;

	if (n < 8) {
		copy_short(d, s, n);
		return dst;
	}
	if (n >= STRING_LEAST) {
		copy_forward(dst, src, n);
		return dst;
	}
	for (size_t i = 0; i + 8 <= n; i += 8)
		*(any_u64 *)(d + i) = *(const any_u64 *)(s + i);
	*(any_u64 *)(d + n - 8) = *(const any_u64 *)(s + n - 8);
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	if ((uintptr_t)dst - (uintptr_t)src >= n) {
		copy_forward(dst, src, n);
		return dst;
	}
	for (u8 *d = dst; n-- > 0;)
		d[n] = ((const u8 *)src)[n];
	return dst;
}

void *memset(void *dst, int byte, size_t n)
{
	u8 *d = dst;
	u64 eight = (u8)byte * 0x0101010101010101u;

	if (n >= STRING_LEAST) {
		void *at = dst;

		__asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(byte) : "memory");
		return dst;
	}
	if (n < 8) {
		copy_short(d, (const u8 *)&eight, n);
		return dst;
	}
	for (size_t i = 0; i + 8 <= n; i += 8)
		*(any_u64 *)(d + i) = eight;
	*(any_u64 *)(d + n - 8) = eight;
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;
	size_t i = 0;

	/* Whole pages are compared often, and nearly always equal. */
	for (; i + 8 <= n; i += 8)
		if (*(const any_u64 *)(x + i) != *(const any_u64 *)(y + i))
			break;
	for (; i < n; i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}
