/* SPDX-License-Identifier: MIT */
/*
 * pool.c - see pool.h.
 */
#include "pool.h"

#include "sys.h"
#include "world.h"

#include <sys/mman.h>

bool pool_open(struct pool *pool, u64 size)
{
	long base;

	size = page_up(size);
	base = sys_mmap(0, size, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	pool->used = 0;
	if (sys_failed(base)) {
		pool->base = NULL;
		pool->size = 0;
		return false;
	}
	pool->base = (u8 *)base;
	pool->size = size;
	return true;
}

void *pool_take(struct pool *pool, u64 size)
{
	u8 *at = pool->base + pool->used;

	if (size > pool->size - pool->used)
		return NULL;
	pool->used += size;
	return at;
}

void pool_trim(struct pool *pool)
{
	u64 kept = page_up(pool->used);

	if (kept < pool->size)
		sys_munmap((u64)(uintptr_t)pool->base + kept, pool->size - kept);
	pool->size = kept;
	if (kept == 0)
		pool->base = NULL;
}

void pool_close(struct pool *pool)
{
	pool->used = 0;
	pool_trim(pool);
}
