/* SPDX-License-Identifier: MIT */
/*
 * module.c - see module.h.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "module.h"

static bool module_open(struct module *m, const char *path)
{
	struct notes_failure why;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	memset(m, 0, sizeof(*m));
	if (fd < 0 || fstat(fd, &st) || !st.st_size) {
		perror(path);
		return false;
	}
	m->size = (u64)st.st_size;
	m->bytes = mmap(NULL, m->size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	close(fd);
	if (m->bytes == MAP_FAILED) {
		perror(path);
		return false;
	}
	if (elf_view_file(&m->view, m->bytes, m->size, &why) != NOTES_OK) {
		fprintf(stderr, "%s: TEXT_FILE\n", path);
		return false;
	}
	return true;
}

void module_arena(struct arena *arena, u64 size)
{
	void *base = mmap(NULL, size, PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (base == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	arena_init_zeroed(arena, base, size);
}

bool module_build(struct module *m, const char *path)
{
	struct timespec from, to;
	struct failure fail = { 0 };
	u64 keep, scratch;

	if (!module_open(m, path))
		return false;
	text_build_size(&m->view, &keep, &scratch);
	module_arena(&m->keep, keep);
	module_arena(&m->scratch, scratch);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	if (text_build(&m->text, &m->view, &m->keep, &m->scratch, &fail) != STATUS_OK) {
		fprintf(stderr, "%s: %s at 0x%llx (%llu)\n", path, status_name(fail.status),
		        (unsigned long long)fail.addr, (unsigned long long)fail.detail);
		return false;
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	m->cpu_s = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
	return true;
}

void module_close(struct module *m)
{
	munmap((void *)m->bytes, m->size);
	if (m->keep.base)
		munmap(m->keep.base, m->keep.size);
	if (m->scratch.base)
		munmap(m->scratch.base, m->scratch.size);
}
