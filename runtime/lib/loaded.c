/* SPDX-License-Identifier: MIT */
/*
 * loaded.c - see loaded.h. A record is asked for once for each place in the list of modules, and again when another path stands there.
 */
#include "loaded.h"

#include "names.h"

const struct module *loaded_at(u64 rip, u64 *end)
{
	const struct module *best = NULL;

	*end = ~(u64)0;
	for (u32 i = 0; i < world->n_modules; i++) {
		const struct module *module = &world->modules[i];

		if (module->base <= rip && (!best || module->base >= best->base))
			best = module;
		else if (module->base > rip && module->base < *end)
			*end = module->base;
	}
	return best;
}

static bool same_text(const char *a, const char *b)
{
	for (; *a == *b; a++, b++)
		if (!*a)
			return true;
	return false;
}

struct image *loaded_record(const struct module *module)
{
	static struct image *known[WORLD_MODULES];
	struct image **record = &known[module - world->modules];
	bool fresh;

	if (!*record || !same_text((*record)->path, module->path))
		*record = image_of(module, &fresh);
	return *record;
}

const char *loaded_name(const struct module *module)
{
	const struct image *record = loaded_record(module);

	return record ? names_file(record->status.path) : "";
}
