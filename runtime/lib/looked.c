/* SPDX-License-Identifier: MIT */
/*
 * looked.c - see looked.h.
 */
#include "looked.h"

#define LOOKED 4096u /* a power of 2 */

bool *looked_at(u64 start)
{
	static struct {
		u64 start;
		bool yes;
	} looked[LOOKED];
	u32 at = (u32)((start * 0x9e3779b97f4a7c15u) >> 40) & (LOOKED - 1);

	if (looked[at].start != start) {
		looked[at].start = start;
		looked[at].yes = false;
	}
	return &looked[at].yes;
}
