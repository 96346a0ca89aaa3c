/* SPDX-License-Identifier: MIT */
/*
 * phase.c - see phase.h.
 */
#include "phase.h"

#define PIECE 256u /* bytes of code that count as one place */

bool phase_add(struct phase *phase, u64 origin)
{
	u32 place = (u32)((origin / PIECE * 0x9e3779b97f4a7c15u) >> 40) % PHASE_PLACES, moved = 0;
	bool changed;

	phase->now[place]++;
	if (++phase->n < PHASE_WINDOW)
		return false;
	for (u32 i = 0; i < PHASE_PLACES; i++)
		if (phase->now[i] > phase->before[i])
			moved += phase->now[i] - phase->before[i];
	changed = phase->has_before && moved >= PHASE_MOVED;
	memcpy(phase->before, phase->now, sizeof(phase->before));
	memset(phase->now, 0, sizeof(phase->now));
	phase->n = 0;
	phase->has_before = true;
	return changed;
}
