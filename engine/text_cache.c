/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * text_cache.c - where a module has room for translations and far jumps.
 *
 * Every object has a share of the code cache; where the linker script placed them they touch. Invariant: what is
 * told lies in one executable segment and holds 0xCC in the file from its first byte to its last.
 */
#include "text_private.h"

#define UNUSED_BYTE 0xccu
#define UNUSED_EIGHT 0xccccccccccccccccu

struct area {
	u64 start, end;
};

static bool unused(const struct elf_view *view, const struct area *area)
{
	u64 size = area->end - area->start, i;
	const u8 *bytes = elf_view_bytes(view, area->start, size, ELF_VIEW_X);

	if (!bytes)
		return false;
	for (i = 0; i + 8 <= size; i += 8)
		if (port_get64(bytes + i) != UNUSED_EIGHT)
			return false;
	for (; i < size; i++)
		if (bytes[i] != UNUSED_BYTE)
			return false;
	return true;
}

/* The largest area of touching ones that is unused; *best is {0, 0} if there is none. */
static void largest(const struct elf_view *view, struct area *areas, u32 n, struct area *best)
{
	u32 i = 0;

	text_sort(areas, n, sizeof(*areas));
	best->start = 0;
	best->end = 0;
	while (i < n) {
		struct area area = areas[i];

		for (i++; i < n && areas[i].start <= area.end; i++) {
			if (areas[i].end > area.end)
				area.end = areas[i].end;
		}
		if (area.end - area.start > best->end - best->start && unused(view, &area))
			*best = area;
	}
}

/* Nothing else is found in what was reserved, be it used or not. */
static void claim(struct builder *b, const struct area *area)
{
	struct text_part part;
	u64 at = area->start;

	while (text_next_part(b->parts, b->n_parts, &at, area->end, &part))
		text_mark_range(b->text, part.start, part.end, TEXT_RECORDED);
}

/* Counts the shares, and stores at most `max` of them. */
static u32 shares(const struct notes_reader *r, struct area *areas, u32 max)
{
	struct notes_reader quiet;
	struct notes_object object;
	struct notes_walk walk;
	enum notes_status found;
	u32 n = 0;

	notes_reader_init(&quiet, r->view);
	notes_walk_begin(&walk, &quiet);
	while ((found = notes_objects_next(&walk, &object)) != NOTES_END) {
		if (found != NOTES_OK || !object.cache_size)
			continue;
		if (n < max) {
			areas[n].start = object.cache;
			areas[n].end = object.cache + object.cache_size;
		}
		n++;
	}
	return n;
}

/* Far pools that cannot be read count as failures of the notes. */
static void far_pool(struct builder *b, struct notes_reader *r, struct area *best)
{
	struct notes_farpool pool;
	struct notes_walk walk;
	enum notes_status found;
	struct area area;

	best->start = 0;
	best->end = 0;
	notes_walk_begin(&walk, r);
	while ((found = notes_farpools_next(&walk, &pool)) != NOTES_END) {
		if (found != NOTES_OK)
			continue;
		area.start = pool.start;
		area.end = pool.end;
		claim(b, &area);
		if (area.end - area.start > best->end - best->start && unused(r->view, &area))
			*best = area;
	}
}

enum status text_add_cache(struct builder *b, struct notes_reader *r, struct failure *fail)
{
	struct area *areas, best;
	u32 n = shares(r, NULL, 0), i;

	areas = arena_alloc(b->scratch, n, sizeof(*areas));
	if (n && !areas)
		return failed(fail, STATUS_WORKSPACE, 0, n * sizeof(*areas));
	n = shares(r, areas, n);
	for (i = 0; i < n; i++) {
		enum status status = text_pay(b, areas[i].end - areas[i].start, fail);

		if (status)
			return status;
		claim(b, &areas[i]);
	}
	largest(b->view, areas, n, &best);
	b->text->cache = best.start;
	b->text->cache_end = best.end;
	far_pool(b, r, &best);
	b->text->far = best.start;
	b->text->far_end = best.end;
	return STATUS_OK;
}
