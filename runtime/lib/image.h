/* SPDX-License-Identifier: MIT */
/*
 * image.h - a file's translations, made in module addresses.
 *
 * The first image of a file is its record: it holds what is known of the file as a whole, and its first translations. What is
 * translated later has images of its own (batch.h), so that nothing that was published ever changes.
 */
#ifndef DYNOPT_IMAGE_H
#define DYNOPT_IMAGE_H

#include "text.h"
#include "world.h"

/* A file while it is being read: all of it is released by image_close(). */
struct reading {
	int fd;
	const u8 *bytes;
	u64 size;
	struct elf_view view;
	struct text text;
	struct arena keep,
		scratch; /* of text_build() or text_parts_...(); scratch is free for others afterwards */
};

/* Two arenas of anonymous memory; false without memory. */
bool memory_arena(struct arena *arena, u64 size);
void memory_free(struct arena *arena);
/* Pages that nothing is allocated in go back to the kernel, but for some; the arena stays. */
void memory_relax(struct arena *arena);

/*
 * The record of a module's file: found again if the same file was seen before (*fresh false), else made, with nothing in it but the
 * file's identity. Never fails: what is refused stands in its status. NULL only if the table of images is full.
 */
struct image *image_of(const struct module *module, bool *fresh);
/* Room for one more image; NULL: none. It counts once world->n_images is increased. */
struct image *image_next(void);
void image_refuse(struct image *record, enum status status, u64 addr, u64 detail);

/* What image_read() is expected to take. */
u64 image_cost_ns(const struct image *record, bool whole);
/* Has it notes, so that it can be read by parts? Looks into the file, once. */
bool image_is_noted(struct image *record);
/*
 * Reads the file and finds its code; `whole`, or, of a module with notes, where its functions are, for image_read_more(). False: refused (in the record's status), also if it is no longer the file that
 * the record is of. Segments and counts of the record are filled in.
 */
__must_check bool image_read(struct image *record, struct reading *r, bool whole);
/* Reads the functions that n module addresses are in, if they were not read. False: there is no memory for it. */
__must_check bool image_read_more(struct image *record, struct reading *r, const u64 *addrs, u32 n);
void image_close(struct reading *r);

/* Is it the file that the record is of, by what fstat(2) says of it? */
struct stat;
bool image_is_file(const struct image *record, const struct stat *st);
/* Opens the file of a module; 0 or -errno. The program itself is the host's /proc/PID/exe. */
long image_open_file(const char *path);

#endif
