/* SPDX-License-Identifier: MIT */
/*
 * notes_image.h - small ELF programs with notes, made in memory for tests.
 *
 * An image has five loadable regions at fixed addresses, each with its own PT_LOAD,
 * and keeps what it was made from, so that a test can compare what a reader says with
 * what was meant. image_file() packs the regions tightly in an order that depends on
 * `order`: every region is the last one of some file, where a read past its end
 * leaves the buffer. The same number always makes the same image.
 */
#ifndef DYNOPT_TESTS_NOTES_IMAGE_H
#define DYNOPT_TESTS_NOTES_IMAGE_H

#include "writer.h"

enum image_part {
	IMAGE_NOTES,
	IMAGE_TABLES,
	IMAGE_TEXT,
	IMAGE_RECORDS,
	IMAGE_CACHE,
	IMAGE_N_PARTS
};

#define IMAGE_PART_MAX 4096 /* bytes of a region at most, and what their addresses are apart */
#define IMAGE_ITEMS_MAX 8
#define IMAGE_RECORDS_MAX 4
#define IMAGE_OBJECTS_MAX 4
#define IMAGE_N_PHDRS (IMAGE_N_PARTS + 1)
#define IMAGE_PHDR_SIZE 56
#define IMAGE_PHDRS_OFFSET 64

struct image_region {
	u64 addr;
	u64 used; /* bytes of it that the file holds */
	u32 flags; /* ELF_VIEW_... */
	u8 bytes[IMAGE_PART_MAX];
};

struct image_record {
	struct notes_input in; /* its lists point to the arrays below */
	struct notes_function functions[IMAGE_ITEMS_MAX];
	struct notes_slot slots[IMAGE_ITEMS_MAX];
	struct notes_noopt noopt[IMAGE_ITEMS_MAX];
	struct notes_opaque opaque[IMAGE_ITEMS_MAX];
	struct notes_table tables[IMAGE_ITEMS_MAX];
};

struct image_object {
	struct notes_object object;
	u32 n_records;
	struct image_record records[IMAGE_RECORDS_MAX];
};

struct image {
	struct image_region part[IMAGE_N_PARTS];
	u64 order;
	u32 n_objects;
	struct image_object objects[IMAGE_OBJECTS_MAX];
	bool has_farpool;
	struct notes_farpool farpool;
};

/* A sequence of numbers that only depends on where it starts (splitmix64). */
u64 random_next(u64 *state);
u64 random_below(u64 *state, u64 bound); /* [0, bound); 0 if bound is 0 */

/* Regions without contents: text is 256 NOPs, everything else is empty. */
void image_init(struct image *img);

/* A valid image of random objects, records and items. Aborts on a mistake of its own. */
void image_random(struct image *img, u64 seed);

/* Writes the notes of img->objects and img->farpool (foreign notes between them if `seed`). */
void image_write_notes(struct image *img, u64 seed);

/* The file, in a malloc()ed buffer of exactly its size. */
u8 *image_file(const struct image *img, u64 *size);

/* The program headers of image_file(): IMAGE_N_PHDRS of them; offsets may be NULL. */
void image_phdrs(const struct image *img, u8 phdrs[IMAGE_N_PHDRS * IMAGE_PHDR_SIZE],
                 u64 offsets[IMAGE_N_PARTS]);

void put_le(u8 *to, u64 value, u32 n_bytes);

#endif
