/* SPDX-License-Identifier: MIT */
/*
 * mapping.c - translations into and out of one loading of a module.
 *
 *   publish    1 compare live text with the file    2 code cache bytes    3 state LIVE
 *              4 sites and slots, a run of pages at a time
 *   withdraw   1 sites    2 links, so that loops let go too    3 state LEFT
 *   restore    1 links    2 sites    3 state LIVE
 *
 * A slot is within 128 bytes of its site, so both are in one run and change at the same moment (gate.h). A
 * site whose bytes are not what we expect belongs to somebody else (a debugger, the program itself) and is passed over:
 * its translation stays valid for ever, published or not. Slots are not cleared: they belong to their site until the end, and lead to the
 * last of its translations.
 */
#include "mapping.h"

#include "batch.h"
#include "gate.h"
#include "image.h"
#include "jump.h"
#include "maps.h"
#include "pool.h"
#include "jitdump.h"
#include "sys.h"

#include <sys/mman.h>

/* Runs that are so close are made one: a page copied is cheaper than another VMA. */
#define RUN_GAP 8

static void flipped(u64 began)
{
	world->flips++;
	world->flip_ns += sys_now_ns() - began;
}

/* ---- sites ---- */

enum direction { TO_NEW, TO_OLD };

struct flip {
	const struct image *image;
	const struct segment *segment;
	u64 base;
	int fd;
	enum direction direction;
	bool retired; /* retired sites only */
	u8 *pages; /* one byte for each page of the segment: does it change? */
	u64 n_pages;
	u32 next; /* first site not yet written */
};

static bool in_segment(const struct segment *segment, u64 addr, u64 size)
{
	return addr >= segment->addr && addr + size <= segment->addr + segment->size;
}

static const struct segment *segment_of(const struct image *image, u64 addr)
{
	for (u32 i = 0; i < image->n_segments; i++)
		if (in_segment(&image->segments[i], addr, 1))
			return &image->segments[i];
	return NULL;
}

static void mark(struct flip *f, u64 addr, u64 size)
{
	u64 first = (addr - f->segment->addr) / PAGE_SIZE;
	u64 last = (addr + size - 1 - f->segment->addr) / PAGE_SIZE;

	for (u64 page = first; page <= last && page < f->n_pages; page++)
		f->pages[page] = 1;
}

/* Is the site among those that are flipped? */
static bool meant(const struct flip *f, const struct site *site)
{
	u32 len = site_patch_len(site);

	return in_segment(f->segment, site->hop.site, len) &&
	       (!f->retired || (site->retired && memcmp(site->old, site->new, len) != 0));
}

static bool mark_pages(struct flip *f)
{
	bool any = false;
	u64 seen = 0;

	for (u32 i = 0; i < f->image->n_sites; i++) {
		const struct site *site = &f->image->sites[i];

		if (!meant(f, site))
			continue;
		any = true;
		mark(f, site->hop.site, site_patch_len(site));
		if (site->hop.kind == HOP_SLOT)
			mark(f, site->hop.slot, JMP_REL32_LEN);
	}
	for (u64 page = 0; page < f->n_pages; page++) {
		if (!f->pages[page])
			continue;
		if (seen && page - seen <= RUN_GAP)
			memset(f->pages + seen, 1, page - seen);
		seen = page + 1;
	}
	return any;
}

static void write_site(struct flip *f, const struct gate *gate, const struct site *site)
{
	u8 *at = gate_at(gate, f->base + site->hop.site);
	u32 len = site_patch_len(site);
	bool to_new = f->direction == TO_NEW;

	if (memcmp(at, to_new ? site->old : site->new, len) != 0)
		return;
	if (to_new && site->hop.kind == HOP_SLOT)
		jump32(gate_at(gate, f->base + site->hop.slot), site->hop.slot, site->hop.target);
	memcpy(at, to_new && !site->retired ? site->new : site->old, len);
}

/* One run of pages [first, end): all or nothing. Returns 0 or -errno. */
static long flip_run(struct flip *f, u64 first, u64 end)
{
	u64 from = f->segment->addr + first * PAGE_SIZE, to = f->segment->addr + end * PAGE_SIZE;
	u64 began = sys_now_ns();
	struct gate gate;
	long result = gate_open(&gate, f->base + from, to - from, f->fd,
	                        f->segment->offset + (from - f->segment->addr));

	if (sys_failed(result))
		return result;
	for (; f->next < f->image->n_sites && f->image->sites[f->next].hop.site < to; f->next++)
		if (meant(f, &f->image->sites[f->next]) &&
		    f->image->sites[f->next].hop.site >= from)
			write_site(f, &gate, &f->image->sites[f->next]);
	result = gate_publish(&gate);
	if (!sys_failed(result))
		flipped(began);
	return result;
}

static long flip_segment(struct flip *f)
{
	struct pool pages;
	long result = 0;

	f->n_pages = f->segment->size / PAGE_SIZE;
	f->next = 0;
	if (!pool_open(&pages, f->n_pages + 1))
		return -12; /* ENOMEM */
	f->pages = pages.base;
	if (mark_pages(f))
		for (u64 first = 0; first < f->n_pages && !sys_failed(result); first++) {
			u64 end = first;

			while (end < f->n_pages && f->pages[end])
				end++;
			if (end > first)
				result = flip_run(f, first, end);
			first = end;
		}
	pool_close(&pages);
	return result;
}

/* Every site of the mapping, or every retired one, that reads as expected. 0 or -errno of what went wrong first; the rest stays as it was. */
static long flip_sites(struct mapping *mapping, int fd, enum direction direction, bool retired)
{
	const struct image *image = &world->images[mapping->image];
	long result = 0;

	for (u32 i = 0; i < image->n_segments && !sys_failed(result); i++) {
		struct flip f = { 0 };

		f.image = image;
		f.segment = &image->segments[i];
		f.base = mapping->base;
		f.fd = fd;
		f.direction = direction;
		f.retired = retired;
		result = flip_segment(&f);
	}
	return result;
}

static void drop_site(struct mapping *mapping, struct site *site)
{
	const struct image *image = &world->images[mapping->image];
	const struct segment *segment = segment_of(image, site->hop.site);
	u32 len = site_patch_len(site);
	u64 from = page_down(site->hop.site), to = page_up(site->hop.site + len);
	long fd = image_open_file(image->path);
	struct gate gate;

	if (sys_failed(fd))
		return;
	if (!sys_failed(gate_open(&gate, mapping->base + from, to - from, (int)fd,
	                          segment->offset + (from - segment->addr)))) {
		u8 *at = gate_at(&gate, mapping->base + site->hop.site);

		if (memcmp(at, site->new, len) == 0)
			memcpy(at, site->old, len);
		if (!sys_failed(gate_publish(&gate)))
			memcpy(site->new, site->old, len);
	}
	sys_close((int)fd);
}

void mappings_drop_site(u64 addr)
{
	for (u32 i = 0; i < world->n_mappings; i++) {
		struct mapping *mapping = &world->mappings[i];
		struct image *image = &world->images[mapping->image];
		u32 at;

		if (mapping->state == MAPPING_LIVE && store_site(image, addr - mapping->base, &at))
			drop_site(mapping, &image->sites[at]);
	}
}

/* ---- entries of jump tables' shadows ---- */

/* An image's live mapping at a base; NULL. */
static struct mapping *live_at(u32 image, u64 base)
{
	for (u32 i = 0; i < world->n_mappings; i++)
		if (world->mappings[i].image == image && world->mappings[i].base == base &&
		    world->mappings[i].state == MAPPING_LIVE)
			return &world->mappings[i];
	return NULL;
}

/* Run-time address. Bytes of another image may lie elsewhere for another loading, or not be there yet. */
static u64 entry_value(const struct mapping *mapping, const struct entry *entry,
                       enum direction direction)
{
	bool there = entry->image == mapping->image || live_at(entry->image, mapping->base);

	return mapping->base + (direction == TO_NEW && there ? entry->linked : entry->original);
}

/* `bytes`: the area's, or a copy of them. */
static void write_entries(const struct mapping *mapping, const struct area *area, u8 *bytes,
                          enum direction direction)
{
	for (u32 i = 0; i < area->n_entries; i++) {
		u64 value = entry_value(mapping, &area->entries[i], direction);

		memcpy(bytes + area->entries[i].at, &value, sizeof(value));
	}
}

/* ---- code cache ---- */

static long gate_on_area(struct gate *gate, const struct mapping *mapping, const struct area *area,
                         int fd)
{
	u64 from = page_down(area->start), to = page_up(area->start + area->used);
	const struct segment *segment;

	if (area->mapped)
		return gate_open(gate, mapping->base + from, to - from, -1, 0);
	segment = segment_of(&world->images[mapping->image], area->start);
	return gate_open(gate, mapping->base + from, to - from, fd,
	                 segment->offset + (from - segment->addr));
}

/* A place of our own, which nobody else may have taken meanwhile; then the code by a gate, as everywhere. */
static long place_mapped(struct mapping *mapping, struct area *area)
{
	u64 at = mapping->base + area->start, size = page_up(area->used);
	int how = at == area->reserved ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	long result = sys_mmap(at, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | how, -1, 0);
	struct gate gate;

	area->reserved = 0;
	if (sys_failed(result))
		return result;
	if ((u64)result != at) { /* a kernel that does not know NOREPLACE */
		sys_munmap((u64)result, size);
		return -17; /* EEXIST */
	}
	result = gate_open(&gate, at, size, -1, 0);
	if (!sys_failed(result)) {
		memset(gate_at(&gate, at), 0xcc, size);
		memcpy(gate_at(&gate, at), area->staging, area->used);
		write_entries(mapping, area, gate_at(&gate, at), TO_NEW);
		result = gate_publish(&gate);
	}
	if (sys_failed(result))
		sys_munmap(at, size);
	return result;
}

static long place_reserved(struct mapping *mapping, const struct area *area, int fd)
{
	u64 began = sys_now_ns();
	struct gate gate;
	long result = gate_on_area(&gate, mapping, area, fd);

	if (sys_failed(result))
		return result;
	memcpy(gate_at(&gate, mapping->base + area->start), area->staging, area->used);
	write_entries(mapping, area, gate_at(&gate, mapping->base + area->start), TO_NEW);
	result = gate_publish(&gate);
	if (!sys_failed(result))
		flipped(began);
	return result;
}

static long place_areas(struct mapping *mapping, int fd)
{
	struct image *image = &world->images[mapping->image];

	for (u32 i = 0; i < image->n_areas; i++) {
		struct area *area = &image->areas[i];
		long result;

		if (area->used == 0)
			continue;
		result = area->mapped ? place_mapped(mapping, area)
		                      : place_reserved(mapping, area, fd);
		if (sys_failed(result))
			return result;
		mapping->area_there[i] = true;
	}
	return 0;
}

/* All links of the mapping, and entries of its shadows, to their linked (TO_NEW) or original (TO_OLD) values. */
static long flip_links(struct mapping *mapping, int fd, enum direction direction)
{
	const struct image *image = &world->images[mapping->image];

	for (u32 i = 0; i < image->n_areas; i++) {
		const struct area *area = &image->areas[i];
		u64 began = sys_now_ns();
		struct gate gate;
		long result;

		if (!mapping->area_there[i] || (area->n_links == 0 && area->n_entries == 0))
			continue;
		result = gate_on_area(&gate, mapping, area, fd);
		if (sys_failed(result))
			return result;
		for (u32 k = 0; k < area->n_links; k++) {
			const struct link *link = &area->links[k];

			memcpy(gate_at(&gate, mapping->base + area->start + link->at),
			       direction == TO_NEW ? &link->linked : &link->original, sizeof(s32));
		}
		write_entries(mapping, area, gate_at(&gate, mapping->base + area->start),
		              direction);
		result = gate_publish(&gate);
		if (sys_failed(result))
			return result;
		flipped(began);
	}
	return 0;
}

/* ---- a whole mapping ---- */

static struct image *record_of(const struct image *image)
{
	return &world->images[image->record];
}

static void set_state(struct mapping *mapping, enum mapping_state state)
{
	__atomic_store_n(&mapping->state, state, __ATOMIC_RELEASE);
}

static void refuse(struct image *image, enum status status, u64 addr, long result)
{
	record_of(image)->status.refusal = status;
	record_of(image)->status.refusal_addr = addr;
	record_of(image)->status.refusal_detail = result < 0 ? (u64)-result : 0;
}

/* Does an entry of this image's shadows lead into the other one? */
static bool leads_into(const struct image *image, u32 other)
{
	for (u32 i = 0; i < image->n_areas; i++)
		for (u32 k = 0; k < image->areas[i].n_entries; k++)
			if (image->areas[i].entries[k].image == other)
				return true;
	return false;
}

/* Translations of this mapping have become live, or are so no more: others' shadows of jump tables follow. */
static void tell_others(const struct mapping *mapping, int fd)
{
	for (u32 i = 0; i < world->n_mappings; i++) {
		struct mapping *other = &world->mappings[i];

		if (other == mapping || other->state != MAPPING_LIVE ||
		    other->base != mapping->base ||
		    !leads_into(&world->images[other->image], mapping->image))
			continue;
		if (sys_failed(flip_links(other, fd, TO_NEW)))
			refuse(&world->images[other->image], STATUS_PLAN_STALE, mapping->base, 0);
	}
}

/* Writes into a copy of a segment what a mapping has changed there. The slot of a retired site leads to its code until a later one has it. */
static void expect(u8 *copy, const struct segment *segment, const struct mapping *mapping)
{
	const struct image *image = &world->images[mapping->image];

	for (u32 i = 0; i < image->n_sites; i++) {
		const struct site *site = &image->sites[i];

		if (!in_segment(segment, site->hop.site, site_patch_len(site)))
			continue;
		if (!site->retired)
			memcpy(copy + (site->hop.site - segment->addr), site->new,
			       site_patch_len(site));
		if (site->hop.kind == HOP_SLOT)
			jump32(copy + (site->hop.slot - segment->addr), site->hop.slot,
			       site->hop.target);
	}
	for (u32 i = 0; i < image->n_areas; i++) {
		const struct area *area = &image->areas[i];

		if (area->mapped || !in_segment(segment, area->start, area->used))
			continue;
		memcpy(copy + (area->start - segment->addr), area->staging, area->used);
		write_entries(mapping, area, copy + (area->start - segment->addr), TO_NEW);
	}
}

/* In the order in which they were made: slots lead to what was made last. */
static void expect_others(u8 *copy, const struct segment *segment, const struct mapping *mapping)
{
	for (u32 i = 0; i < world->n_images; i++) {
		const struct mapping *other = live_at(i, mapping->base);

		if (other && world->images[i].record == world->images[mapping->image].record)
			expect(copy, segment, other);
	}
}

/*
 * Is what is mapped code that nobody can write, and what the file holds, but for what other images of ours have changed? Address
 * of the first page that is not in *where.
 */
static bool text_as_in_file(const struct mapping *mapping, const struct image *image, int fd,
                            u64 *where)
{
	for (u32 i = 0; i < image->n_segments; i++) {
		const struct segment *segment = &image->segments[i];
		long copy = sys_mmap(0, segment->size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd,
		                     segment->offset);
		u64 live = mapping->base + segment->addr;
		bool same = !sys_failed(copy) && maps_code(live, live + segment->size);

		if (same)
			expect_others((u8 *)copy, segment, mapping);
		*where = segment->addr;
		for (u64 at = 0; same && at < segment->size; at += PAGE_SIZE) {
			*where = segment->addr + at;
			same = memcmp((const u8 *)copy + at,
			              (const u8 *)(uintptr_t)(mapping->base + *where),
			              PAGE_SIZE) == 0;
		}
		if (!sys_failed(copy))
			sys_munmap((u64)copy, segment->size);
		if (!same)
			return false;
	}
	return true;
}

static bool no_room(long result)
{
	return result == -12 || result == -17; /* ENOMEM, EEXIST */
}

static void publish(struct mapping *mapping, struct image *image)
{
	long fd = image_open_file(image->path), result;
	u64 where = 0, began = sys_now_ns();

	if (sys_failed(fd)) {
		refuse(image, STATUS_TEXT_FILE, 0, fd);
		return;
	}
	if (!text_as_in_file(mapping, image, (int)fd, &where)) {
		refuse(image, STATUS_PLAN_STALE, where, 0);
		sys_close((int)fd);
		return;
	}
	result = place_areas(mapping, (int)fd);
	if (!sys_failed(result)) {
		set_state(mapping, MAPPING_LIVE);
		result = flip_sites(mapping, (int)fd, TO_NEW, false);
		tell_others(mapping, (int)fd);
	}
	sys_close((int)fd);
	if (sys_failed(result))
		refuse(image, no_room(result) ? STATUS_CACHE_FULL : STATUS_PLAN_GATE, mapping->base,
		       result);
	else
		record_of(image)->status.live = 1;
	if (!sys_failed(result) && !world->first_live_ns) {
		world->first_live_ns = sys_now_ns();
		world->first_live_cpu_ns = sys_cpu_ns();
	}
	record_of(image)->status.apply_ns += sys_now_ns() - began;
}

static void withdraw(struct mapping *mapping)
{
	struct image *image = &world->images[mapping->image];
	long fd;

	if (mapping->state != MAPPING_LIVE)
		return;
	fd = image_open_file(image->path);
	if (sys_failed(fd) || sys_failed(flip_sites(mapping, (int)fd, TO_OLD, false)) ||
	    sys_failed(flip_links(mapping, (int)fd, TO_OLD)))
		refuse(image, STATUS_PLAN_STALE, mapping->base, fd);
	else
		set_state(mapping, MAPPING_LEFT);
	if (mapping->state == MAPPING_LEFT)
		tell_others(mapping, (int)fd);
	record_of(image)->status.live = 0;
	if (!sys_failed(fd))
		sys_close((int)fd);
}

static void restore(struct mapping *mapping)
{
	struct image *image = &world->images[mapping->image];
	long fd;

	if (mapping->state != MAPPING_LEFT)
		return;
	fd = image_open_file(image->path);
	if (sys_failed(fd))
		return;
	if (!sys_failed(flip_links(mapping, (int)fd, TO_NEW))) {
		set_state(mapping, MAPPING_LIVE);
		if (!sys_failed(flip_sites(mapping, (int)fd, TO_NEW, false)))
			record_of(image)->status.live = 1;
		tell_others(mapping, (int)fd);
	}
	sys_close((int)fd);
}

void mappings_restore_all(void)
{
	for (u32 i = 0; i < world->n_images; i++)
		for (u32 k = 0; k < world->n_mappings; k++)
			if (world->mappings[k].image == i)
				restore(&world->mappings[k]);
}

/* 0 or -errno: then what was not reached stays live as it was. */
static long renew(struct mapping *mapping, const struct image *image)
{
	long fd = image_open_file(image->path), result = fd;

	if (sys_failed(fd))
		return fd;
	result = flip_sites(mapping, (int)fd, TO_OLD, true);
	if (!sys_failed(result))
		result = flip_links(mapping, (int)fd, TO_NEW);
	sys_close((int)fd);
	return result;
}

bool mappings_renew(u32 record)
{
	long result = 0;

	for (u32 i = 0; i < world->n_mappings; i++) {
		struct mapping *mapping = &world->mappings[i];
		const struct image *image = &world->images[mapping->image];

		if (mapping->state == MAPPING_LIVE && image->record == record && image->renewed &&
		    !sys_failed(result))
			result = renew(mapping, image);
	}
	if (sys_failed(result)) {
		refuse(&world->images[record], STATUS_PLAN_GATE, 0, result);
		return false;
	}
	for (u32 i = 0; i < world->n_images; i++) {
		struct image *image = &world->images[i];

		for (u32 k = 0; image->record == record && image->renewed && k < image->n_sites;
		     k++)
			if (image->sites[k].retired)
				memcpy(image->sites[k].new, image->sites[k].old,
				       sizeof(image->sites[k].new));
		if (image->record == record)
			image->renewed = false;
	}
	return true;
}

void mappings_withdraw_all(void)
{
	for (u32 i = 0; i < world->n_mappings; i++)
		withdraw(&world->mappings[i]);
}

/* ---- what is loaded ---- */

static bool same_path(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static bool still_loaded(const struct mapping *mapping)
{
	for (u32 i = 0; i < world->n_modules; i++)
		if (world->modules[i].base == mapping->base &&
		    same_path(world->modules[i].path, world->images[mapping->image].path))
			return true;
	return false;
}

static void forget(struct mapping *mapping)
{
	struct image *image = &world->images[mapping->image];
	struct workshop *workshop = workshop_find(image, mapping->base);

	set_state(mapping, MAPPING_FREE);
	record_of(image)->status.live = 0;
	if (workshop)
		workshop_close(workshop);
	for (u32 i = 0; i < image->n_areas; i++) {
		const struct area *area = &image->areas[i];

		if (area->mapped && mapping->area_there[i])
			sys_munmap(mapping->base + area->start, page_up(area->used));
		mapping->area_there[i] = false;
	}
}

static bool known(const struct module *module)
{
	for (u32 i = 0; i < world->n_mappings; i++) {
		const struct mapping *mapping = &world->mappings[i];

		if (mapping->state != MAPPING_FREE && mapping->base == module->base &&
		    same_path(module->path, world->images[mapping->image].path))
			return true;
	}
	return false;
}

static struct mapping *new_mapping(void)
{
	for (u32 i = 0; i < world->n_mappings; i++)
		if (world->mappings[i].state == MAPPING_FREE)
			return &world->mappings[i];
	if (world->n_mappings == WORLD_MODULES)
		return NULL;
	__atomic_store_n(&world->n_mappings, world->n_mappings + 1, __ATOMIC_RELEASE);
	return &world->mappings[world->n_mappings - 1];
}

/* That of a record without translations is there already. */
static struct mapping *dark_mapping(const struct image *image, u64 base)
{
	for (u32 i = 0; i < world->n_mappings; i++)
		if (world->mappings[i].state == MAPPING_DARK && world->mappings[i].base == base &&
		    &world->images[world->mappings[i].image] == image)
			return &world->mappings[i];
	return new_mapping();
}

void mapping_add(struct image *image, u64 base)
{
	struct mapping *mapping = dark_mapping(image, base);

	if (!mapping)
		return;
	mapping->image = (u32)(image - world->images);
	mapping->base = base;
	set_state(mapping, MAPPING_DARK);
	if (image->n_translations)
		publish(mapping, image);
	if (mapping->state == MAPPING_LIVE)
		jitdump_add(image, mapping);
}

/* Everything at once, before the module runs. */
static void translate(struct image *record, u64 base)
{
	static const struct batch_range all = { 0, ~0ull };
	struct workshop *workshop = workshop_open(record, base, true);
	struct failure fail = { STATUS_OK, 0, 0 };

	if (!workshop)
		return;
	if (!batch_translate(workshop, &all, 1, NULL, NULL, &fail) && fail.status)
		image_refuse(record, fail.status, fail.addr, fail.detail);
	workshop_close(workshop);
}

static void add(const struct module *module)
{
	bool fresh;
	struct image *record = image_of(module, &fresh);

	if (!record)
		return;
	record->status.base = module->base;
	if (fresh && record->wanted && !world->options.sample)
		translate(record, module->base);
	for (u32 i = 0; i < world->n_images; i++)
		if (&world->images[world->images[i].record] == record)
			mapping_add(&world->images[i], module->base);
}

void mappings_forget(void)
{
	for (u32 i = 0; i < world->n_mappings; i++)
		if (world->mappings[i].state != MAPPING_FREE && !still_loaded(&world->mappings[i]))
			forget(&world->mappings[i]);
}

void mappings_sync(void)
{
	mappings_forget();
	for (u32 i = 0; i < world->n_modules; i++)
		if (!known(&world->modules[i]))
			add(&world->modules[i]);
}
