/* SPDX-License-Identifier: MIT */
/*
 * store.c - looks an address up in everything that dynopt has put into this process.
 *
 * Order of publication: an image's tables are complete before a mapping's state leaves DARK (release); a
 * mapping's state is LIVE before its first site is. So whoever stands in a translation finds it here. Tables are
 * never changed or freed while the process lives; a mapping that is gone is FREE, and nobody stands there.
 */
#include "world.h"

static bool in_area(const struct image *image, const struct area *area, u64 addr,
                    struct store_hit *hit)
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
	hit->origin = image->text_start + area->origins[low].origin;
	if (area->origins[low].state) {
		hit->state = &image->states[area->origins[low].state];
		hit->pendings = image->pendings;
	}
	return true;
}

/* Slots are ascending in by_slot[] and do not overlap. */
static bool in_slot(const struct image *image, u64 addr, struct store_hit *hit)
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
			hit->origin = site->hop.site;
			return true;
		}
	}
	return false;
}

static bool in_image(const struct image *image, u64 addr, struct store_hit *hit)
{
	for (u32 i = 0; i < image->n_areas; i++)
		if (in_area(image, &image->areas[i], addr, hit))
			return true;
	return in_slot(image, addr, hit);
}

bool store_find(u64 rip, struct store_hit *hit)
{
	const struct world *w = world;
	u32 n;

	if (!w)
		return false;
	n = __atomic_load_n(&w->n_mappings, __ATOMIC_ACQUIRE);
	for (u32 i = 0; i < n; i++) {
		const struct mapping *mapping = &w->mappings[i];
		u32 state = __atomic_load_n(&mapping->state, __ATOMIC_ACQUIRE);

		if (state != MAPPING_LIVE && state != MAPPING_LEFT)
			continue;
		hit->state = NULL;
		if (in_image(&w->images[mapping->image], rip - mapping->base, hit)) {
			hit->origin += mapping->base;
			hit->base = mapping->base;
			return true;
		}
	}
	return false;
}

bool store_origin(u64 rip, u64 *origin)
{
	struct store_hit hit;

	if (!store_find(rip, &hit))
		return false;
	*origin = hit.origin;
	return true;
}

bool store_at(const struct image *image, u64 addr, u32 *at)
{
	u32 low = 0, high = image->n_sites;

	while (low < high) {
		u32 middle = low + (high - low) / 2;
		u64 site = image->sites[middle].hop.site;

		if (addr == site) {
			*at = middle;
			return true;
		}
		if (addr < site)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

bool store_site(const struct image *image, u64 addr, u32 *at)
{
	return store_at(image, addr, at) && memcmp(image->sites[*at].old, image->sites[*at].new,
	                                           site_patch_len(&image->sites[*at])) != 0;
}

bool store_patched(u64 rip)
{
	u32 n = world ? __atomic_load_n(&world->n_mappings, __ATOMIC_ACQUIRE) : 0, at;

	for (u32 i = 0; i < n; i++) {
		const struct mapping *mapping = &world->mappings[i];

		if (__atomic_load_n(&mapping->state, __ATOMIC_ACQUIRE) == MAPPING_LIVE &&
		    store_site(&world->images[mapping->image], rip - mapping->base, &at))
			return true;
	}
	return false;
}

static const struct translation *translation_in(const struct image *image, u64 addr)
{
	for (u32 i = 0; i < image->n_translations; i++) {
		const struct translation *t = &image->translations[i];

		if (addr - image->areas[t->area].start - t->at < t->size)
			return t;
	}
	return NULL;
}

const struct translation *store_translation(u64 rip)
{
	for (u32 i = 0; i < world->n_mappings; i++) {
		const struct mapping *mapping = &world->mappings[i];
		const struct translation *found =
			mapping->state == MAPPING_LIVE || mapping->state == MAPPING_LEFT
				? translation_in(&world->images[mapping->image],
		                                 rip - mapping->base)
				: NULL;

		if (found)
			return found;
	}
	return NULL;
}
