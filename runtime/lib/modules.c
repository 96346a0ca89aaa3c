/* SPDX-License-Identifier: MIT */
/*
 * modules.c - what the dynamic loader has mapped, read from its own list (struct r_debug, link.h) by a thread
 * of the program while the loader stands still.
 *
 * Left out: the loader itself, whose hook is ours, the kernel's vdso, and this library. Other namespaces
 * (dlmopen) stay as they are.
 */
#include "modules.h"

#include "world.h"

#include <elf.h>
#include <link.h>

extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));

static bool wanted(const struct link_map *map)
{
	u64 own = (u64)(uintptr_t)&__ehdr_start;

	if (map->l_addr == own || map->l_addr == _r_debug.r_ldbase)
		return false;
	return map == _r_debug.r_map || map->l_name[0] == '/' || map->l_name[0] == '.';
}

static bool copy_name(char *out, const char *name)
{
	u64 n = 0;

	/* cppcheck-suppress arrayIndexOutOfBoundsCond ; "" ends the loop at once */
	while (n < WORLD_PATH_MAX && name[n])
		n++;
	if (n == WORLD_PATH_MAX)
		return false;
	memcpy(out, name, n + 1);
	return true;
}

void modules_read(void)
{
	u32 n = 0;

	for (const struct link_map *map = _r_debug.r_map; map && n < WORLD_MODULES;
	     map = map->l_next) {
		struct module *module = &world->modules[n];

		if (!wanted(map) ||
		    !copy_name(module->path, map == _r_debug.r_map ? "" : map->l_name))
			continue;
		module->base = map->l_addr;
		n++;
	}
	world->n_modules = n;
}
