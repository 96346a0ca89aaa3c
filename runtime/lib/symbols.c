/* SPDX-License-Identifier: MIT */
/*
 * symbols.c - see symbols.h; without libc, for the agent. Every offset that the file names is checked against its size.
 */
#include "symbols.h"

#include <elf.h>

static bool inside(u64 offset, u64 n, u64 each, u64 size)
{
	return each && offset <= size && n <= (size - offset) / each;
}

static const Elf64_Shdr *sections(const u8 *bytes, u64 size, u32 *n)
{
	const Elf64_Ehdr *head = (const Elf64_Ehdr *)bytes;

	if (size < sizeof(*head) || head->e_shentsize != sizeof(Elf64_Shdr) || head->e_shoff % 8 ||
	    !inside(head->e_shoff, head->e_shnum, sizeof(Elf64_Shdr), size))
		return NULL;
	*n = head->e_shnum;
	return (const Elf64_Shdr *)(bytes + head->e_shoff);
}

/* The table of that type with its texts. */
static bool table(const u8 *bytes, u64 size, u32 type, const Elf64_Shdr **symbols,
                  const Elf64_Shdr **texts)
{
	u32 n = 0;
	const Elf64_Shdr *all = sections(bytes, size, &n);

	for (u32 i = 0; i < n; i++) {
		const Elf64_Shdr *s = &all[i];

		if (s->sh_type != type || s->sh_link >= n || s->sh_offset % 8 ||
		    !inside(s->sh_offset, s->sh_size, 1, size) ||
		    !inside(all[s->sh_link].sh_offset, all[s->sh_link].sh_size, 1, size))
			continue;
		*symbols = s;
		*texts = &all[s->sh_link];
		return true;
	}
	return false;
}

static void copy_name(const u8 *bytes, const Elf64_Shdr *texts, u64 at, char *out)
{
	const char *text = (const char *)bytes + texts->sh_offset;
	u32 n = 0;

	for (; at < texts->sh_size && text[at] && n < SYMBOL_NAME_MAX - 1; at++)
		out[n++] = text[at];
	out[n] = 0;
}

bool symbol_of(const u8 *bytes, u64 size, u64 addr, char name[SYMBOL_NAME_MAX], u64 *offset)
{
	const Elf64_Shdr *symbols, *texts;
	const Elf64_Sym *at;

	if (!table(bytes, size, SHT_SYMTAB, &symbols, &texts) &&
	    !table(bytes, size, SHT_DYNSYM, &symbols, &texts))
		return false;
	at = (const Elf64_Sym *)(bytes + symbols->sh_offset);
	for (u64 i = 0; i < symbols->sh_size / sizeof(*at); i++) {
		if (ELF64_ST_TYPE(at[i].st_info) != STT_FUNC ||
		    addr - at[i].st_value >= at[i].st_size)
			continue;
		copy_name(bytes, texts, at[i].st_name, name);
		*offset = addr - at[i].st_value;
		return name[0] != 0;
	}
	return false;
}
