/* SPDX-License-Identifier: MIT */
/*
 * corpus.c - see corpus.h. Hot bytes are found by reading the valid entry with the very
 * reader under test: headers, note segments, records and tables.
 */
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include "corpus.h"

static void *allocate(u64 size)
{
	void *p = calloc(1, size ? size : 1);

	if (!p) {
		fprintf(stderr, "fuzz_notes: out of memory\n");
		exit(2);
	}
	return p;
}

static void hot_add(struct entry *e, const u8 *bytes, u64 size)
{
	if (!bytes || !size || e->n_hot == HOT_MAX)
		return;
	e->hot[e->n_hot].offset = (u64)(bytes - e->bytes);
	e->hot[e->n_hot++].size = size;
}

static void hot_record(struct entry *e, struct notes_reader *r, const struct notes_record *record)
{
	struct notes_table table;
	struct notes_iter it;

	notes_iter_begin(&it, r, record, NOTES_TABLES);
	while (notes_tables_next(&it, &table) == NOTES_OK) {
		u64 size = table.count * (table.form == DYNOPT_TABLE_ABS64 ? 8 : 4);

		hot_add(e, elf_view_bytes(r->view, table.addr, size, 0), size);
	}
}

static void hot_find(struct entry *e)
{
	struct notes_object object;
	struct notes_records records;
	struct notes_record record;
	struct notes_reader r;
	struct notes_walk walk;
	struct elf_view view;

	if (!e->live) {
		hot_add(e, e->bytes, 64);
		hot_add(e, e->bytes + IMAGE_PHDRS_OFFSET, IMAGE_N_PHDRS * IMAGE_PHDR_SIZE);
	}
	if (entry_view(e, e->bytes, e->size, &view) != NOTES_OK)
		return;
	for (u32 i = 0; i < view.n_notes; i++)
		hot_add(e, view.notes[i].bytes, view.notes[i].size);
	notes_reader_init(&r, &view);
	notes_walk_begin(&walk, &r);
	while (notes_objects_next(&walk, &object) == NOTES_OK) {
		u64 size = object.records_end - object.records;

		/* Twice: this is where most of the grammar is. */
		hot_add(e, elf_view_bytes(&view, object.records, size, 0), size);
		hot_add(e, elf_view_bytes(&view, object.records, size, 0), size);
		notes_records_begin(&records, &r, &object);
		while (notes_records_next(&records, &record) == NOTES_OK)
			hot_record(e, &r, &record);
	}
}

/* The regions at their distances; what lies between them is poisoned. */
static void live_fill(struct entry *e, const struct image *img)
{
	const u64 first = img->part[0].addr;
	const struct image_region *last = &img->part[IMAGE_N_PARTS - 1];

	e->size = last->addr + last->used - first;
	e->bytes = allocate(e->size);
	e->base = (u64)(uintptr_t)e->bytes - first;
	image_phdrs(img, e->phdrs, NULL);
	for (u32 i = 0; i < IMAGE_N_PARTS; i++)
		memcpy(e->bytes + (img->part[i].addr - first), img->part[i].bytes,
		       img->part[i].used);
	e->pristine = allocate(e->size);
	memcpy(e->pristine, e->bytes, e->size);
	for (u32 i = 0; i + 1 < IMAGE_N_PARTS; i++)
		ASAN_POISON_MEMORY_REGION(e->bytes + (img->part[i].addr - first) +
		                                  img->part[i].used,
		                          IMAGE_PART_MAX - img->part[i].used);
}

void entry_from_image(struct entry *e, u64 seed, bool live)
{
	static struct image img;

	memset(e, 0, sizeof(*e));
	image_random(&img, seed);
	e->live = live;
	if (live) {
		live_fill(e, &img);
	} else {
		e->bytes = image_file(&img, &e->size);
		e->pristine = allocate(e->size);
		memcpy(e->pristine, e->bytes, e->size);
	}
	hot_find(e);
}

bool entry_from_path(struct entry *e, const char *path)
{
	FILE *f = fopen(path, "rb");
	long size = 0;

	memset(e, 0, sizeof(*e));
	if (!f || fseek(f, 0, SEEK_END) ||
	    (size = ftell(f)) < 64 + IMAGE_N_PHDRS * IMAGE_PHDR_SIZE || fseek(f, 0, SEEK_SET)) {
		fprintf(stderr, "fuzz_notes: %s: cannot be read, or too short\n", path);
		if (f)
			fclose(f);
		return false;
	}
	e->size = (u64)size;
	e->bytes = allocate(e->size);
	e->pristine = allocate(e->size);
	if (fread(e->bytes, 1, e->size, f) != e->size) {
		fprintf(stderr, "fuzz_notes: %s: cannot be read\n", path);
		fclose(f);
		entry_free(e);
		return false;
	}
	fclose(f);
	memcpy(e->pristine, e->bytes, e->size);
	hot_find(e);
	return true;
}

void entry_free(struct entry *e)
{
	free(e->bytes);
	free(e->pristine);
	memset(e, 0, sizeof(*e));
}

enum notes_status entry_view(const struct entry *e, const u8 *bytes, u64 size,
                             struct elf_view *view)
{
	struct notes_failure fail;

	if (e->live)
		return elf_view_live(view, e->phdrs, IMAGE_N_PHDRS, e->base, &fail);
	return elf_view_file(view, bytes, size, &fail);
}
