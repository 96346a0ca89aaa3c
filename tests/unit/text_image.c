/* SPDX-License-Identifier: MIT */
/*
 * text_image.c - see text_image.h. The CIEs are what compilers write: version 1, "zR" or "zRS" or
 * "zRL", pointers relative to their own place in four bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "notes_image.h"
#include "text_image.h"

#define EHDR_SIZE 64
#define PHDR_SIZE 56
#define PHDRS_MAX 7

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "text_image: %s\n", what);
	abort();
}

void text_image_init(struct text_image *img)
{
	/* Version 1; .eh_frame relative to here in four bytes; no search table. */
	static const u8 hdr[8] = { 1, 0x1b, 0xff, 0xff, 4, 0, 0, 0 };

	memset(img, 0, sizeof(*img));
	img->text_flags = ELF_VIEW_R | ELF_VIEW_X;
	img->eh_frame_hdr = text_image_data(img, hdr, sizeof(hdr));
	notes_writer_init(&img->notes_writer, img->notes_bytes, sizeof(img->notes_bytes), 0x420000);
	notes_writer_init(&img->records_writer, img->records_bytes, sizeof(img->records_bytes),
	                  0x430000);
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

u64 text_image_code(struct text_image *img, const char *hex)
{
	u64 addr = TEXT_IMAGE_TEXT + img->text_size;

	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		must(digit(hex[0]) >= 0 && digit(hex[1]) >= 0, "bad hex");
		must(img->text_size < TEXT_IMAGE_MAX, "too much text");
		img->text[img->text_size++] = (u8)(digit(hex[0]) << 4 | digit(hex[1]));
		hex++;
	}
	return addr;
}

u64 text_image_data(struct text_image *img, const void *bytes, u64 size)
{
	u64 addr = TEXT_IMAGE_DATA + img->data_size;

	must(size <= TEXT_IMAGE_MAX - img->data_size, "too much data");
	memcpy(img->data + img->data_size, bytes, size);
	img->data_size += size;
	return addr;
}

static void data_number(struct text_image *img, u64 value, u32 size)
{
	u8 bytes[8];

	put_le(bytes, value, size);
	text_image_data(img, bytes, size);
}

void text_image_put(struct text_image *img, u64 addr, u64 value, u32 size)
{
	if (addr >= TEXT_IMAGE_DATA)
		put_le(img->data + (addr - TEXT_IMAGE_DATA), value, size);
	else
		put_le(img->text + (addr - TEXT_IMAGE_TEXT), value, size);
}

/* Always with an LSDA pointer, which is 0 where there is none. */
static u64 cie(struct text_image *img, u32 signal)
{
	static const u8 plain[] = { 16,  0,   0, 0, 0,    0,  0, 0,    1,    'z',
		                    'R', 'L', 0, 1, 0x78, 16, 2, 0x1b, 0x1b, 0 };
	static const u8 frame[] = { 16,  0,   0, 0, 0,    0,  0, 0,    1, 'z',
		                    'R', 'S', 0, 1, 0x78, 16, 1, 0x1b, 0, 0 };

	if (!img->cie[signal])
		img->cie[signal] = text_image_data(img, signal ? frame : plain, sizeof(plain));
	return img->cie[signal];
}

void text_image_fde(struct text_image *img, u64 start, u64 size, u64 lsda, u32 flags)
{
	u32 signal = flags & TEXT_IMAGE_SIGNAL ? 1 : 0;
	u64 from = cie(img, signal), at;

	data_number(img, 20, 4);
	at = TEXT_IMAGE_DATA + img->data_size;
	data_number(img, at - from, 4);
	data_number(img, start - (at + 4), 4);
	data_number(img, size, 4);
	data_number(img, signal ? 0 : 4, 1);
	data_number(img, lsda && !signal ? lsda - (at + 13) : 0, 4);
	data_number(img, 0, 3);
}

u64 text_image_function(struct text_image *img, const char *hex, u32 flags)
{
	u64 addr = text_image_code(img, hex);

	if (!(flags & TEXT_IMAGE_NO_FDE))
		text_image_fde(img, addr, TEXT_IMAGE_TEXT + img->text_size - addr, 0, flags);
	return addr;
}

void text_image_align(struct text_image *img, u64 to, u8 with)
{
	while (img->text_size % to)
		img->text[img->text_size++] = with;
}

void text_image_object(struct text_image *img, const struct notes_input *records, u32 n, u32 flags,
                       u64 cache, u64 cache_size)
{
	struct notes_object object = { .version = DYNOPT_NOTES_VERSION,
		                       .flags = flags,
		                       .cache = cache,
		                       .cache_size = cache_size };
	struct notes_writer *w = &img->records_writer;

	object.records = w->addr + w->pos;
	must(notes_write_padding(w) == NOTES_OK, "no room for records");
	for (u32 i = 0; i < n; i++)
		must(notes_write_record(w, &records[i]) == NOTES_OK, "a record is invalid");
	object.records_end = w->addr + w->pos;
	must(notes_write_padding(w) == NOTES_OK, "no room for records");
	must(notes_write_object(&img->notes_writer, &object) == NOTES_OK, "no room for notes");
	img->noted = true;
}

static void phdr(struct text_image *img, u32 type, u32 flags, u64 addr, const u8 *bytes, u64 size)
{
	u8 *ph = img->file + EHDR_SIZE + img->file[56] * PHDR_SIZE;

	put_le(ph, type, 4);
	put_le(ph + 4, flags, 4);
	put_le(ph + 8, img->file_size, 8);
	put_le(ph + 16, addr, 8);
	put_le(ph + 24, addr, 8);
	put_le(ph + 32, size, 8);
	put_le(ph + 40, size, 8);
	put_le(ph + 48, 1, 8);
	img->file[56]++;
	if (bytes) {
		memcpy(img->file + img->file_size, bytes, size);
		img->file_size += size;
	}
}

static void pack(struct text_image *img)
{
	static const u8 ident[16] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };
	const struct notes_writer *n = &img->notes_writer, *r = &img->records_writer;

	memset(img->file, 0, sizeof(img->file));
	memcpy(img->file, ident, sizeof(ident));
	put_le(img->file + 16, img->pie ? 3 : 2, 2);
	put_le(img->file + 18, 62, 2); /* EM_X86_64 */
	put_le(img->file + 20, 1, 4);
	put_le(img->file + 32, EHDR_SIZE, 8);
	put_le(img->file + 52, EHDR_SIZE, 2);
	put_le(img->file + 54, PHDR_SIZE, 2);
	img->file_size = EHDR_SIZE + PHDRS_MAX * PHDR_SIZE;
	phdr(img, 1, img->text_flags, TEXT_IMAGE_TEXT, img->text, img->text_size);
	phdr(img, 1, ELF_VIEW_R, TEXT_IMAGE_DATA, img->data, img->data_size);
	if (img->noted) {
		phdr(img, 1, ELF_VIEW_R, n->addr, n->bytes, n->pos);
		phdr(img, 1, ELF_VIEW_R, r->addr, r->bytes, r->pos);
		phdr(img, 4, ELF_VIEW_R, n->addr, NULL, n->pos);
	}
	if (img->eh_frame_hdr)
		phdr(img, 0x6474e550, ELF_VIEW_R, img->eh_frame_hdr, NULL, 8);
	if (img->dynamic)
		phdr(img, 2, ELF_VIEW_R, img->dynamic, NULL, img->dynamic_size);
}

enum status text_image_build(struct text_image *img, struct text *text)
{
	struct notes_failure why;

	pack(img);
	must(elf_view_file(&img->view, img->file, img->file_size, &why) == NOTES_OK,
	     notes_status_name(why.status));
	arena_init(&img->keep, img->keep_bytes, sizeof(img->keep_bytes));
	arena_init(&img->scratch, img->scratch_bytes, sizeof(img->scratch_bytes));
	memset(&img->fail, 0, sizeof(img->fail));
	return text_build(text, &img->view, &img->keep, &img->scratch, &img->fail);
}
