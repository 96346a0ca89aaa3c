/* SPDX-License-Identifier: MIT */
/*
 * t_decode.h - says whether an address of the program is where an instruction starts.
 *
 * The function around it is looked up in the file's symbol table, and the file's own
 * bytes are decoded from its start. Not for addresses of libraries, which have no
 * symbol table. t_decode_init() first; then usable in a signal handler.
 */
#ifndef T_DECODE_H
#define T_DECODE_H

#include "t_text.h"
#include <Zydis/Zydis.h>

static ZydisDecoder t_decoder;
static const ElfW(Sym) * t_symbols;
static size_t t_n_symbols;

static T_UNUSED void t_decode_init(void)
{
	const unsigned char *file;
	const ElfW(Shdr) * section;
	size_t size;

	t_text_read();
	file = t_file("/proc/self/exe", &size);
	CHECK(file);
	section = t_section(file, ".symtab");
	CHECK(section);
	t_symbols = (const ElfW(Sym) *)(const void *)(file + section->sh_offset);
	t_n_symbols = section->sh_size / sizeof(*t_symbols);
	CHECK(ZYAN_SUCCESS(
		ZydisDecoderInit(&t_decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)));
}

/* 1: an instruction starts there; 0: none does; -1: no function of the program. */
static T_UNUSED int t_decode_starts(uintptr_t addr)
{
	const struct t_segment *s = t_text_of(addr);
	uintptr_t start = 0, end = 0, at;

	if (!s || s->name[0] || !s->file)
		return -1;
	for (size_t i = 0; i < t_n_symbols && !end; i++) {
		const ElfW(Sym) *symbol = &t_symbols[i];
		uintptr_t value = s->bias + symbol->st_value;

		if (ELF64_ST_TYPE(symbol->st_info) == STT_FUNC && addr >= value &&
		    addr < value + symbol->st_size) {
			start = value;
			end = value + symbol->st_size;
		}
	}
	if (!end)
		return -1;
	for (at = start; at < addr;) {
		ZydisDecodedInstruction instruction;
		ZyanStatus status = ZydisDecoderDecodeInstruction(
			&t_decoder, NULL, t_text_bytes(s, at), end - at, &instruction);

		if (!ZYAN_SUCCESS(status))
			return 0;
		at += instruction.length;
	}
	return at == addr;
}

#endif
