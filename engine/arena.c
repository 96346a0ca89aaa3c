/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * arena.c - allocation by moving a mark through one block.
 *
 * Invariant: used <= size, and what lies behind `used` belongs to nobody. The base may be
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
}

void *arena_alloc(struct arena *arena, u64 count, u64 size)
{
	u64 pad = -((u64)(uintptr_t)arena->base + arena->used) & (ARENA_ALIGN - 1);
	u64 left = arena->size - arena->used;
	void *block;

	if (!arena->base || pad > left || (size && count > (left - pad) / size))
		return NULL;
	block = arena->base + arena->used + pad;
	arena->used += pad + count * size;
	if (arena->used > arena->peak)
		arena->peak = arena->used;
	memset(block, 0, count * size);
	return block;
}

void arena_release(struct arena *arena, u64 mark)
{
	if (mark < arena->used)
		arena->used = mark;
}
