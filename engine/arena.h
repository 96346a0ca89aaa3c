/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * arena.h - the one block of memory that the caller hands to the engine.
 *
 * Allocation moves a mark; release moves it back, so a translation that fails
 * leaves nothing behind. The engine has no other memory: big structures live
 * here, never on a stack. `peak` tells how much a workload really needs.
 */
#ifndef DYNOPT_ENGINE_ARENA_H
#define DYNOPT_ENGINE_ARENA_H

#include "port.h"

struct arena {
	u8 *base;
	u64 size; /* bytes */
	u64 used;
	u64 peak;
	u64 zero_from; /* bytes from here on are zero, and need not be touched */
};

void arena_init(struct arena *arena, void *base, u64 size);
/* The same with memory that is zero. */
void arena_init_zeroed(struct arena *arena, void *base, u64 size);
/* The caller has made all bytes from `from` on zero. */
void arena_zeroed(struct arena *arena, u64 from);

/* `count` zeroed items of `size` bytes, aligned to 16; NULL if the arena is full. */
void *arena_alloc(struct arena *arena, u64 count, u64 size);

/* Gives back everything allocated after the mark. */
static inline u64 arena_mark(const struct arena *arena)
{
	return arena->used;
}
void arena_release(struct arena *arena, u64 mark);

#endif
