/* SPDX-License-Identifier: MIT */
/*
 * t_text.h - says whether an address is original code.
 *
 * Original is what lies in an executable segment of a module that the loader knows,
 * outside a section named .dynopt.cache, and is no 0xcc in the module's file (padding
 * and empty jumpstations never execute). t_text_read() takes the list; it is called
 * again after dlopen. The questions may be asked in a signal handler.
 */
#ifndef T_TEXT_H
#define T_TEXT_H

#include "t.h"
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct t_segment {
	uintptr_t start, end;             /* of the segment's own bytes, not its pages */
	uintptr_t cache_start, cache_end; /* .dynopt.cache, empty where there is none */
	uintptr_t bias;
	const unsigned char *file; /* the whole file; NULL for the vdso */
	size_t file_size, file_offset;
	char name[96];
};

static struct t_segment t_segments[256];
static unsigned t_n_segments;

static T_UNUSED const unsigned char *t_file(const char *path, size_t *size)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *bytes;

	if (fd < 0)
		return NULL;
	CHECK(!fstat(fd, &st));
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(bytes != MAP_FAILED);
	close(fd);
	*size = (size_t)st.st_size;
	return (const unsigned char *)bytes;
}

/* The section called NAME in a file, or NULL. */
static T_UNUSED const ElfW(Shdr) * t_section(const unsigned char *file, const char *name)
{
	const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)(const void *)file;
	const ElfW(Shdr) *sections = (const ElfW(Shdr) *)(const void *)(file + header->e_shoff);
	const char *names;

	if (!header->e_shoff || !header->e_shnum)
		return NULL;
	names = (const char *)file + sections[header->e_shstrndx].sh_offset;
	for (unsigned i = 0; i < header->e_shnum; i++)
		if (!strcmp(names + sections[i].sh_name, name))
			return &sections[i];
	return NULL;
}

static T_UNUSED int t_text_add(struct dl_phdr_info *info, size_t size, void *data)
{
	const char *path = info->dlpi_name[0] ? info->dlpi_name : "/proc/self/exe";
	const unsigned char *file = NULL;
	const ElfW(Shdr) *cache = NULL;
	size_t file_size = 0;

	(void)size;
	(void)data;
	if (path[0] == '/' || path[0] == '.') {
		file = t_file(path, &file_size);
		cache = file ? t_section(file, ".dynopt.cache") : NULL;
	}
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		struct t_segment *s = &t_segments[t_n_segments];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		CHECK(t_n_segments < sizeof(t_segments) / sizeof(t_segments[0]));
		memset(s, 0, sizeof(*s));
		s->bias = info->dlpi_addr;
		s->start = info->dlpi_addr + p->p_vaddr;
		s->end = s->start + p->p_memsz;
		s->file = file;
		s->file_size = file_size;
		s->file_offset = p->p_offset;
		if (cache) {
			s->cache_start = info->dlpi_addr + cache->sh_addr;
			s->cache_end = s->cache_start + cache->sh_size;
		}
		strncpy(s->name, info->dlpi_name, sizeof(s->name) - 1);
		t_n_segments++;
	}
	return 0;
}

static T_UNUSED void t_text_read(void)
{
	t_n_segments = 0;
	dl_iterate_phdr(t_text_add, NULL);
	CHECK(t_n_segments > 0);
}

/* The segment that ADDR is original code of, or NULL. */
static T_UNUSED const struct t_segment *t_text_of(uintptr_t addr)
{
	for (unsigned i = 0; i < t_n_segments; i++) {
		const struct t_segment *s = &t_segments[i];

		if (addr < s->start || addr >= s->end)
			continue;
		if (addr >= s->cache_start && addr < s->cache_end)
			return NULL;
		return s;
	}
	return NULL;
}

/* The byte that the file has at ADDR; NULL where it has no file. */
static T_UNUSED const unsigned char *t_text_bytes(const struct t_segment *s, uintptr_t addr)
{
	size_t offset = s->file_offset + (addr - s->start);

	return s->file && offset < s->file_size ? s->file + offset : NULL;
}

/* True if an instruction of the original text may start at ADDR. */
static T_UNUSED int t_text_original(uintptr_t addr)
{
	const struct t_segment *s = t_text_of(addr);
	const unsigned char *bytes = s ? t_text_bytes(s, addr) : NULL;

	return s && (!bytes || *bytes != 0xcc);
}

/* True if the original bytes in front of ADDR are a call. */
static T_UNUSED int t_text_after_call(uintptr_t addr)
{
	const struct t_segment *s = t_text_of(addr);
	const unsigned char *b = s ? t_text_bytes(s, addr) : NULL;

	if (!s || !b || addr - s->start < 8)
		return 0;
	if (b[-5] == 0xe8)
		return 1;
	for (int length = 2; length <= 7; length++) /* ff /2, with or without REX */
		if (b[-length] == 0xff && (b[-length + 1] >> 3 & 7) == 2)
			return 1;
	return 0;
}

/* A mapping of /proc/self/maps is executable and has no file behind it. */
static T_UNUSED int t_text_anonymous(uintptr_t addr)
{
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "re");
	int found = 0;

	CHECK(maps);
	while (fgets(line, sizeof(line), maps)) {
		unsigned long start, end, inode;
		char flags[8];

		CHECK(sscanf(line, "%lx-%lx %7s %*s %*s %lu", &start, &end, flags, &inode) == 4);
		if (addr >= start && addr < end)
			found = inode == 0;
	}
	fclose(maps);
	return found;
}

#endif
