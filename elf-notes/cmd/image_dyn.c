/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * image_dyn.c - which addresses the dynamic linker will store: RELATIVE, RELR and
 * 64-bit symbol relocations, plus the words of the init and fini arrays.
 *
 * They name code that can be reached indirectly (computed goto tables, callbacks).
 * Read through PT_DYNAMIC, so it works without section headers. Damaged tables end
 * the reading; they never make the file unreadable, because code can still be shown.
 */
#include "image.h"

#include <gelf.h>
#include <stdlib.h>
#include <string.h>

struct tables {
	u64 rela, rela_size, relr, relr_size, symbols;
};

static bool read_u64(const struct image *image, u64 addr, u64 *value)
{
	const u8 *bytes = image_at(image, addr, sizeof(*value));

	if (bytes)
		memcpy(value, bytes, sizeof(*value));
	return bytes;
}

static struct tables find_tables(const struct image *image)
{
	struct tables t = { 0 };

	for (size_t i = 0; i < image->segments.n; i++) {
		const struct segment *s = &image->segments.at[i];

		for (u64 at = 0; s->type == PT_DYNAMIC && at + sizeof(Elf64_Dyn) <= s->size;
		     at += sizeof(Elf64_Dyn)) {
			Elf64_Dyn d;

			memcpy(&d, s->bytes + at, sizeof(d));
			switch (d.d_tag) {
			case DT_NULL:
				return t;
			case DT_RELA:
				t.rela = d.d_un.d_ptr;
				break;
			case DT_RELASZ:
				t.rela_size = d.d_un.d_val;
				break;
			case DT_RELR:
				t.relr = d.d_un.d_ptr;
				break;
			case DT_RELRSZ:
				t.relr_size = d.d_un.d_val;
				break;
			case DT_SYMTAB:
				t.symbols = d.d_un.d_ptr;
				break;
			default:
				break;
			}
		}
	}
	return t;
}

static void read_rela(struct image *image, const struct tables *t)
{
	for (u64 at = 0; at + sizeof(Elf64_Rela) <= t->rela_size; at += sizeof(Elf64_Rela)) {
		Elf64_Rela r;
		const u8 *bytes = image_at(image, t->rela + at, sizeof(r));

		if (!bytes)
			return;
		memcpy(&r, bytes, sizeof(r));
		u32 type = ELF64_R_TYPE(r.r_info);

		if (type == R_X86_64_RELATIVE || type == R_X86_64_IRELATIVE) {
			*vec_add(&image->pointers) =
				(struct pointer){ r.r_offset, (u64)r.r_addend };
		} else if (type == R_X86_64_64) {
			Elf64_Sym s;
			const u8 *symbol = image_at(
				image, t->symbols + ELF64_R_SYM(r.r_info) * sizeof(s), sizeof(s));

			if (!symbol)
				continue;
			memcpy(&s, symbol, sizeof(s));
			if (s.st_shndx != SHN_UNDEF)
				*vec_add(&image->pointers) =
					(struct pointer){ r.r_offset,
					                  s.st_value + (u64)r.r_addend };
		}
	}
}

static void add_word(struct image *image, u64 place)
{
	u64 value;

	if (read_u64(image, place, &value))
		*vec_add(&image->pointers) = (struct pointer){ place, value };
}

/* RELR: an even word is a place; an odd one is a bitmap of the 63 words after the last place. */
static void read_relr(struct image *image, const struct tables *t)
{
	u64 word, place = 0;

	for (u64 at = 0; at + 8 <= t->relr_size && read_u64(image, t->relr + at, &word); at += 8) {
		if (!(word & 1)) {
			add_word(image, word);
			place = word + 8;
			continue;
		}
		for (unsigned bit = 1; bit < 64; bit++)
			if (word >> bit & 1)
				add_word(image, place + (bit - 1) * 8ull);
		place += 63 * 8;
	}
}

static int by_place(const void *a, const void *b)
{
	const struct pointer *x = a, *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return (x->value > y->value) - (x->value < y->value);
}

void image_sort_pointers(struct image *image)
{
	if (image->pointers.n)
		qsort(image->pointers.at, image->pointers.n, sizeof(*image->pointers.at), by_place);
}

bool image_pointer(const struct image *image, u64 place, u64 *value)
{
	size_t low = 0, high = image->pointers.n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (image->pointers.at[mid].place < place)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < image->pointers.n && image->pointers.at[low].place == place) {
		*value = image->pointers.at[low].value;
		return true;
	}
	return read_u64(image, place, value);
}

void image_read_pointers(struct image *image)
{
	struct tables t = find_tables(image);

	read_rela(image, &t);
	read_relr(image, &t);
	for (size_t i = 0; i < image->sections.n; i++) {
		const struct section *s = &image->sections.at[i];

		if (s->type == SHT_INIT_ARRAY || s->type == SHT_FINI_ARRAY)
			for (u64 at = 0; s->bytes && at + 8 <= s->size; at += 8)
				add_word(image, s->addr + at);
	}
	image_sort_pointers(image);
}
