/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * image_rel.c - gives the sections of a relocatable object addresses and applies
 * its relocations in memory, as a linker with nothing else to link would.
 *
 * Record pieces (and cache shares) are laid out side by side in file order, which is
 * what linkers do with sections of one name and what the notes rely on. A
 * field whose symbol another file defines is left as it is and remembered in
 * image->unresolved, so that nobody takes its bytes for a displacement.
 */
#include "image.h"

#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "../dynopt_notes.h"

#define LAYOUT_BASE 0x10000
#define LAYOUT_LIMIT (1ull << 31)
#define LAYOUT_MAX_ALIGN 0x10000

static bool wants(const struct section *s, const char *name)
{
	static const char *const together[] = { DYNOPT_RECORD_SECTION, DYNOPT_CACHE_SECTION };

	if (!(s->flags & SHF_ALLOC) || (s->flags & SHF_TLS))
		return false;
	if (name)
		return strcmp(s->name, name) == 0;
	for (size_t i = 0; i < sizeof(together) / sizeof(together[0]); i++)
		if (strcmp(s->name, together[i]) == 0)
			return false;
	return true;
}

/* Gives addresses from *at on to sections called name, or to all others when name is NULL. */
static bool place(struct image *image, const char *name, u64 *at)
{
	for (size_t i = 0; i < image->sections.n; i++) {
		struct section *s = &image->sections.at[i];

		if (!wants(s, name))
			continue;
		if (s->align > LAYOUT_MAX_ALIGN || s->size > LAYOUT_LIMIT)
			return false;
		*at = align_up(*at, s->align);
		s->addr = *at;
		*at += s->size;
		if (*at > LAYOUT_LIMIT)
			return false;
	}
	return true;
}

static void copy_sections(struct image *image, u64 size)
{
	image->layout = base_calloc(size, 1);
	for (size_t i = 0; i < image->sections.n; i++) {
		struct section *s = &image->sections.at[i];

		if (!(s->flags & SHF_ALLOC) || (s->flags & SHF_TLS) || !s->bytes)
			continue;
		u8 *to = image->layout + (s->addr - LAYOUT_BASE);

		memcpy(to, s->bytes, s->size);
		s->bytes = to;
	}
	*vec_add(&image->segments) = (struct segment){ .addr = LAYOUT_BASE,
		                                       .size = size,
		                                       .type = PT_LOAD,
		                                       .flags = PF_R | PF_X,
		                                       .bytes = image->layout };
}

/* Address of the symbol a relocation names; false when another file defines it. */
static bool symbol_address(const struct image *image, const struct section *symbols, u64 index,
                           u64 *addr)
{
	Elf64_Sym s;

	if (!symbols->bytes || index >= symbols->size / sizeof(s))
		return false;
	memcpy(&s, symbols->bytes + index * sizeof(s), sizeof(s));
	if (s.st_shndx == SHN_UNDEF || s.st_shndx >= image->sections.n)
		return false;
	if (!(image->sections.at[s.st_shndx].flags & SHF_ALLOC))
		return false;
	*addr = image->sections.at[s.st_shndx].addr + s.st_value;
	return true;
}

static void store(struct section *s, u64 offset, u64 value, size_t size)
{
	if (s->bytes && offset <= s->size && size <= s->size - offset)
		memcpy(s->bytes + offset, &value, size);
}

static void apply(struct image *image, struct section *target, const struct section *symbols,
                  const Elf64_Rela *r)
{
	u32 type = ELF64_R_TYPE(r->r_info);
	u64 place_addr = target->addr + r->r_offset, value;

	if (type == R_X86_64_NONE)
		return;
	if (!symbol_address(image, symbols, ELF64_R_SYM(r->r_info), &value)) {
		*vec_add(&image->unresolved) = place_addr;
		return;
	}
	value += (u64)r->r_addend;
	switch (type) {
	case R_X86_64_64:
		store(target, r->r_offset, value, 8);
		*vec_add(&image->pointers) = (struct pointer){ place_addr, value };
		break;
	case R_X86_64_PC64:
		store(target, r->r_offset, value - place_addr, 8);
		break;
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
		store(target, r->r_offset, value - place_addr, 4);
		break;
	case R_X86_64_PC8:
		store(target, r->r_offset, value - place_addr, 1);
		break;
	case R_X86_64_32:
	case R_X86_64_32S:
		store(target, r->r_offset, value, 4);
		break;
	default: /* through the GOT or thread-local: not an address in this file's code */
		*vec_add(&image->unresolved) = place_addr;
		break;
	}
}

static void relocate(struct image *image, const struct section *relocations)
{
	struct section *target = &image->sections.at[relocations->info];
	const struct section *symbols = &image->sections.at[relocations->link];

	for (u64 i = 0; i < relocations->size / sizeof(Elf64_Rela); i++) {
		Elf64_Rela r;

		memcpy(&r, relocations->bytes + i * sizeof(r), sizeof(r));
		apply(image, target, symbols, &r);
	}
}

bool image_relocate_object(struct image *image, char **error)
{
	u64 at = LAYOUT_BASE;

	if (!place(image, NULL, &at) || !place(image, DYNOPT_RECORD_SECTION, &at) ||
	    !place(image, DYNOPT_CACHE_SECTION, &at)) {
		*error = base_printf("sections too large or too strictly aligned to lay out");
		return false;
	}
	for (size_t i = 0; i < image->sections.n; i++) {
		const struct section *s = &image->sections.at[i];

		if ((s->flags & SHF_ALLOC) && s->bytes && s->size > image->file_size) {
			*error = base_printf("section %s is larger than the file", s->name);
			return false;
		}
	}
	copy_sections(image, at - LAYOUT_BASE);
	for (size_t i = 0; i < image->sections.n; i++) {
		const struct section *s = &image->sections.at[i];

		if (s->type == SHT_RELA && s->bytes && s->info < image->sections.n &&
		    s->link < image->sections.n &&
		    (image->sections.at[s->info].flags & SHF_ALLOC) &&
		    !(image->sections.at[s->info].flags & SHF_TLS))
			relocate(image, s);
	}
	image_sort_pointers(image);
	if (image->unresolved.n)
		qsort(image->unresolved.at, image->unresolved.n, sizeof(u64), u64_compare);
	return true;
}
