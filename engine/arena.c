/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * arena.c - allocation by moving a mark through one block.
 *
 * Invariant: used <= size, and what lies behind `used` belongs to nobody; behind zero_from there are zeroes. The base may be
 * misaligned; addresses handed out never are.
 */
#include "arena.h"

#define ARENA_ALIGN 16

void arena_init(struct arena *arena, void *base, u64 size)
{
	arena->base = base;
	arena->size = base ? size : 0;
	arena->used = 0;
	arena->peak = 0;
	arena->zero_from = arena->size;
}

void arena_init_zeroed(struct arena *arena, void *base, u64 size)
{
	arena_init(arena, base, size);
	arena->zero_from = 0;
}

void *arena_alloc(struct arena *arena, u64 count, u64 size)
{
	u64 pad = -((u64)(uintptr_t)arena->base + arena->used) & (ARENA_ALIGN - 1);
	u64 left = arena->size - arena->used, at, end;

	if (!arena->base || pad > left || (size && count > (left - pad) / size))
		return NULL;
	at = arena->used + pad;
	end = at + count * size;
	arena->used = end;
	if (end > arena->peak)
		arena->peak = end;
	if (at < arena->zero_from)
		memset(arena->base + at, 0, (end < arena->zero_from ? end : arena->zero_from) - at);
	if (end > arena->zero_from)
		arena->zero_from = end;
	return arena->base + at;
}

void arena_zeroed(struct arena *arena, u64 from)
{
	if (from < arena->zero_from)
		arena->zero_from = from;
}

void arena_release(struct arena *arena, u64 mark)
{
	if (mark < arena->used)
		arena->used = mark;
}
