/* SPDX-License-Identifier: MIT */
/*
 * sampler_timer.h - sampler `timer` as the program's own threads see it: they make its timer, and its signal is theirs if they ask for it.
 */
#ifndef DYNOPT_SAMPLER_TIMER_H
#define DYNOPT_SAMPLER_TIMER_H

#include "port.h"

#define SAMPLER_SIGNAL 63
#define SAMPLER_ROOM 256 /* samples between two ticks of the agent */
#define SAMPLER_REGS 18 /* in each, those of WALKER_REGS */

enum sampler_timer_state {
	TIMER_OFF,
	TIMER_WANTED,
	TIMER_RUNS,
	TIMER_STOPS,
	TIMER_REFUSED,
	TIMER_TAKEN
};

/* In the world, for the agent and the program's threads. */
struct sampler_timer {
	u32 state; /* enum sampler_timer_state */
	int id; /* the kernel's */
	long result; /* of TIMER_REFUSED: -errno */
	u64 period_ns, armed_ns; /* wanted, set */
	u32 next; /* slot, modulo SAMPLER_ROOM */
	u64 slots[SAMPLER_ROOM]; /* instruction addresses; 0: none */
	u64 regs[SAMPLER_ROOM]
		[SAMPLER_REGS]; /* written before the slot; half of another's where a slot is written twice before it is read */
};

/* In the program's first thread, once the agent has had its say. */
void sampler_timer_begin(void);
/* The program is about to set this signal: if it is ours, it is the program's from now on. Async-signal-safe. */
void sampler_timer_yield(int sig);
/* Is this handler, as the kernel tells it, ours? Then the program has set none. */
bool sampler_timer_is_ours(u64 handler);

#endif
