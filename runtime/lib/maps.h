/* SPDX-License-Identifier: MIT */
/*
 * maps.h - this process's address space as the kernel lists it (proc(5), /proc/self/maps).
 */
#ifndef DYNOPT_MAPS_H
#define DYNOPT_MAPS_H

#include "port.h"

struct vma {
	u64 start, end;
	bool heap, stack;
	bool code; /* readable, executable, private, and not writable */
};

struct maps {
	int fd; /* -1: could not be opened */
	u32 got, pos; /* of buffer */
	char buffer[4096];
};

/* False if /proc is not there. */
bool maps_open(struct maps *maps);
bool maps_next(struct maps *maps, struct vma *out);
void maps_close(struct maps *maps);

/* Is all of [start, end) mapped as code that nobody can write? */
bool maps_code(u64 start, u64 end);

/*
 * An address for `size` bytes (whole pages) such that all of it is less than 2 GiB away from all of [low, high):
 * the free place next below it, else above it as far up as reach allows, clear of heap and stack, which grow.
 * 0 if there is none.
 */
u64 maps_near(u64 low, u64 high, u64 size);

#endif
