/* SPDX-License-Identifier: MIT */
/*
 * image.h - one file's translations, made in module addresses.
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
	struct arena keep, scratch; /* of text_build(); scratch is free for others afterwards */
};

/* Two arenas of anonymous memory; false without memory. */
bool memory_arena(struct arena *arena, u64 size);
void memory_free(struct arena *arena);

/*
 * The image of module `module` of world: found again if the same file was read before, else read and translated.
 * Never fails: what is refused stands in image->status. NULL only if the table of images is full.
 */
struct image *image_of(const struct module *module);

/* Opens the file of a module; 0 or -errno. The program itself is the host's /proc/PID/exe. */
long image_open_file(const char *path);

#endif
