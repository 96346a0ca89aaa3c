// SPDX-License-Identifier: MIT
/*
 * same_code_object.c - reads an object file into sections, relocations and
 * instructions (same_code.h).
 *
 * The compilers under test write these files, so they are taken to be whole;
 * what cannot be read ends the test.
 */
#include "same_code.h"

#include <Zydis/Zydis.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX 0x2e
#define INT3 0xcc

static void *room(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (!p)
		err(2, "memory");
	return p;
}

static void read_file(struct object *o)
{
	FILE *f = fopen(o->path, "rb");
	long size;

	if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f)) < (long)sizeof(Elf64_Ehdr))
		err(2, "%s", o->path);
	rewind(f);
	o->file_size = (size_t)size;
	o->file = room(o->file_size, 1);
	if (fread(o->file, 1, o->file_size, f) != o->file_size)
		err(2, "%s", o->path);
	fclose(f);
}

/* Operand size prefixes and all lengths: 90, 66.. 90, 0f 1f /0. */
static bool is_nop(const ZydisDecodedInstruction *z, const uint8_t *bytes)
{
	return z->mnemonic == ZYDIS_MNEMONIC_NOP ||
	       (z->mnemonic == ZYDIS_MNEMONIC_XCHG && bytes[z->length - 1] == 0x90);
}

static void note_field(struct insn *i, const ZydisDecodedInstruction *z)
{
	i->mnemonic = (uint16_t)z->mnemonic;
	i->barrier = z->meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
	             z->meta.category == ZYDIS_CATEGORY_RET;
	if (z->raw.imm[0].is_relative) {
		i->branch = true;
		i->field = z->raw.imm[0].offset;
		i->field_size = z->raw.imm[0].size / 8;
	} else if ((z->attributes & ZYDIS_ATTRIB_HAS_MODRM) && !z->raw.modrm.mod &&
	           z->raw.modrm.rm == 5) {
		i->field = z->raw.disp.offset;
		i->field_size = z->raw.disp.size / 8;
	}
}

/* Data that stands in code ends where a symbol does not let it pass as an instruction. */
static void mark_symbols(const struct object *o, size_t k)
{
	for (size_t s = 1; s < o->n_symbols; s++)
		if (o->symbols[s].st_shndx == k && o->symbols[s].st_value < o->parts[k].size)
			o->parts[k].index[o->symbols[s].st_value] = NOWHERE;
}

static bool crosses_symbol(const struct part *p, size_t at, size_t length)
{
	for (size_t k = 1; k < length; k++)
		if (p->index[at + k] == NOWHERE)
			return true;
	return false;
}

static void decode(struct part *p)
{
	ZydisDecoder decoder;
	ZydisDecodedInstruction z;
	struct insn *last;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	p->insns = room(p->size + 2, sizeof(*p->insns));
	p->n_insns = 1;
	for (size_t at = 0; at < p->size;) {
		bool good = ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(
			&decoder, NULL, p->bytes + at, p->size - at, &z));
		size_t length;

		good = good && !crosses_symbol(p, at, z.length);
		length = good ? z.length : 1;
		last = &p->insns[p->n_insns - 1];
		p->index[at] = (uint32_t)p->n_insns;
		for (size_t k = 1; k < length; k++)
			p->index[at + k] = NOWHERE;
		if (good && z.mnemonic == ZYDIS_MNEMONIC_INT3) {
			last->int3_next |= !last->int3 && last->at + last->length == at;
			last->int3++;
		} else if (!good || !is_nop(&z, p->bytes + at)) {
			last = &p->insns[p->n_insns++];
			last->at = (uint32_t)at;
			last->length = (uint8_t)length;
			last->bare = !good;
			while (good && p->bytes[at + last->extra] == PREFIX)
				last->extra++;
			if (good)
				note_field(last, &z);
		}
		at += length;
	}
	p->index[p->size] = (uint32_t)p->n_insns;
	p->shifted = room(p->n_insns + 2, sizeof(*p->shifted));
}

static int by_offset(const void *a, const void *b)
{
	const Elf64_Rela *x = a, *y = b;

	return x->r_offset < y->r_offset ? -1 : x->r_offset > y->r_offset;
}

void object_read(struct object *o, const char *path)
{
	const Elf64_Ehdr *h;
	const Elf64_Shdr *s;
	const char *names;

	memset(o, 0, sizeof(*o));
	o->path = path;
	read_file(o);
	h = (const void *)o->file;
	if (memcmp(h->e_ident, ELFMAG, SELFMAG) || h->e_type != ET_REL)
		errx(2, "%s: no object file", path);
	s = (const void *)(o->file + h->e_shoff);
	o->n_parts = h->e_shnum ? h->e_shnum : s[0].sh_size;
	names = (const char *)o->file +
	        s[h->e_shstrndx == SHN_XINDEX ? s[0].sh_link : h->e_shstrndx].sh_offset;
	o->parts = room(o->n_parts, sizeof(*o->parts));
	for (size_t k = 1; k < o->n_parts; k++) {
		struct part *p = &o->parts[k];

		p->name = names + s[k].sh_name;
		p->size = s[k].sh_size;
		p->flags = s[k].sh_flags;
		p->bytes = s[k].sh_type == SHT_NOBITS ? NULL : o->file + s[k].sh_offset;
		if (s[k].sh_type == SHT_SYMTAB) {
			o->symbols = (const void *)p->bytes;
			o->n_symbols = p->size / sizeof(Elf64_Sym);
			o->names = (const char *)o->file + s[s[k].sh_link].sh_offset;
		} else if (s[k].sh_type == SHT_RELA) {
			qsort(o->file + s[k].sh_offset, p->size / sizeof(Elf64_Rela),
			      sizeof(Elf64_Rela), by_offset);
			o->parts[s[k].sh_info].relocs = (const void *)p->bytes;
			o->parts[s[k].sh_info].n_relocs = p->size / sizeof(Elf64_Rela);
		}
		p->code = (p->flags & SHF_EXECINSTR) && p->bytes && strncmp(p->name, ".dynopt.", 8);
	}
	for (size_t k = 1; k < o->n_parts; k++) {
		struct part *p = &o->parts[k];

		if (!p->code)
			continue;
		p->index = room(p->size + 1, sizeof(*p->index));
		mark_symbols(o, k);
		decode(p);
	}
}

void object_free(struct object *o)
{
	for (size_t k = 0; k < o->n_parts; k++) {
		free(o->parts[k].insns);
		free(o->parts[k].index);
		free(o->parts[k].shifted);
	}
	free(o->parts);
	free(o->file);
}

const Elf64_Rela *reloc_in(const struct part *p, uint64_t from, uint64_t to)
{
	size_t low = 0, high = p->n_relocs;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->relocs[middle].r_offset < from)
			low = middle + 1;
		else
			high = middle;
	}
	while (low < p->n_relocs && ELF64_R_TYPE(p->relocs[low].r_info) == R_X86_64_NONE)
		low++;
	return low < p->n_relocs && p->relocs[low].r_offset < to ? &p->relocs[low] : NULL;
}
