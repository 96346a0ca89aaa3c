/* SPDX-License-Identifier: MIT */
/*
 * notes_image.c - see notes_image.h.
 *
 * Random images are valid by construction: positions only move forward and stop at
 * the end of the range, and slots and opaque pieces come from one such walk, so that
 * they stay apart.
 */
#include <stdio.h>
#include <stdlib.h>
#include "notes_image.h"

#define IMAGE_ADDR 0x400000u
#define TEXT_BYTE 0x90 /* nop */
#define FREE_BYTE 0xcc /* int3 */

u64 random_next(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

u64 random_below(u64 *state, u64 bound)
{
	u64 n = random_next(state);

	return bound ? n % bound : 0;
}

void put_le(u8 *to, u64 value, u32 n_bytes)
{
	for (u32 i = 0; i < n_bytes; i++)
		to[i] = (u8)(value >> 8 * i);
}

/* A test whose input is wrong must not go on. */
static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "notes_image: %s\n", what);
	abort();
}

void image_init(struct image *img)
{
	static const u32 flags[IMAGE_N_PARTS] = {
		[IMAGE_NOTES] = ELF_VIEW_R,
		[IMAGE_TABLES] = ELF_VIEW_R,
		[IMAGE_TEXT] = ELF_VIEW_R | ELF_VIEW_X,
		[IMAGE_RECORDS] = ELF_VIEW_R | ELF_VIEW_X,
		[IMAGE_CACHE] = ELF_VIEW_R | ELF_VIEW_X,
	};

	memset(img, 0, sizeof(*img));
	for (u32 i = 0; i < IMAGE_N_PARTS; i++) {
		img->part[i].addr = IMAGE_ADDR + i * IMAGE_PART_MAX;
		img->part[i].flags = flags[i];
	}
	memset(img->part[IMAGE_TEXT].bytes, TEXT_BYTE, IMAGE_PART_MAX);
	memset(img->part[IMAGE_CACHE].bytes, FREE_BYTE, IMAGE_PART_MAX);
	img->part[IMAGE_TEXT].used = 256;
}

/* ---- random records ---- */

static u8 *text_at(struct image *img, u64 addr)
{
	return img->part[IMAGE_TEXT].bytes + (addr - img->part[IMAGE_TEXT].addr);
}

static void random_functions(struct image_record *rec, u64 *rnd)
{
	struct notes_input *in = &rec->in;
	u64 length = in->end - in->start, unit, at;

	in->single = random_below(rnd, 3) == 0;
	in->facts = in->single ? (u32)random_below(rnd, 4) : 0;
	if (in->single || random_below(rnd, 4) == 0)
		return;
	in->shift = random_below(rnd, 2) ? 4 : 0;
	unit = (u64)1 << in->shift;
	at = in->start + random_below(rnd, length / 4 + 1);
	while (in->n_functions < IMAGE_ITEMS_MAX) {
		struct notes_function *f = &rec->functions[in->n_functions++];
		u64 end = at + random_below(rnd, 100) * unit;

		f->start = at;
		f->end = end > in->end ? in->end : end;
		f->facts = (u32)random_below(rnd, 4);
		if (end >= in->end)
			break;
		at = end;
	}
}

/* Slots and opaque pieces, from one walk over the range. */
static void random_pieces(struct image *img, struct image_record *rec, u64 *rnd)
{
	struct notes_input *in = &rec->in;
	u64 at = in->start;

	for (;;) {
		u64 length = random_below(rnd, 20);
		bool slot = random_below(rnd, 3) != 0;

		at += random_below(rnd, 60);
		if (at > in->end || in->end - at < DYNOPT_SLOT_SIZE + length)
			break;
		if (slot && in->n_slots < IMAGE_ITEMS_MAX) {
			rec->slots[in->n_slots++].addr = at;
			memset(text_at(img, at), FREE_BYTE, DYNOPT_SLOT_SIZE);
			at += DYNOPT_SLOT_SIZE;
		} else if (!slot && in->n_opaque < IMAGE_ITEMS_MAX) {
			rec->opaque[in->n_opaque].start = at;
			at += length;
			rec->opaque[in->n_opaque++].end = at;
		}
	}
}

static void random_noopt(struct image_record *rec, u64 *rnd)
{
	struct notes_input *in = &rec->in;
	u64 n = random_below(rnd, IMAGE_ITEMS_MAX), at = in->start;

	while (in->n_noopt < n) {
		struct notes_noopt *range = &rec->noopt[in->n_noopt++];

		at += random_below(rnd, (in->end - at) / 2 + 1);
		range->start = at;
		range->end = at + random_below(rnd, in->end - at + 1);
		range->reasons = (u64)1 << random_below(rnd, 11) | random_below(rnd, 0x800);
		if (random_below(rnd, 8) == 0)
			range->reasons |= (u64)1 << (11 + random_below(rnd, 53));
		range->forbids = notes_reasons_forbid(range->reasons);
	}
}

static void random_tables(struct image *img, struct image_record *rec, u64 *rnd)
{
	struct image_region *tables = &img->part[IMAGE_TABLES];
	const struct image_region *text = &img->part[IMAGE_TEXT];
	struct notes_input *in = &rec->in;
	u64 n = random_below(rnd, 3), length = in->end - in->start;

	while (in->n_tables < n) {
		struct notes_table *table = &rec->tables[in->n_tables++];
		u32 size = random_below(rnd, 4) ? 4 : 8;

		table->site = length && random_below(rnd, 4) ? in->start + random_below(rnd, length)
		                                             : 0;
		table->addr = tables->addr + tables->used;
		table->count = random_below(rnd, 6);
		table->form = size == 8 ? DYNOPT_TABLE_ABS64 : DYNOPT_TABLE_REL32;
		for (u64 i = 0; i < table->count; i++) {
			u64 target = text->addr + random_below(rnd, text->used);

			if (size == 4)
				target -= table->addr;
			put_le(tables->bytes + tables->used, target, size);
			tables->used += size;
		}
	}
}

static void random_record(struct image *img, struct image_record *rec, u64 *rnd, u64 *text_end)
{
	struct notes_input *in = &rec->in;

	in->start = *text_end + random_below(rnd, 16);
	in->end = in->start + random_below(rnd, 8) * random_below(rnd, 30);
	*text_end = in->end;
	random_functions(rec, rnd);
	random_pieces(img, rec, rnd);
	random_noopt(rec, rnd);
	random_tables(img, rec, rnd);
	in->functions = rec->functions;
	in->slots = rec->slots;
	in->noopt = rec->noopt;
	in->opaque = rec->opaque;
	in->tables = rec->tables;
}

/* Encodes an object's records where the records region stands. */
static void object_records(struct image *img, struct image_object *object, struct notes_writer *w)
{
	object->object.records = w->addr + w->pos;
	must(notes_write_padding(w) == NOTES_OK, "no room for records");
	for (u32 i = 0; i < object->n_records; i++)
		must(notes_write_record(w, &object->records[i].in) == NOTES_OK,
		     "a random record is invalid");
	object->object.records_end = w->addr + w->pos;
	must(notes_write_padding(w) == NOTES_OK, "no room for records");
	img->part[IMAGE_RECORDS].used = w->pos;
}

static void random_object(struct image *img, struct image_object *object, u64 *rnd, u64 *text_end)
{
	struct image_region *cache = &img->part[IMAGE_CACHE];
	struct notes_object *o = &object->object;

	o->version = DYNOPT_NOTES_VERSION;
	o->flags = random_below(rnd, 6) ? 0 : DYNOPT_OBJECT_DISABLED;
	o->cache_size = random_below(rnd, 4) * 16;
	o->cache = o->cache_size ? cache->addr + cache->used : 0;
	cache->used += o->cache_size;
	object->n_records = (u32)random_below(rnd, IMAGE_RECORDS_MAX + 1);
	for (u32 i = 0; i < object->n_records; i++)
		random_record(img, &object->records[i], rnd, text_end);
}

static void foreign_note(struct notes_writer *w, u64 *rnd)
{
	u64 size = random_below(rnd, 20), padded = (size + 3) & ~(u64)3;

	put_le(w->bytes + w->pos, 4, 4);
	put_le(w->bytes + w->pos + 4, size, 4);
	put_le(w->bytes + w->pos + 8, DYNOPT_NT_OBJECT, 4);
	memcpy(w->bytes + w->pos + 12, "GNU", 4);
	memset(w->bytes + w->pos + 16, 0x55, padded);
	w->pos += 16 + padded + (random_below(rnd, 2) ? 4 : 0);
}

void image_write_notes(struct image *img, u64 seed)
{
	struct image_region *notes = &img->part[IMAGE_NOTES];
	struct notes_writer w;
	u64 rnd = seed;

	notes_writer_init(&w, notes->bytes, IMAGE_PART_MAX, notes->addr);
	for (u32 i = 0; i < img->n_objects; i++) {
		if (seed && random_below(&rnd, 2))
			foreign_note(&w, &rnd);
		img->objects[i].object.note = w.addr + w.pos + 12 + 8;
		must(notes_write_object(&w, &img->objects[i].object) == NOTES_OK, "object note");
	}
	if (img->has_farpool) {
		img->farpool.note = w.addr + w.pos + 12 + 8;
		must(notes_write_farpool(&w, &img->farpool) == NOTES_OK, "farpool note");
	}
	notes->used = w.pos;
}

void image_random(struct image *img, u64 seed)
{
	struct image_region *cache = &img->part[IMAGE_CACHE];
	u64 rnd = seed, text_end;
	struct notes_writer w;

	image_init(img);
	img->order = random_next(&rnd);
	img->part[IMAGE_TEXT].used = IMAGE_PART_MAX;
	/* Never empty: an empty list item still needs a segment that it is in. */
	img->part[IMAGE_TABLES].used = 4;
	cache->used = 16;
	text_end = img->part[IMAGE_TEXT].addr;
	img->n_objects = 1 + (u32)random_below(&rnd, IMAGE_OBJECTS_MAX);
	notes_writer_init(&w, img->part[IMAGE_RECORDS].bytes, IMAGE_PART_MAX,
	                  img->part[IMAGE_RECORDS].addr);
	for (u32 i = 0; i < img->n_objects; i++) {
		random_object(img, &img->objects[i], &rnd, &text_end);
		object_records(img, &img->objects[i], &w);
	}
	must(text_end <= img->part[IMAGE_TEXT].addr + IMAGE_PART_MAX, "too much text");
	img->has_farpool = random_below(&rnd, 2);
	if (img->has_farpool) {
		img->farpool.start = cache->addr + cache->used;
		cache->used += random_below(&rnd, 4) * DYNOPT_FARSLOT_SIZE;
		img->farpool.end = cache->addr + cache->used;
	}
	image_write_notes(img, random_next(&rnd) | 1);
}

/* ---- files ---- */

static void phdr_put(u8 *ph, u32 type, u32 flags, u64 offset, u64 addr, u64 size)
{
	memset(ph, 0, IMAGE_PHDR_SIZE);
	put_le(ph, type, 4);
	put_le(ph + 4, flags, 4);
	put_le(ph + 8, offset, 8);
	put_le(ph + 16, addr, 8);
	put_le(ph + 24, addr, 8);
	put_le(ph + 32, size, 8);
	put_le(ph + 40, size, 8);
	put_le(ph + 48, 1, 8);
}

void image_phdrs(const struct image *img, u8 phdrs[IMAGE_N_PHDRS * IMAGE_PHDR_SIZE],
                 u64 offsets[IMAGE_N_PARTS])
{
	u64 offset = IMAGE_PHDRS_OFFSET + IMAGE_N_PHDRS * IMAGE_PHDR_SIZE;

	for (u32 i = 0; i < IMAGE_N_PARTS; i++) {
		/* A rotation: each part is the last one for some order. */
		u32 k = (u32)((i + img->order) % IMAGE_N_PARTS);
		const struct image_region *part = &img->part[k];

		phdr_put(phdrs + k * IMAGE_PHDR_SIZE, 1, part->flags, offset, part->addr,
		         part->used);
		if (k == IMAGE_NOTES)
			phdr_put(phdrs + IMAGE_N_PARTS * IMAGE_PHDR_SIZE, 4, part->flags, offset,
			         part->addr, part->used);
		if (offsets)
			offsets[k] = offset;
		offset += part->used;
	}
}

u8 *image_file(const struct image *img, u64 *size)
{
	static const u8 ident[16] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };
	u8 phdrs[IMAGE_N_PHDRS * IMAGE_PHDR_SIZE];
	u64 offsets[IMAGE_N_PARTS];
	u8 *file;

	*size = IMAGE_PHDRS_OFFSET + sizeof(phdrs);
	for (u32 i = 0; i < IMAGE_N_PARTS; i++)
		*size += img->part[i].used;
	file = calloc(1, *size);
	must(file != NULL, "out of memory");
	image_phdrs(img, phdrs, offsets);
	memcpy(file, ident, sizeof(ident));
	put_le(file + 16, 2, 2); /* ET_EXEC */
	put_le(file + 18, 62, 2); /* EM_X86_64 */
	put_le(file + 20, 1, 4);
	put_le(file + 32, IMAGE_PHDRS_OFFSET, 8);
	put_le(file + 52, 64, 2);
	put_le(file + 54, IMAGE_PHDR_SIZE, 2);
	put_le(file + 56, IMAGE_N_PHDRS, 2);
	memcpy(file + IMAGE_PHDRS_OFFSET, phdrs, sizeof(phdrs));
	for (u32 i = 0; i < IMAGE_N_PARTS; i++)
		memcpy(file + offsets[i], img->part[i].bytes, img->part[i].used);
	return file;
}
