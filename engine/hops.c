/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * hops.c - gives sites their chains: which slot, which far slot, or what was missing.
 *
 * Slots: a site may use those in a window of 256 bytes, so windows move with sites. Sites that need no far slot
 * go first, in order of address, each to the lowest free slot of its window: then no lower slot is ever of use to
 * any of them. Those that do need one follow: where the window is full, later sites move up, so if the end of a row of
 * moves is no free slot, there is none. Who then gets no far slot gives the slot back.
 * Far slots are in reach of everything in a module below 2 GiB, so the lowest free one is as good as any.
 *
 * Invariant: a place is taken by one hop at most, and what a hop says was checked with the addresses it
 * says: every jump reaches.
 */
#include "hops.h"
#include "decode.h"
#include "dynopt_notes.h"

/* A two-byte jump from `site` leads to site + 2 + [-128, 127]. */
#define WINDOW_BEFORE (128 - JMP_REL8_LEN)
#define WINDOW_AFTER (127 + JMP_REL8_LEN)
#define NOBODY 0xffffffffu

struct planner {
	struct hop *hops;
	u32 n;
	struct hop_places *places;
};

/* Does `jmp rel32` at `from` reach `to`? */
static bool reaches(u64 from, u64 to)
{
	s64 distance = (s64)(to - (from + JMP_REL32_LEN));

	return distance == (s32)distance;
}

/* The first of the ascending addresses that is not below `least`. */
static u32 first_from(const u64 *addrs, u32 n, u64 least)
{
	u32 low = 0, high = n;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (addrs[middle] < least)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool in_window(u64 site, u64 slot)
{
	return slot + WINDOW_BEFORE - site <= WINDOW_BEFORE + WINDOW_AFTER;
}

static u32 window_begin(const struct hop_places *places, u64 site)
{
	return first_from(places->slots, places->n_slots,
	                  site > WINDOW_BEFORE ? site - WINDOW_BEFORE : 0);
}

/* Free slot in the site's window, the lowest. */
static bool free_slot(const struct hop_places *places, u64 site, u32 *slot)
{
	for (u32 i = window_begin(places, site); i < places->n_slots; i++) {
		if (!in_window(site, places->slots[i]))
			return false;
		if (!places->taken[i]) {
			*slot = i;
			return true;
		}
	}
	return false;
}

static void take_slot(struct hop *hop, u64 slot)
{
	hop->kind = HOP_SLOT;
	hop->slot = slot;
}

static bool has_slot(const struct hop *hop)
{
	return hop->kind == HOP_SLOT || hop->kind == HOP_SLOT_FAR;
}

/* Whom to move in favour of hops[who]: of those with a slot in its window the last. */
static u32 whom_to_move(const struct planner *p, u32 who)
{
	u64 site = p->hops[who].site;
	u32 found = NOBODY;

	for (u32 i = who + 1; i < p->n; i++) {
		const struct hop *hop = &p->hops[i];

		if (hop->site - site > WINDOW_BEFORE + WINDOW_AFTER)
			break;
		if (has_slot(hop) && in_window(site, hop->slot))
			found = i;
	}
	return found;
}

/* Moves later sites up until one has a free slot: `dry` finds out whether that works, without it it is done. */
static bool make_room(struct planner *p, u32 who, bool dry)
{
	struct hop_places *places = p->places;
	u32 slot;

	while (!free_slot(places, p->hops[who].site, &slot)) {
		u32 other = whom_to_move(p, who);

		if (other == NOBODY)
			return false;
		if (!dry)
			take_slot(&p->hops[who], p->hops[other].slot);
		who = other;
	}
	if (!dry) {
		places->taken[slot] = 1;
		take_slot(&p->hops[who], places->slots[slot]);
	}
	return true;
}

static void refuse(struct hop *hop, enum status why)
{
	hop->kind = HOP_NONE;
	hop->refusal = why;
	hop->slot = hop->far = 0;
}

/* The lowest free far slot that a jump at `from` reaches. */
static bool take_far(struct hop_places *places, u64 from, u64 *far)
{
	for (u32 i = 0; i < places->n_far; i++) {
		if (places->far_taken[i] || !reaches(from, places->far[i]))
			continue;
		places->far_taken[i] = 1;
		*far = places->far[i];
		return true;
	}
	return false;
}

/* A site is at least two bytes long, and no byte belongs to two sites. */
static void check_sites(struct planner *p)
{
	u64 end = 0;

	for (u32 i = 0; i < p->n; i++) {
		struct hop *hop = &p->hops[i];

		refuse(hop, STATUS_OK);
		if (hop->len < JMP_REL8_LEN)
			hop->refusal = STATUS_SITE_SHORT;
		else if (hop->site < end)
			hop->refusal = STATUS_SITE_TAKEN;
		else
			end = hop->site + hop->len;
	}
}

/* Does every slot that the site could get reach its target? */
static bool is_near(const struct hop *hop)
{
	return reaches(hop->site - WINDOW_BEFORE, hop->target) &&
	       reaches(hop->site + WINDOW_AFTER, hop->target);
}

/* Long sites need no slot, but a far slot if the target is out of reach. */
static void serve_long(struct planner *p)
{
	for (u32 i = 0; i < p->n; i++) {
		struct hop *hop = &p->hops[i];

		if (hop->refusal || hop->len < JMP_REL32_LEN)
			continue;
		if (reaches(hop->site, hop->target))
			hop->kind = HOP_DIRECT;
		else if (take_far(p->places, hop->site, &hop->far))
			hop->kind = HOP_FAR;
		else
			refuse(hop, STATUS_HOP_NO_FAR);
	}
}

/* Short sites near their target. In order of address the lowest free slot is right: nothing has to move. */
static void serve_near(struct planner *p)
{
	u32 slot;

	for (u32 i = 0; i < p->n; i++) {
		struct hop *hop = &p->hops[i];

		if (hop->refusal || hop->len >= JMP_REL32_LEN || !is_near(hop))
			continue;
		if (!free_slot(p->places, hop->site, &slot)) {
			refuse(hop, STATUS_HOP_NO_SLOT);
			continue;
		}
		p->places->taken[slot] = 1;
		take_slot(hop, p->places->slots[slot]);
	}
}

/* The other short sites; settle() finds far slots for them. */
static void serve_distant(struct planner *p)
{
	for (u32 i = 0; i < p->n; i++) {
		struct hop *hop = &p->hops[i];

		if (hop->refusal || hop->kind != HOP_NONE)
			continue;
		if (!make_room(p, i, true) || !make_room(p, i, false))
			refuse(hop, STATUS_HOP_NO_SLOT);
	}
}

static void release_place(const u64 *addrs, u8 *taken, u32 n, u64 addr)
{
	u32 i = first_from(addrs, n, addr);

	if (i < n && addrs[i] == addr)
		taken[i] = 0;
}

/* Slots have moved; now that they stand, who needs a far slot gets it. Returns how many are served. */
static u32 settle(struct planner *p)
{
	struct hop_places *places = p->places;
	u32 n = 0;

	for (u32 i = 0; i < p->n; i++) {
		struct hop *hop = &p->hops[i];

		if (has_slot(hop) && !reaches(hop->slot, hop->target)) {
			if (take_far(places, hop->slot, &hop->far)) {
				hop->kind = HOP_SLOT_FAR;
			} else {
				release_place(places->slots, places->taken, places->n_slots,
				              hop->slot);
				refuse(hop, STATUS_HOP_NO_FAR);
			}
		}
		n += hop->kind != HOP_NONE;
	}
	return n;
}

u32 hops_plan(struct hop *hops, u32 n, struct hop_places *places)
{
	struct planner p = { hops, n, places };

	check_sites(&p);
	serve_long(&p);
	serve_near(&p);
	serve_distant(&p);
	return settle(&p);
}

void hops_release(const struct hop *hop, struct hop_places *places)
{
	if (has_slot(hop))
		release_place(places->slots, places->taken, places->n_slots, hop->slot);
	if (hop->kind == HOP_FAR || hop->kind == HOP_SLOT_FAR)
		release_place(places->far, places->far_taken, places->n_far, hop->far);
}
