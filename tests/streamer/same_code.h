/* SPDX-License-Identifier: MIT */
/*
 * same_code.h - an object file as same_code.c compares it.
 *
 * Every section of code is decoded from its start into the instructions that
 * count: padding is left out, and int3 is only counted, behind the instruction
 * it follows. Addresses then become indices of instructions, which are the same
 * in both objects whatever was put between them.
 */
#ifndef SAME_CODE_H
#define SAME_CODE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOWHERE UINT32_MAX

struct insn {
	uint32_t at;    /* offset of its first byte, prefixes included */
	uint8_t length; /* with prefixes */
	uint8_t extra;  /* leading 0x2e prefixes */
	uint8_t field, field_size; /* offset and size of a branch distance or rip displacement */
	bool branch;    /* the field is a branch's */
	bool barrier;   /* jmp or ret */
	bool bare;      /* no instruction: a byte that does not decode */
	uint16_t mnemonic;
	uint32_t int3;  /* how many of them before the next instruction */
	bool int3_next; /* the first of them is directly behind this one */
};

struct part {
	const char *name;
	const uint8_t *bytes; /* null: occupies no space in the file */
	size_t size;
	uint64_t flags;
	const Elf64_Rela *relocs; /* ascending offsets */
	size_t n_relocs;
	struct insn *insns; /* code only; the first stands for the start of the section */
	size_t n_insns;
	uint32_t *index; /* code only: what an offset leads to; NOWHERE: inside an instruction */
	bool *shifted;   /* code of the plain object: between instructions that changed places */
	bool code;
};

struct object {
	const char *path;
	uint8_t *file;
	size_t file_size;
	struct part *parts;
	size_t n_parts;
	const Elf64_Sym *symbols;
	size_t n_symbols;
	const char *names;
};

/* Reads and decodes a relocatable file; ends the program if it cannot. */
void object_read(struct object *o, const char *path);
void object_free(struct object *o);

/* How many instructions of s the one has passed that stands at i in t; 0: none has. */
size_t moved_from(const struct part *s, const struct part *t, size_t i);
/* Does it make no difference that instruction i + n comes in front of those from i on? */
bool may_move(const struct part *s, size_t i, size_t n);

/* The relocation of a field, or null. */
const Elf64_Rela *reloc_in(const struct part *p, uint64_t from, uint64_t to);

#endif
