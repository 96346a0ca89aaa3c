/* SPDX-License-Identifier: MIT */
/*
 * text_image.h - small modules with code, an unwind table and notes, made in memory for tests of the engine's text.
 *
 *     text_image_init(&img);
 *     f = text_image_function(&img, "55 e8 00000000 5d c3", 0);    a function of the unwind table
 *     text_image_build(&img, &text)                                a file view of it, and what the engine makes of that
 *
 * Text starts at TEXT_IMAGE_TEXT (R, X), data at TEXT_IMAGE_DATA (R) with .eh_frame_hdr first. What is not asked for is not in the
 * file: no notes, no dynamic section, no terminator but the end of the segment.
 */
#ifndef DYNOPT_TESTS_TEXT_IMAGE_H
#define DYNOPT_TESTS_TEXT_IMAGE_H

#include "text.h"
#include "writer.h"

#define TEXT_IMAGE_TEXT 0x401000u
#define TEXT_IMAGE_DATA 0x410000u
#define TEXT_IMAGE_MAX 16384

#define TEXT_IMAGE_SIGNAL 1u /* FDE of a signal frame */
#define TEXT_IMAGE_NO_FDE 2u

struct text_image {
	u8 text[TEXT_IMAGE_MAX];
	u64 text_size;
	u32 text_flags; /* ELF_VIEW_... */
	u8 data[TEXT_IMAGE_MAX];
	u64 data_size;
	u64 eh_frame_hdr, dynamic, dynamic_size, notes, notes_size; /* addresses; 0: none */
	bool pie;
	u64 cie[2]; /* address of the plain one and of the signal one; 0: not yet written */
	struct notes_writer notes_writer, records_writer;
	u8 notes_bytes[2048], records_bytes[2048];
	bool noted;
	/* Made by text_image_build(): */
	u8 file[3 * TEXT_IMAGE_MAX];
	u64 file_size;
	struct elf_view view;
	_Alignas(16) u8 keep_bytes[1 << 19];
	_Alignas(16) u8 scratch_bytes[1 << 20];
	struct arena keep, scratch;
	struct failure fail;
};

void text_image_init(struct text_image *img);
/* Appends bytes in hex (spaces do not matter) to the text; returns their address. */
u64 text_image_code(struct text_image *img, const char *hex);
/* The same, with an FDE unless flags say otherwise. */
u64 text_image_function(struct text_image *img, const char *hex, u32 flags);
void text_image_align(struct text_image *img, u64 to, u8 with);
void text_image_fde(struct text_image *img, u64 start, u64 size, u64 lsda, u32 flags);
/* Appends to the data; returns the address. */
u64 text_image_data(struct text_image *img, const void *bytes, u64 size);
/* Puts a number over bytes that are there. */
void text_image_put(struct text_image *img, u64 addr, u64 value, u32 size);
/* One object with one record per input; cache: address of its share, or 0. */
void text_image_object(struct text_image *img, const struct notes_input *records, u32 n, u32 flags,
                       u64 cache, u64 cache_size);

/* Packs the file and builds *text; keep and scratch are new each time. */
enum status text_image_build(struct text_image *img, struct text *text);

#endif
