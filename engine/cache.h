/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * cache.h - where in a module's code cache the next translation goes.
 *
 * A module has its reservation, if linked with one, and areas mapped near it. Reserve, write, then commit or
 * abort: an aborted reservation leaves no hole. Bytes once committed are not given out again
 * before cache_reset(), which needs every thread seen outside.
 */
#ifndef DYNOPT_ENGINE_CACHE_H
#define DYNOPT_ENGINE_CACHE_H

#include "engine_status.h"
#include "port.h"

#define CACHE_ALIGN 64 /* a cache line; decoded instructions are fetched by it, too */
#define CACHE_AREAS 8

struct cache_area {
	u64 start, end; /* module addresses */
	u64 used; /* bytes committed from start on */
	u64 held; /* bytes of the open reservation behind them; 0: none */
};

struct cache {
	struct cache_area areas[CACHE_AREAS];
	u32 n_areas;
};

void cache_init(struct cache *cache);
/* Adds [start, end), clipped to CACHE_ALIGN; STATUS_CACHE_FULL if there are CACHE_AREAS of them. */
__must_check enum status cache_add(struct cache *cache, u64 start, u64 end);
/*
 * Room for `size` bytes in the first area that has it and has no open reservation; *addr is aligned. STATUS_CACHE_FULL
 * with the bytes wanted.
 */
__must_check enum status cache_reserve(struct cache *cache, u64 size, u64 *addr,
                                       struct failure *fail);
void cache_commit(struct cache *cache, u64 addr);
void cache_abort(struct cache *cache, u64 addr);
/* Everything is free again; only when every thread, in every process that can reach it, was seen outside. */
void cache_reset(struct cache *cache);
/* Is addr in an area? */
bool cache_holds(const struct cache *cache, u64 addr);

#endif
