// SPDX-License-Identifier: MIT
/*
 * unload.c - the module is unloaded and loaded again while processes execute what it patched:
 * every byte and every mapping is as before, and nobody notices.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guest.h"

static long answer(int letter, void *context)
{
	uint8_t *lib = context;

	switch (letter) {
	case '1':
		return lib_call(lib, &site_one);
	case 's': { /* does all of the text read as the file does? */
		size_t bytes;
		char *file = slurp(LIB, &bytes);
		long same = !memcmp(lib, file, bytes);

		free(file);
		return same;
	}
	case 'w': /* a private copy of the page with the jump in it */
		check(mprotect(lib + PAGE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
		*(volatile uint8_t *)(lib + PAGE + 8) = 0x90;
		return mprotect(lib + PAGE, PAGE, PROT_READ | PROT_EXEC);
	default:
		return -1;
	}
}

static void in(const struct child *child, struct load *load, bool copy)
{
	int device = device_open(), file = open(LIB, O_RDONLY | O_CLOEXEC);

	check_is(call_register(device, child->pid), DYNOPT_KMOD_OK);
	check_is(call_register(device, load_pid(load, 0)), DYNOPT_KMOD_OK);
	check_is(call_register(device, load_pid(load, 1)), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_cross), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_four), DYNOPT_KMOD_OK);
	check_is(child_ask(child, '1'), site_one.patched);
	check_is(child_ask(child, 's'), 0);
	if (copy)
		check_is(child_ask(child, 'w'), 0);
	check_is(child_ask(child, '1'), site_one.patched);
	load_pass(load, 200);
	check_is(module_unload(), EAGAIN);
	close(device);
	close(file);
}

static void out(const struct child *child, struct load *load, const char *maps)
{
	char path[64], *now;

	check_is(module_unload(), 0);
	check_is(child_ask(child, '1'), site_one.plain);
	check_is(child_ask(child, 's'), 1);
	load_pass(load, 200);
	if (!maps)
		return;
	snprintf(path, sizeof(path), "/proc/%d/maps", load_pid(load, 0));
	now = slurp(path, NULL);
	check(strcmp(now, maps) == 0);
	free(now);
}

int main(void)
{
	struct child child;
	struct load *load;
	char path[64], *maps;
	uint8_t *lib;
	int i;

	lib_make(LIB);
	child = child_start(answer);
	lib = lib_map(LIB);
	load = load_start(lib, 2, 2, false, -1);
	load_pass(load, 1);
	snprintf(path, sizeof(path), "/proc/%d/maps", load_pid(load, 0));
	maps = slurp(path, NULL);
	for (i = 0; i < 5; i++) {
		in(&child, load, i == 4);
		out(&child, load, maps);
		module_load();
	}
	load_stop(load);
	child_end(&child);
	return 0;
}
