/* SPDX-License-Identifier: MIT */
/*
 * show_names.c - names of functions for module addresses, from the symbol tables that the module's file has.
 *
 * A file that is gone, changed or stripped gives numbers instead of names: a report never fails for want of a name.
 */
#include "show.h"
#include "image.h"

#include <stdlib.h>
#include <sys/stat.h>

struct file {
	struct image image;
	bool tried, open;
};

struct show_names {
	const struct status_view *view;
	struct file *files; /* by module */
};

struct show_names *show_names_new(const struct status_view *view)
{
	struct show_names *names = base_calloc(1, sizeof(*names));

	names->view = view;
	names->files = base_calloc(view->head->n_modules, sizeof(*names->files));
	return names;
}

void show_names_free(struct show_names *names)
{
	for (u32 i = 0; i < names->view->head->n_modules; i++)
		if (names->files[i].open)
			image_close(&names->files[i].image);
	free(names->files);
	free(names);
}

/* No device, no pipe: opening must not wait. */
static void try_open(struct file *file, const char *path)
{
	struct stat st;
	char *error = NULL;

	file->tried = true;
	if (path[0] != '/' || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
		return;
	file->open = image_open(&file->image, path, &error);
	if (!file->open)
		image_close(&file->image);
	free(error);
}

const char *show_name(struct show_names *names, u32 module, u64 addr, char *buffer, size_t size)
{
	struct file *file = &names->files[module];

	if (!file->tried)
		try_open(file, names->view->modules[module].path);
	if (file->open)
		return image_where(&file->image, addr, buffer, size);
	snprintf(buffer, size, "0x%llx", (unsigned long long)addr);
	return buffer;
}
