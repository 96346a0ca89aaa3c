/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * cache.c - room in a module's code cache, handed out from the start of each area.
 *
 * Invariant: start and end of an area are multiples of CACHE_ALIGN, so are `used` and `held`, and
 * used + held never pass its end. An area has one open reservation at a time; while it is
 * open, others are served from the areas behind it, so an abort leaves no hole.
 */
#include "cache.h"

void cache_init(struct cache *cache)
{
	memset(cache, 0, sizeof(*cache));
}

enum status cache_add(struct cache *cache, u64 start, u64 end)
{
	u64 clip = (0 - start) % CACHE_ALIGN;
	struct cache_area *area;

	end -= end % CACHE_ALIGN;
	if (end < start || end - start <= clip)
		return STATUS_OK; /* nothing is left of it */
	if (cache->n_areas == CACHE_AREAS)
		return STATUS_CACHE_FULL;
	area = &cache->areas[cache->n_areas++];
	*area = (struct cache_area){ .start = start + clip, .end = end };
	return STATUS_OK;
}

enum status cache_reserve(struct cache *cache, u64 size, u64 *addr, struct failure *fail)
{
	for (u32 i = 0; i < cache->n_areas; i++) {
		struct cache_area *area = &cache->areas[i];
		u64 room = area->end - area->start - area->used;

		if (area->held || !room || size > room)
			continue;
		area->held = size ? (size + CACHE_ALIGN - 1) / CACHE_ALIGN * CACHE_ALIGN
		                  : CACHE_ALIGN;
		*addr = area->start + area->used;
		return STATUS_OK;
	}
	return failed(fail, STATUS_CACHE_FULL, 0, size);
}

/* The area whose open reservation is at addr. */
static struct cache_area *open_area(struct cache *cache, u64 addr)
{
	for (u32 i = 0; i < cache->n_areas; i++) {
		struct cache_area *area = &cache->areas[i];

		if (area->held && area->start + area->used == addr)
			return area;
	}
	return NULL;
}

void cache_commit(struct cache *cache, u64 addr)
{
	struct cache_area *area = open_area(cache, addr);

	if (area) {
		area->used += area->held;
		area->held = 0;
	}
}

void cache_abort(struct cache *cache, u64 addr)
{
	struct cache_area *area = open_area(cache, addr);

	if (area)
		area->held = 0;
}

void cache_reset(struct cache *cache)
{
	for (u32 i = 0; i < cache->n_areas; i++)
		cache->areas[i].used = cache->areas[i].held = 0;
}

bool cache_holds(const struct cache *cache, u64 addr)
{
	for (u32 i = 0; i < cache->n_areas; i++) {
		if (addr >= cache->areas[i].start && addr < cache->areas[i].end)
			return true;
	}
	return false;
}
