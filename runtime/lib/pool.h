/* SPDX-License-Identifier: MIT */
/*
 * pool.h - arrays of the agent's own, in memory that is reserved large and used as far as needed.
 *
 * A pool's address never changes while it grows, and what it did not use goes back to the kernel by
 * pool_trim(). So tables can be built in one pass without knowing their length, and read by others afterwards.
 */
#ifndef DYNOPT_POOL_H
#define DYNOPT_POOL_H

#include "port.h"

struct pool {
	u8 *base;
	u64 size, used; /* bytes */
};

/* Reserves `size` bytes, zeroed; false without memory (base is then NULL, size 0). */
bool pool_open(struct pool *pool, u64 size);
/* The next `size` bytes; NULL if the reservation is used up. */
void *pool_take(struct pool *pool, u64 size);
/* Gives back whole pages beyond what is used. */
void pool_trim(struct pool *pool);
void pool_close(struct pool *pool);

#endif
