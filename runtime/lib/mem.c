/* SPDX-License-Identifier: MIT */
/*
 * mem.c - memcpy, memmove, memset and memcmp of the library's own.
 *
 * The compiler calls them whether one likes it or not. The agent must not run the program's libc, whose
 * text it is about to replace, so these hidden ones are what the whole library is linked with.
 */
#include "port.h"

typedef u64 __attribute__((aligned(1), may_alias)) unaligned_u64;

void *memcpy(void *dst, const void *src, size_t n)
{
	void *start = dst;

	__asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(n) : : "memory");
	return start;
}

void *memmove(void *dst, const void *src, size_t n)
{
	if ((uintptr_t)dst - (uintptr_t)src >= n)
		return memcpy(dst, src, n);
	for (u8 *d = dst; n-- > 0;)
		d[n] = ((const u8 *)src)[n];
	return dst;
}

void *memset(void *dst, int byte, size_t n)
{
	void *start = dst;

	__asm__ volatile("rep stosb" : "+D"(dst), "+c"(n) : "a"(byte) : "memory");
	return start;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;
	size_t i = 0;

	/* Whole pages are compared often, and nearly always equal. */
	for (; i + 8 <= n; i += 8)
		if (*(const unaligned_u64 *)(x + i) != *(const unaligned_u64 *)(y + i))
			break;
	for (; i < n; i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}
