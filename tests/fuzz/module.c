/* SPDX-License-Identifier: MIT */
/*
 * module.c - see module.h. Memory of a module lasts as long as the process.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "module.h"

#define PAGE 4096u
#define GUEST_BASE 0x100000000000u /* far from everything that the kernel places by itself */

void *scratch_decode(void)
{
	static void *scratch;

	if (!scratch)
		scratch = calloc(1, decode_scratch_size());
	return scratch;
}

static const u8 *map_file(const char *path, u64 *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *bytes = MAP_FAILED;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0) {
		*size = (u64)st.st_size;
		bytes = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
	}
	if (fd >= 0)
		close(fd);
	return bytes == MAP_FAILED ? NULL : bytes;
}

static void arena_reserve(struct arena *arena, u64 size)
{
	void *base = mmap(NULL, size, PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	arena_init(arena, base == MAP_FAILED ? NULL : base, base == MAP_FAILED ? 0 : size);
}

/* The view has accepted the file: headers can be read. */
static const Elf64_Phdr *phdrs(const struct module *m, u32 *n)
{
	const Elf64_Ehdr *ehdr = (const void *)m->bytes;

	*n = ehdr->e_phnum;
	return (const void *)(m->bytes + ehdr->e_phoff);
}

bool module_finish(struct module *m, bool relocatable)
{
	u64 n = 0, i;

	if (!m->hi) {
		m->lo = m->view.loads[0].addr;
		for (i = 0; i < m->view.n_loads; i++)
			m->hi = m->view.loads[i].addr + m->view.loads[i].size;
	}
	m->lo &= ~(u64)(PAGE - 1);
	m->hi = (m->hi + PAGE - 1) & ~(u64)(PAGE - 1);
	m->base = relocatable ? GUEST_BASE : 0;
	for (i = m->text.start; i < m->text.end; i++)
		n += (text_marks(&m->text, i) & (TEXT_INSN | TEXT_NO_TRANSLATE)) == TEXT_INSN;
	m->heads = malloc((n + 1) * sizeof(*m->heads));
	if (!m->heads || !n)
		return false;
	for (i = m->text.start; i < m->text.end; i++) {
		if ((text_marks(&m->text, i) & (TEXT_INSN | TEXT_NO_TRANSLATE)) == TEXT_INSN)
			m->heads[m->n_heads++] = i;
	}
	return true;
}

static void bounds(struct module *m)
{
	const Elf64_Phdr *phdr;
	u32 n;

	m->lo = ~(u64)0;
	phdr = phdrs(m, &n);
	for (u32 i = 0; i < n; i++) {
		if (phdr[i].p_type != PT_LOAD)
			continue;
		if (phdr[i].p_vaddr < m->lo)
			m->lo = phdr[i].p_vaddr;
		if (phdr[i].p_vaddr + phdr[i].p_memsz > m->hi)
			m->hi = phdr[i].p_vaddr + phdr[i].p_memsz;
	}
}

bool module_load(struct module *m, const char *path)
{
	struct arena keep, scratch;
	struct failure fail = { 0 };
	struct notes_failure why;
	enum notes_status status;
	u64 n_keep, n_scratch;

	m->path = path;
	m->bytes = map_file(path, &m->size);
	if (!m->bytes) {
		fprintf(stderr, "%s: cannot be read\n", path);
		return false;
	}
	status = elf_view_file(&m->view, m->bytes, m->size, &why);
	if (status) {
		fprintf(stderr, "%s: %s\n", path, notes_status_text(status));
		return false;
	}
	text_build_size(&m->view, &n_keep, &n_scratch);
	arena_reserve(&keep, n_keep + PAGE);
	arena_reserve(&scratch, n_scratch + PAGE);
	if (text_build(&m->text, &m->view, &keep, &scratch, &fail)) {
		fprintf(stderr, "%s: %s (0x%llx, %llu)\n", path, status_text(fail.status),
		        (unsigned long long)fail.addr, (unsigned long long)fail.detail);
		return false;
	}
	munmap(scratch.base, scratch.size);
	bounds(m);
	if (!module_finish(m, m->view.relocatable)) {
		fprintf(stderr, "%s: no code that is proven\n", path);
		return false;
	}
	return true;
}
