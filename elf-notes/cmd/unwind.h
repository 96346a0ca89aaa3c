/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * unwind.h - what .eh_frame and .gcc_except_table tell about code: where functions
 * start and end, and where exceptions land.
 *
 * Damaged tables give fewer entries, never wrong memory accesses.
 */
#ifndef DYNOPT_CMD_UNWIND_H
#define DYNOPT_CMD_UNWIND_H

#include "image.h"

struct unwind_function {
	u64 start, end;
};

struct unwind {
	VEC(struct unwind_function) functions; /* one per FDE, by start */
	VEC(u64) landing_pads;                 /* sorted */
};

void unwind_read(struct unwind *unwind, const struct image *image);
void unwind_free(struct unwind *unwind);

#endif
