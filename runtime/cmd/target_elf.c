/* SPDX-License-Identifier: MIT */
/*
 * target_elf.c - reads program headers, interpreter and DT_NEEDED with pread(), a few hundred bytes of a file
 * of any size. Every offset and size is a claim: what cannot be read makes the file DAMAGED, or means that there is no
 * sanitizer to care for.
 */
#include "target_elf.h"

#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_HEADERS 64       /* program headers looked at */
#define N_DYNAMIC 512      /* dynamic entries looked at */
#define NAME_LENGTH 256

/* Their interceptors, and in AddressSanitizer's case a check at start, want them before all other libraries. */
static const char *const sanitizers[] = { "libasan.so",         "libtsan.so",
	                                  "liblsan.so",         "libhwasan.so",
	                                  "libclang_rt.asan",   "libclang_rt.tsan",
	                                  "libclang_rt.hwasan", "libclang_rt.lsan",
	                                  "libclang_rt.msan" };

struct headers {
	Elf64_Phdr at[N_HEADERS];
	unsigned n;
};

static bool read_all(int fd, void *to, size_t size, u64 offset)
{
	return offset <= INT64_MAX && pread(fd, to, size, (off_t)offset) == (ssize_t)size;
}

static const Elf64_Phdr *find(const struct headers *h, u32 type)
{
	for (unsigned i = 0; i < h->n; i++)
		if (h->at[i].p_type == type)
			return &h->at[i];
	return NULL;
}

/* File offset of `addr`; false where the file holds nothing for it. */
static bool file_offset(const struct headers *h, u64 addr, u64 *offset)
{
	for (unsigned i = 0; i < h->n; i++) {
		const Elf64_Phdr *p = &h->at[i];

		if (p->p_type == PT_LOAD && addr >= p->p_vaddr && addr - p->p_vaddr < p->p_filesz) {
			*offset = p->p_offset + (addr - p->p_vaddr);
			return true;
		}
	}
	return false;
}

static bool is_sanitizer(const char *name)
{
	for (size_t i = 0; i < sizeof(sanitizers) / sizeof(sanitizers[0]); i++)
		if (strncmp(name, sanitizers[i], strlen(sanitizers[i])) == 0)
			return true;
	return false;
}

/* The first needed library that is a sanitizer's. */
static char *needed_sanitizer(int fd, const struct headers *h)
{
	const Elf64_Phdr *dynamic = find(h, PT_DYNAMIC);
	u64 strings = 0, n = dynamic ? dynamic->p_filesz / sizeof(Elf64_Dyn) : 0;
	char name[NAME_LENGTH] = "";
	Elf64_Dyn entries[N_DYNAMIC];

	if (n > N_DYNAMIC)
		n = N_DYNAMIC;
	if (!n || !read_all(fd, entries, n * sizeof(entries[0]), dynamic->p_offset))
		return NULL;
	for (u64 i = 0; i < n && entries[i].d_tag != DT_NULL; i++)
		if (entries[i].d_tag == DT_STRTAB &&
		    !file_offset(h, entries[i].d_un.d_ptr, &strings))
			return NULL;
	for (u64 i = 0; strings && i < n && entries[i].d_tag != DT_NULL; i++) {
		u64 at = strings + entries[i].d_un.d_val;

		if (entries[i].d_tag != DT_NEEDED || at < strings || at > INT64_MAX ||
		    pread(fd, name, sizeof(name) - 1, (off_t)at) <= 0)
			continue;
		if (is_sanitizer(name))
			return base_printf("%s", name);
	}
	return NULL;
}

static enum target_refusal check_interpreter(int fd, const Elf64_Phdr *p)
{
	char path[NAME_LENGTH] = "";
	const char *base;

	if (!p)
		return TARGET_STATIC;
	if (!p->p_filesz || p->p_filesz >= sizeof(path) ||
	    !read_all(fd, path, p->p_filesz, p->p_offset))
		return TARGET_DAMAGED;
	base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	if (strncmp(base, "ld-musl", strlen("ld-musl")) == 0)
		return TARGET_MUSL;
	return strcmp(base, "ld-linux-x86-64.so.2") == 0 ? TARGET_NONE : TARGET_LOADER;
}

enum target_refusal target_elf_check(int fd, char **first)
{
	Elf64_Ehdr e;
	struct headers h = { .n = 0 };
	enum target_refusal refusal;

	if (!read_all(fd, &e, EI_NIDENT, 0) || memcmp(e.e_ident, ELFMAG, SELFMAG) != 0)
		return TARGET_FORMAT;
	if (e.e_ident[EI_CLASS] == ELFCLASS32)
		return TARGET_BITS;
	if (!read_all(fd, &e, sizeof(e), 0) || e.e_phentsize != sizeof(Elf64_Phdr))
		return TARGET_DAMAGED;
	if (e.e_machine != EM_X86_64)
		return TARGET_MACHINE;
	h.n = e.e_phnum < N_HEADERS ? e.e_phnum : N_HEADERS;
	if (!h.n || !read_all(fd, h.at, h.n * sizeof(h.at[0]), e.e_phoff))
		return TARGET_DAMAGED;
	refusal = check_interpreter(fd, find(&h, PT_INTERP));
	if (!refusal)
		*first = needed_sanitizer(fd, &h);
	return refusal;
}
