/* SPDX-License-Identifier: MIT */
/*
 * store.h - from an address in a code cache, a slot or a far slot back to the original text.
 *
 * Written by the agent before anything becomes reachable, read by signal wrappers in any thread at
 * any moment: readers take no lock and call nothing. What was published stays readable until the process ends.
 */
#ifndef DYNOPT_STORE_H
#define DYNOPT_STORE_H

#include "port.h"

#include "state.h"

/* Where an address in code that dynopt made comes from. */
struct store_hit {
	u64 origin; /* run-time address of the original instruction */
	u64 base; /* load bias of its module */
	const struct ir_state *
		state; /* how the machine differs from the original's there (state.h); NULL: it does not */
	const struct ir_pending *pendings;
};

/*
 * If run-time address `rip` lies in code that dynopt made (translation, slot, far slot), fills *hit and returns true.
 * Async-signal-safe.
 */
bool store_find(u64 rip, struct store_hit *hit);

struct image;
/* Has the image a site at module address `addr`? *at: which. And is it patched? */
bool store_at(const struct image *image, u64 addr, u32 *at);
bool store_site(const struct image *image, u64 addr, u32 *at);
/* The same for a run-time address, in what is live. Both are async-signal-safe. */
bool store_patched(u64 rip);

/* The translation that a run-time address lies in; NULL. The agent's alone: it looks through all. */
struct translation;
const struct translation *store_translation(u64 rip);

/* store_find() for those who want the address alone. */
bool store_origin(u64 rip, u64 *origin);

#endif
