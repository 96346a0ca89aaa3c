/* SPDX-License-Identifier: MIT */
/*
 * workshop.c - see workshop.h.
 *
 * A file that was translated before, and unloaded, and is back: sites and slots of its images are taken from the start.
 */
#include "workshop.h"

#include "maps.h"
#include "stages.h"
#include "sys.h"

#include <sys/mman.h>

#define CACHE_PER_TEXT 8 /* upper bound of translated bytes for each byte of text */

static struct workshop workshops[WORKSHOPS];
static u32 n_workshops; /* of these were ever in use: each is a page of its own, or nearly */

void workshop_set_site(struct workshop *workshop, u64 addr, bool set)
{
	u64 i = addr - workshop->reading.text.start;

	if (set)
		workshop->is_site[i / 8] |= (u8)(1 << i % 8);
	else
		workshop->is_site[i / 8] &= (u8) ~(1 << i % 8);
}

struct workshop *workshop_find(const struct image *record, u64 base)
{
	for (u32 i = 0; i < n_workshops; i++)
		if (workshops[i].record == record && workshops[i].base == base)
			return &workshops[i];
	return NULL;
}

static struct workshop *unused(void)
{
	struct workshop *w = workshop_find(NULL, 0);

	return w || n_workshops == WORKSHOPS ? w : &workshops[n_workshops++];
}

static void take_slot(struct workshop *w, u64 slot)
{
	u32 low = 0, high = w->reading.text.n_slots;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (w->slots[middle] == slot)
			w->taken[middle] = 1;
		if (w->slots[middle] < slot)
			low = middle + 1;
		else
			high = middle;
	}
}

/* Those of the text; images tell which are taken. */
static bool list_slots(struct workshop *w)
{
	const struct text *text = &w->reading.text;

	w->slots = arena_alloc(&w->reading.keep, text->n_slots + 1, sizeof(*w->slots));
	w->taken = arena_alloc(&w->reading.keep, text->n_slots + 1, 1);
	if (!w->slots || !w->taken)
		return false;
	for (u32 i = 0; i < text->n_slots; i++)
		w->slots[i] = text->slots[i].addr;
	for (u32 i = 0; i < world->n_images; i++) {
		const struct image *image = &world->images[i];

		for (u32 k = 0; image->record == w->record->record && k < image->n_sites; k++)
			if (image->sites[k].hop.kind == HOP_SLOT)
				take_slot(w, image->sites[k].hop.slot);
	}
	return true;
}

static void take_sites(struct workshop *w, const struct image *image)
{
	for (u32 i = 0; i < image->n_sites; i++)
		workshop_set_site(w, image->sites[i].hop.site, true);
}

static bool make_tables(struct workshop *w)
{
	const struct text *text = &w->reading.text;
	struct arena *keep = &w->reading.keep;

	w->decoder = arena_alloc(keep, 1, decode_scratch_size());
	w->is_site = arena_alloc(keep, (text->end - text->start) / 8 + 1, 1);
	w->fates = arena_alloc(keep, text->end - text->start + 1, 1);
	if (!world->options.agent)
		w->covers = arena_alloc(keep, text->end - text->start + 1, 1);
	if (!w->decoder || !w->is_site || !w->fates || !list_slots(w))
		return false;
	for (u32 i = 0; i < world->n_images; i++)
		if (world->images[i].record == w->record->record)
			take_sites(w, &world->images[i]);
	return true;
}

bool workshop_read(struct workshop *w, const u64 *addrs, u32 n)
{
	u32 before = stages_enter(STATUS_STAGE_reading), n_slots = w->reading.text.n_slots;
	bool good = image_read_more(w->record, &w->reading, addrs, n);

	memory_relax(&w->reading.scratch);
	if (good && w->reading.text.n_slots != n_slots)
		good = list_slots(w);
	stages_enter(before);
	return good;
}

struct workshop *workshop_open(struct image *record, u64 base, bool whole)
{
	static const struct workshop empty;
	struct workshop *w = record->status.refusal ? NULL : unused();
	u32 before;
	bool read;

	if (!w)
		return NULL;
	*w = empty;
	w->base = base;
	before = stages_enter(STATUS_STAGE_reading);
	read = image_read(record, &w->reading, whole);
	stages_enter(before);
	if (!read)
		return NULL;
	w->record = record;
	memory_relax(&w->reading.scratch); /* finding the code has used much of it */
	if (!make_tables(w)) {
		image_refuse(record, STATUS_WORKSPACE, 0, w->reading.keep.size);
		workshop_close(w);
		return NULL;
	}
	return w;
}

static bool add_area(struct workshop *w, u64 start, u64 end, bool mapped)
{
	u32 n = w->cache.n_areas;

	w->mapped[n] = mapped;
	return cache_add(&w->cache, start, end) == STATUS_OK && w->cache.n_areas > n;
}

/* What earlier images, of an earlier loading, hold of the reservation in the file. */
static void skip_used(struct workshop *w)
{
	for (u32 i = 0; i < world->n_images; i++) {
		const struct image *image = &world->images[i];

		for (u32 k = 0; image->record == w->record->record && k < image->n_areas; k++) {
			u64 used = image->areas[k].start + image->areas[k].used -
			           w->cache.areas[0].start;

			if (!image->areas[k].mapped && used > w->cache.areas[0].used)
				w->cache.areas[0].used = (used + CACHE_ALIGN - 1) &
				                         ~(u64)(CACHE_ALIGN - 1);
		}
	}
}

/* The reservation that the binary brings, then room near it: reserved at once, so that nobody else takes it. */
enum status workshop_areas(struct workshop *w, struct failure *fail)
{
	const struct text *text = &w->reading.text;
	const struct elf_view *view = text->view;
	const struct elf_span *last = &view->loads[view->n_loads - 1];
	u64 size = page_up(w->record->status.text_bytes * CACHE_PER_TEXT + 0x10000);
	u64 low = w->base + view->loads[0].addr, at;

	if (w->has_areas)
		return STATUS_OK;
	cache_init(&w->cache);
	if (size > world->options.cache_limit << 20)
		size = world->options.cache_limit << 20;
	if (text->cache_end > text->cache && add_area(w, text->cache, text->cache_end, false)) {
		w->record->status.cache_reserved = text->cache_end - text->cache;
		skip_used(w);
	}
	at = maps_near(low, w->base + last->addr + last->size, size);
	if (at &&
	    sys_failed(sys_mmap(at, size, PROT_NONE,
	                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
	                        -1, 0)))
		at = 0;
	if (at && add_area(w, at - w->base, at - w->base + size, true)) {
		w->near = at;
		w->near_size = size;
	}
	w->has_areas = w->cache.n_areas;
	return w->has_areas ? STATUS_OK : failed(fail, STATUS_CACHE_FULL, 0, size);
}

void workshop_close(struct workshop *w)
{
	static const struct workshop empty;
	u64 used = w->near_size ? page_up(w->cache.areas[w->cache.n_areas - 1].used) : 0;

	if (w->near_size > used)
		sys_munmap(w->near + used, w->near_size - used);
	pool_close(&w->traces);
	image_close(&w->reading);
	*w = empty;
}

bool workshop_give_up(struct workshop *w)
{
	if (!w->reading.text.parts || w->record->n_translations || w->has_areas)
		return false;
	w->record->notes = IMAGE_NO_NOTES;
	workshop_close(w);
	return true;
}
