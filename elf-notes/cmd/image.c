/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * image.c - opens an ELF file with libelf and turns it into a struct image.
 *
 * Everything the file says of itself is compared with the file's size once, here;
 * what does not fit makes the file unreadable with one clear line. libelf reads a
 * private mapping, never the descriptor, so a file that shrinks cannot move it.
 */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fail(char **error, char *text)
{
	*error = text;
	return false;
}

static bool in_file(const struct image *image, u64 offset, u64 size)
{
	return offset <= image->file_size && size <= image->file_size - offset;
}

static bool check_header(struct image *image, GElf_Ehdr *header, char **error)
{
	if (image->file_size < EI_NIDENT || memcmp(image->file, ELFMAG, SELFMAG) != 0)
		return fail(error, base_printf("not an ELF file"));
	if (image->file[EI_CLASS] != ELFCLASS64 || image->file[EI_DATA] != ELFDATA2LSB)
		return fail(error, base_printf("not a 64-bit little-endian ELF file"));
	image->elf = elf_memory((char *)image->file, image->file_size);
	if (!image->elf || elf_kind(image->elf) != ELF_K_ELF || !gelf_getehdr(image->elf, header))
		return fail(error, base_printf("damaged or truncated: no ELF header"));
	if (header->e_machine != EM_X86_64)
		return fail(error,
		            base_printf("not for x86-64 (ELF machine %u)", header->e_machine));
	if (header->e_type != ET_EXEC && header->e_type != ET_DYN && header->e_type != ET_REL)
		return fail(error, base_printf("neither program, library nor object (ELF type %u)",
		                               header->e_type));
	image->type = header->e_type;
	image->entry = header->e_entry;
	return true;
}

static bool read_segments(struct image *image, const GElf_Ehdr *header, char **error)
{
	size_t n;

	if (header->e_phoff && !in_file(image, header->e_phoff, header->e_phnum * 56ull))
		return fail(error,
		            base_printf("truncated: program headers lie past the end of the file"));
	if (elf_getphdrnum(image->elf, &n) != 0)
		return fail(error, base_printf("damaged program headers: %s", elf_errmsg(-1)));
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr p;

		if (!gelf_getphdr(image->elf, (int)i, &p))
			return fail(error, base_printf("damaged program header %zu", i));
		if (p.p_type == PT_NULL)
			continue;
		if (!in_file(image, p.p_offset, p.p_filesz))
			return fail(error,
			            base_printf("truncated: segment %zu needs bytes past the end "
			                        "of the file",
			                        i));
		if (p.p_vaddr + p.p_filesz < p.p_vaddr)
			return fail(error, base_printf("segment %zu wraps the address space", i));
		*vec_add(&image->segments) = (struct segment){ .addr = p.p_vaddr,
			                                       .size = p.p_filesz,
			                                       .offset = p.p_offset,
			                                       .type = p.p_type,
			                                       .flags = p.p_flags,
			                                       .bytes = image->file + p.p_offset };
	}
	return true;
}

static bool read_section(struct image *image, Elf_Scn *scn, size_t names, char **error)
{
	GElf_Shdr h;
	struct section s;

	if (!gelf_getshdr(scn, &h))
		return fail(error, base_printf("damaged section header %zu", elf_ndxscn(scn)));
	s = (struct section){ .addr = h.sh_addr,
		              .size = h.sh_size,
		              .flags = h.sh_flags,
		              .entsize = h.sh_entsize,
		              .align = h.sh_addralign,
		              .type = h.sh_type,
		              .link = h.sh_link,
		              .info = h.sh_info };
	s.name = elf_strptr(image->elf, names, h.sh_name);
	if (!s.name)
		s.name = "";
	if (h.sh_type != SHT_NOBITS && h.sh_type != SHT_NULL) {
		if (!in_file(image, h.sh_offset, h.sh_size))
			return fail(error,
			            base_printf("truncated: section %s needs bytes past the end "
			                        "of the file",
			                        s.name));
		s.bytes = image->file + h.sh_offset;
	}
	if (s.addr + s.size < s.addr)
		return fail(error, base_printf("section %s wraps the address space", s.name));
	*vec_add(&image->sections) = s;
	return true;
}

static bool read_sections(struct image *image, const GElf_Ehdr *header, char **error)
{
	size_t names, n;
	Elf_Scn *scn = NULL;

	if (!header->e_shoff)
		return true;
	if (!in_file(image, header->e_shoff, header->e_shnum * 64ull))
		return fail(error,
		            base_printf("truncated: section headers lie past the end of the file"));
	if (elf_getshdrnum(image->elf, &n) != 0 || elf_getshdrstrndx(image->elf, &names) != 0)
		return fail(error, base_printf("damaged section headers: %s", elf_errmsg(-1)));
	if (n == 0)
		return true;
	*vec_add(&image->sections) = (struct section){ .name = "" };
	while ((scn = elf_nextscn(image->elf, scn)))
		if (!read_section(image, scn, names, error))
			return false;
	return true;
}

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	if ((x->type == STT_FUNC) != (y->type == STT_FUNC))
		return x->type == STT_FUNC ? 1 : -1;
	if (x->binding != y->binding)
		return x->binding < y->binding ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void add_symbol(struct image *image, const Elf64_Sym *s, const char *name, const char *file)
{
	u8 type = ELF64_ST_TYPE(s->st_info);
	u64 addr = s->st_value;

	if (s->st_shndx == SHN_UNDEF || s->st_shndx == SHN_ABS || s->st_shndx == SHN_COMMON)
		return;
	if (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE && type != STT_OBJECT)
		return;
	if (image->type == ET_REL) {
		if (s->st_shndx >= image->sections.n)
			return;
		addr += image->sections.at[s->st_shndx].addr;
	}
	if (!name || !*name)
		return;
	*vec_add(&image->symbols) =
		(struct symbol){ .addr = addr,
		                 .size = s->st_size,
		                 .name = name,
		                 .file = ELF64_ST_BIND(s->st_info) == STB_LOCAL ? file : NULL,
		                 .type = type == STT_GNU_IFUNC ? STT_FUNC : type,
		                 .binding = ELF64_ST_BIND(s->st_info) };
}

static void read_symbols(struct image *image)
{
	const struct section *table = NULL;
	const char *file = NULL;

	for (size_t i = 0; i < image->sections.n; i++) {
		const struct section *s = &image->sections.at[i];

		if (s->bytes && (s->type == SHT_SYMTAB || (s->type == SHT_DYNSYM && !table)))
			table = s;
	}
	if (!table)
		return;
	for (u64 i = 1; i < table->size / sizeof(Elf64_Sym); i++) {
		Elf64_Sym s;

		memcpy(&s, table->bytes + i * sizeof(s), sizeof(s));
		const char *name = elf_strptr(image->elf, table->link, s.st_name);

		if (ELF64_ST_TYPE(s.st_info) == STT_FILE)
			file = name && *name ? name : NULL;
		else
			add_symbol(image, &s, name, file);
	}
	if (image->symbols.n)
		qsort(image->symbols.at, image->symbols.n, sizeof(*image->symbols.at), by_address);
}

bool image_open_memory(struct image *image, const char *path, u8 *bytes, size_t size, char **error)
{
	GElf_Ehdr header;

	*image = (struct image){ .path = path, .file = bytes, .file_size = size };
	elf_version(EV_CURRENT);
	if (!check_header(image, &header, error) || !read_sections(image, &header, error))
		return false;
	if (image->type == ET_REL) {
		if (!image_relocate_object(image, error))
			return false;
	} else {
		if (!read_segments(image, &header, error))
			return false;
		image_read_pointers(image);
	}
	read_symbols(image);
	return true;
}

bool image_open(struct image *image, const char *path, char **error)
{
	struct stat st;
	void *map = MAP_FAILED;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*image = (struct image){ .path = path };
	if (fd < 0)
		return fail(error, base_printf("%s", strerror(errno)));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return fail(error, base_printf("not a regular file"));
	}
	if (st.st_size)
		map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return fail(error, base_printf(st.st_size ? "cannot be mapped" : "empty file"));
	bool ok = image_open_memory(image, path, map, (size_t)st.st_size, error);
	image->mapped = true;
	return ok;
}

void image_close(struct image *image)
{
	elf_end(image->elf);
	free(image->sections.at);
	free(image->segments.at);
	free(image->symbols.at);
	free(image->pointers.at);
	free(image->unresolved.at);
	free(image->layout);
	if (image->mapped)
		munmap(image->file, image->file_size);
}

const u8 *image_at(const struct image *image, u64 addr, u64 size)
{
	for (size_t i = 0; i < image->segments.n; i++) {
		const struct segment *s = &image->segments.at[i];

		if (s->type == PT_LOAD && addr >= s->addr && addr - s->addr <= s->size &&
		    size <= s->size - (addr - s->addr))
			return s->bytes + (addr - s->addr);
	}
	return NULL;
}

static bool section_executes(const struct image *image, u64 addr, u64 size)
{
	for (size_t i = 0; i < image->sections.n; i++) {
		const struct section *s = &image->sections.at[i];

		if ((s->flags & (SHF_ALLOC | SHF_EXECINSTR | SHF_WRITE)) ==
		            (SHF_ALLOC | SHF_EXECINSTR) &&
		    addr >= s->addr && addr - s->addr <= s->size &&
		    size <= s->size - (addr - s->addr))
			return true;
	}
	return false;
}

bool image_executes(const struct image *image, u64 addr, u64 size)
{
	if (image->type == ET_REL)
		return section_executes(image, addr, size);
	for (size_t i = 0; i < image->segments.n; i++) {
		const struct segment *s = &image->segments.at[i];

		if (s->type == PT_LOAD && (s->flags & (PF_X | PF_W)) == PF_X && addr >= s->addr &&
		    addr - s->addr <= s->size && size <= s->size - (addr - s->addr))
			return true;
	}
	return false;
}

const struct section *image_section(const struct image *image, const char *name)
{
	for (size_t i = 0; i < image->sections.n; i++)
		if (strcmp(image->sections.at[i].name, name) == 0)
			return &image->sections.at[i];
	return NULL;
}

/* Index one past the last symbol at or below addr. */
static size_t symbols_upto(const struct image *image, u64 addr)
{
	size_t low = 0, high = image->symbols.n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (image->symbols.at[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct symbol *image_symbol(const struct image *image, u64 addr)
{
	size_t i = symbols_upto(image, addr);
	const struct symbol *exact = NULL;

	for (size_t tries = 0; i-- > 0 && tries < 64; tries++) {
		const struct symbol *s = &image->symbols.at[i];

		if (s->type == STT_FUNC && (addr - s->addr < s->size || addr == s->addr))
			return s;
		if (!exact && s->addr == addr)
			exact = s;
	}
	return exact;
}

const char *image_where(const struct image *image, u64 addr, char *buffer, size_t size)
{
	const struct symbol *s = image_symbol(image, addr);

	if (!s)
		snprintf(buffer, size, "0x%llx", (unsigned long long)addr);
	else if (s->addr == addr)
		snprintf(buffer, size, "%s", s->name);
	else
		snprintf(buffer, size, "%s+0x%llx", s->name, (unsigned long long)(addr - s->addr));
	return buffer;
}

int u64_compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return (x > y) - (x < y);
}

bool u64_sorted_has(const u64 *at, size_t n, u64 value)
{
	return n && bsearch(&value, at, n, sizeof(*at), u64_compare);
}
