/* SPDX-License-Identifier: MIT */
/*
 * store.c - looks an address up in everything that dynopt has put into this process.
 *
 * Order of publication: an image's tables are complete before a mapping's state leaves DARK (release); a
 * mapping's state is LIVE before its first site is. So whoever stands in a translation finds it here. Tables are
 * never changed or freed while the process lives; a mapping that is gone is FREE, and nobody stands there.
 */
#include "world.h"

static bool in_area(const struct image *image, const struct area *area, u64 addr, u64 *origin)
{
	u64 at = addr - area->start;
	u32 low = 0, high = area->n_origins;

	if (addr < area->start || at >= area->used || area->n_origins == 0)
		return false;
	while (high - low > 1) { /* origins[low].at <= at < origins[high].at */
		u32 middle = low + (high - low) / 2;

		if (area->origins[middle].at <= at)
			low = middle;
		else
			high = middle;
	}
	*origin = image->text_start + area->origins[low].origin;
	return true;
}

/* Slots are ascending in by_slot[] and do not overlap. */
static bool in_slot(const struct image *image, u64 addr, u64 *origin)
{
	u32 low = 0, high = image->n_slots;

	while (low < high) {
		u32 middle = low + (high - low) / 2;
		const struct site *site = &image->sites[image->by_slot[middle]];

		if (addr < site->hop.slot) {
			high = middle;
		} else if (addr >= site->hop.slot + 5) {
			low = middle + 1;
		} else {
			*origin = site->hop.site;
			return true;
		}
	}
	return false;
}

static bool in_image(const struct image *image, u64 addr, u64 *origin)
{
	for (u32 i = 0; i < image->n_areas; i++)
		if (in_area(image, &image->areas[i], addr, origin))
			return true;
	return in_slot(image, addr, origin);
}

bool store_origin(u64 rip, u64 *origin)
{
	const struct world *w = world;
	u32 n;

	if (!w)
		return false;
	n = __atomic_load_n(&w->n_mappings, __ATOMIC_ACQUIRE);
	for (u32 i = 0; i < n; i++) {
		const struct mapping *mapping = &w->mappings[i];
		u32 state = __atomic_load_n(&mapping->state, __ATOMIC_ACQUIRE);
		u64 found;

		if (state != MAPPING_LIVE && state != MAPPING_LEFT)
			continue;
		if (in_image(&w->images[mapping->image], rip - mapping->base, &found)) {
			*origin = found + mapping->base;
			return true;
		}
	}
	return false;
}
