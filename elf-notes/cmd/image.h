/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * image.h - an ELF file as it will lie in memory, for commands that look at code.
 *
 * Executables and shared objects are seen through their program headers, with
 * sections and symbols where they were not stripped. A relocatable object is laid
 * out at made-up addresses and relocated in a private copy (image_rel.c), so that
 * the same code reads both.
 *
 * Invariant: every `bytes` pointer is valid for the whole size beside it, whatever
 * the file says; sizes that reach past the file make image_open() refuse it.
 */
#ifndef DYNOPT_CMD_IMAGE_H
#define DYNOPT_CMD_IMAGE_H

#include <libelf.h>
#include "base.h"

struct section {
	const char *name;
	u64 addr, size, flags, entsize, align;
	u32 type, link, info;
	u8 *bytes; /* NULL when the file holds none (NOBITS) */
};

struct segment {
	u64 addr, size; /* size: bytes that the file provides, not memory size */
	u64 offset;     /* of bytes in the file */
	u32 type, flags;
	u8 *bytes;
};

struct symbol {
	u64 addr, size;
	const char *name;
	const char *file; /* of local symbols, when the table says; else NULL */
	u8 type, binding;
};

/* An address that a relocation stores: the 8 bytes at `place` become `value`. */
struct pointer {
	u64 place, value;
};

struct image {
	const char *path;
	u8 *file; /* private and writable: relocation and libelf may touch it */
	size_t file_size;
	bool mapped; /* by image_open(), so image_close() unmaps it */
	Elf *elf;
	u16 type; /* ET_... */
	u64 entry;
	VEC(struct section) sections;
	VEC(struct segment) segments; /* in file order; one made-up PT_LOAD for ET_REL */
	VEC(struct symbol) symbols;   /* defined ones, by address; functions last among equals */
	VEC(struct pointer) pointers; /* what relocations store, by place */
	VEC(u64) unresolved;          /* ET_REL: fields whose symbol is elsewhere, sorted */
	u8 *layout;                   /* ET_REL: the made-up memory */
};

/* Both return false after saying why in *error (to be freed by the caller). */
bool image_open(struct image *image, const char *path, char **error);
bool image_open_memory(struct image *image, const char *path, u8 *bytes, size_t size, char **error);
void image_close(struct image *image);

/* The `size` bytes at `addr`, or NULL when the file does not provide all of them. */
const u8 *image_at(const struct image *image, u64 addr, u64 size);
/* True when addr lies in a segment that is executable and not writable. */
bool image_executes(const struct image *image, u64 addr, u64 size);
const struct section *image_section(const struct image *image, const char *name);
/* The function symbol that holds addr, or NULL; any symbol at addr if there is no function. */
const struct symbol *image_symbol(const struct image *image, u64 addr);
/* "name", "name+0x10" or "0x1234" of addr, in buffer; returns buffer. */
const char *image_where(const struct image *image, u64 addr, char *buffer, size_t size);

/* image_rel.c: lays out and relocates an ET_REL file whose sections were read. */
bool image_relocate_object(struct image *image, char **error);
/* image_dyn.c: fills image->pointers from the dynamic relocations. */
void image_read_pointers(struct image *image);

/* The address stored at `place` when the file runs: relocated, or as the file holds it. */
bool image_pointer(const struct image *image, u64 place, u64 *value);
void image_sort_pointers(struct image *image);

int u64_compare(const void *a, const void *b);
bool u64_sorted_has(const u64 *at, size_t n, u64 value);

#endif
