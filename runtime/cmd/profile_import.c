/* SPDX-License-Identifier: MIT */
/*
 * profile_import.c - see profile_import.h. Lines of other modules are left out; what belongs to the module and cannot be placed is an error.
 */
#include "profile_import.h"
#include "profile_formats.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A piece of the module's file in some process's memory. */
struct piece {
	long pid;
	u64 start, size, offset;
};

struct pieces {
	VEC(struct piece) v;
};

/* " 7426 PERF_RECORD_MMAP2 7426/7426: [0x55a2(0x2000) @ 0x1000 fe:00 11 22]: r-xp /tmp/a" */
static bool parse_piece(const char *line, const char *module, struct piece *piece)
{
	const char *at = strstr(line, "PERF_RECORD_MMAP2 "), *path;

	if (!at)
		return false;
	if (sscanf(at, "PERF_RECORD_MMAP2 %ld/%*d: [0x%" SCNx64 "(0x%" SCNx64 ") @ %" SCNi64,
	           &piece->pid, &piece->start, &piece->size, (s64 *)&piece->offset) != 4)
		return false;
	path = strchr(at, ']');
	path = path ? strchr(path, '/') : NULL;
	return path && strcmp(profile_module(path), module) == 0;
}

static bool link_address(const struct image *image, u64 offset, u64 *addr)
{
	for (size_t i = 0; i < image->segments.n; i++) {
		const struct segment *s = &image->segments.at[i];

		if (s->type == PT_LOAD && (s->flags & PF_X) && offset >= s->offset &&
		    offset - s->offset < s->size) {
			*addr = s->addr + (offset - s->offset);
			return true;
		}
	}
	return false;
}

static bool place(const struct pieces *pieces, const struct image *image, long pid, u64 rip,
                  u64 *addr)
{
	for (size_t i = pieces->v.n; i-- > 0;) {
		const struct piece *p = &pieces->v.at[i];

		if (p->pid == pid && rip - p->start < p->size)
			return link_address(image, rip - p->start + p->offset, addr);
	}
	return false;
}

bool import_perf(struct profile *profile, const struct image *image, FILE *in, char **error)
{
	const char *module = profile_module(image->path);
	struct pieces pieces = { 0 };
	size_t room = 0, number = 0;
	char *line = NULL;

	while (!*error && getline(&line, &room, in) >= 0) {
		struct piece piece;
		char path[4096];
		u64 rip, addr;
		long pid;

		number++;
		line[strcspn(line, "\n")] = 0;
		if (parse_piece(line, module, &piece))
			*vec_add(&pieces.v) = piece;
		else if (sscanf(line, " %ld %" SCNx64 " (%4095[^)])", &pid, &rip, path) == 3 &&
		         strcmp(profile_module(path), module) == 0) {
			if (place(&pieces, image, pid, rip, &addr))
				profile_add(profile, addr, 1);
			else
				*error = base_printf(
					"line %zu: no mapping of %s is known for its address; was "
					"--show-mmap-events given?",
					number, module);
		}
	}
	free(line);
	free(pieces.v.at);
	return !*error;
}

bool import_bolt(struct profile *profile, const struct image *image, FILE *in, char **error)
{
	size_t room = 0, number = 0;
	char *line = NULL;

	while (!*error && getline(&line, &room, in) >= 0) {
		char name[1024];
		u64 offset, n, start;

		number++;
		if (number == 1) {
			if (strncmp(line, "no_lbr ", 7) != 0)
				*error = base_printf(
					"line 1: it has branches or is no such profile; 'no_lbr' is wanted");
			continue;
		}
		if (sscanf(line, "1 %1023s %" SCNx64 " %" SCNu64, name, &offset, &n) != 3)
			*error = base_printf("line %zu: not '1 SYMBOL OFFSET COUNT'", number);
		else if (!bolt_find(image, name, &start))
			*error = base_printf("line %zu: %s has no function '%s'", number,
			                     image->path, name);
		else
			profile_add(profile, start + offset, n);
	}
	free(line);
	return !*error;
}
