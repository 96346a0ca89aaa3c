/* SPDX-License-Identifier: MIT */
/*
 * arena_redzone.c - the engine's arena (engine/arena.h) for AddressSanitizer: what is not handed out is
 * poisoned, and so are the bytes behind each block, so that an access past a block's end or to a block
 * that was given back is seen although it lies in memory of the arena. Otherwise it keeps the contract of arena.c.
 */
#include <sanitizer/asan_interface.h>
#include "arena.h"

#define ARENA_ALIGN 16
#define REDZONE 16

void arena_init(struct arena *arena, void *base, u64 size)
{
	arena->base = base;
	arena->size = base ? size : 0;
	arena->used = 0;
	arena->peak = 0;
	ASAN_POISON_MEMORY_REGION(base, arena->size);
}

void *arena_alloc(struct arena *arena, u64 count, u64 size)
{
	u64 pad = -(u64)(uintptr_t)(arena->base + arena->used) & (ARENA_ALIGN - 1);
	u64 left = arena->size - arena->used;
	void *block;

	if (pad + REDZONE > left || (size && count > (left - pad - REDZONE) / size))
		return NULL;
	block = arena->base + arena->used + pad;
	arena->used += pad + count * size + REDZONE;
	if (arena->used > arena->peak)
		arena->peak = arena->used;
	ASAN_UNPOISON_MEMORY_REGION(block, count * size);
	memset(block, 0, count * size);
	return block;
}

void arena_release(struct arena *arena, u64 mark)
{
	if (mark >= arena->used)
		return;
	ASAN_POISON_MEMORY_REGION(arena->base + mark, arena->used - mark);
	arena->used = mark;
}
