/* SPDX-License-Identifier: MIT */
/*
 * backend.c - see backend.h.
 */
#include "backend.h"
#include "daemon_client.h"
#include "reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

const char *backend_name(enum backend backend)
{
	static const char *const names[] = {
#define X(name) #name,
		BACKENDS(X)
#undef X
	};

	return names[backend];
}

bool backend_kernel_works(char **why)
{
	return daemon_ask("hello", NULL, why) == DAEMON_OK;
}

static bool has_cache(const void *bytes, u64 size)
{
	struct notes_failure fail;
	struct notes_object object;
	struct notes_reader reader;
	struct notes_walk walk;
	struct elf_view view;
	enum notes_status status;

	if (elf_view_file(&view, bytes, size, &fail) != NOTES_OK)
		return false;
	notes_reader_init(&reader, &view);
	notes_walk_begin(&walk, &reader);
	while ((status = notes_objects_next(&walk, &object)) != NOTES_END)
		if (status == NOTES_OK && object.cache_size)
			return true;
	return false;
}

bool backend_kernel_fits(const struct target *target, char **why)
{
	int fd = open(target->loads, O_RDONLY | O_CLOEXEC);
	void *at = MAP_FAILED;
	bool fits = false;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0)
		at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (at != MAP_FAILED) {
		fits = has_cache(at, (u64)st.st_size);
		munmap(at, (size_t)st.st_size);
	}
	if (fd >= 0)
		close(fd);
	if (!fits)
		*why = base_printf("it was not linked with a code cache (-fdynopt-jumpstations)");
	return fits;
}

bool backend_kernel_arm(const struct launch *launch, char **error)
{
	const char *line = launch->eager ? launch->all ? "run eager all" : "run eager"
	                   : launch->all ? "run all"
	                                 : "run";
	int connection; /* closed by execve(): that is what the daemon waits for */

	return daemon_ask(line, &connection, error) == DAEMON_OK;
}

void backend_kernel_ended(int pid)
{
	char *line = base_printf("report %d", pid), *error = NULL;

	/* What it does not have any more it has written. */
	(void)daemon_ask(line, NULL, &error);
	free(error);
	free(line);
}
