/* SPDX-License-Identifier: MIT */
/*
 * policy_leave.c - names of functions become ranges of link-time addresses, by the symbols of the files. The library knows no symbols.
 *
 * libc is looked for as the loader finds it (glibc.h); another library is named by its path.
 */
#include "glibc.h"
#include "image.h"
#include "policy.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Appends "MODULE:0xSTART-0xEND " for each function of that name. */
static bool add_function(char **ranges, const struct image *image, const char *function)
{
	bool found = false;

	for (size_t i = 0; i < image->symbols.n; i++) {
		const struct symbol *s = &image->symbols.at[i];
		char *longer;

		if (s->type != STT_FUNC || !s->size || strcmp(s->name, function) != 0)
			continue;
		longer = base_printf("%s%s:0x%" PRIx64 "-0x%" PRIx64 " ", *ranges,
		                     file_name(image->path), s->addr, s->addr + s->size);
		free(*ranges);
		*ranges = longer;
		found = true;
	}
	return found;
}

static bool add_name(char **ranges, char *name, const char *program, char **error)
{
	char *colon = strrchr(name, ':'), *path;
	const char *function = colon ? colon + 1 : name;
	struct image image;
	bool found = false;

	if (colon)
		*colon = 0;
	path = colon && !strchr(name, '/') ? glibc_library(name)
	                                   : base_printf("%s", colon ? name : program);
	if (!path) {
		*error = base_printf("leave: library '%s' is not known; name it by its path", name);
		return false;
	}
	if (image_open(&image, path, error)) {
		found = add_function(ranges, &image, function);
		if (!found)
			*error = base_printf("leave: the symbols of %s have no function '%s'", path,
			                     function);
		image_close(&image);
	}
	free(path);
	return found;
}

bool policy_leave(const char *names, const char *program, char **ranges, char **error)
{
	char *copy = base_printf("%s", names), *save = NULL;
	bool good = true;

	*ranges = base_printf("%s", "");
	for (char *name = strtok_r(copy, " \t", &save); name && good;
	     name = strtok_r(NULL, " \t", &save))
		good = add_name(ranges, name, program, error);
	free(copy);
	return good;
}
