/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * port.h - all that the notes library and the engine need from what surrounds it:
 *
 *   u8 u16 u32 u64 s8 s16 s32 s64   integer types of fixed width
 *   bool, NULL, uintptr_t
 *   memcpy memmove memset memcmp   (declared; the surroundings define them)
 *   __must_check           the caller may not drop this result
 *   static_assert
 *   port_get32() port_get64() port_put64()
 *   port_yield()           called again and again in long work: a kernel lets others run
 *
 * It is the only file of the two that knows __KERNEL__: everything else
 * compiles unchanged for user space and for the kernel.
 */
#ifndef DYNOPT_NOTES_PORT_H
#define DYNOPT_NOTES_PORT_H

#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/string.h>
#include <linux/types.h>

void port_yield(void); /* kmod/queue.c */
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#ifndef __must_check
#define __must_check __attribute__((warn_unused_result))
#endif

#ifdef __cplusplus
extern "C" {
#else
#ifndef static_assert
#define static_assert _Static_assert
#endif
#endif

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);

static inline void port_yield(void) {}

#ifdef __cplusplus
}
#endif
#endif /* __KERNEL__ */

/* Unaligned numbers. Freestanding code calls memcpy() where this is one instruction. */
static inline u32 port_get32(const void *at)
{
	u32 value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
}

static inline u64 port_get64(const void *at)
{
	u64 value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
}

static inline void port_put64(void *at, u64 value)
{
	__builtin_memcpy(at, &value, sizeof(value));
}

#endif
