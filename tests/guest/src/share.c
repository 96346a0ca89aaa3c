// SPDX-License-Identifier: MIT
/*
 * share.c - one translation for all processes: the same physical pages in two and then in fifty
 * of them, those that come later included, while file, maps and private copies stay.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "guest.h"

#define MANY 50

static long answer(int letter, void *context)
{
	uint8_t *lib = context;

	switch (letter) {
	case '1':
		return lib_call(lib, &site_one);
	case '3':
		return lib_call(lib, &site_cross);
	case '4':
		return lib_call(lib, &site_four);
	case 'p':
		lib_call(lib, &site_one);
		return page_frame(0, lib + LIB_ONE);
	case 'q':
		lib_call(lib, &site_one);
		return page_frame(0, lib + LIB_CACHE);
	default:
		return -1;
	}
}

static char *maps(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	return slurp(path, NULL);
}

static void shares(const struct child *a, const struct child *b)
{
	check_is(child_ask(b, '1'), site_one.patched);
	check_is(child_ask(b, '3'), site_cross.patched);
	check(child_ask(a, 'p') != 0);
	check_is(child_ask(b, 'p'), child_ask(a, 'p'));
	check_is(child_ask(b, 'q'), child_ask(a, 'q'));
}

static void many(int device, const struct child *first)
{
	struct child children[MANY];
	int i;

	for (i = 0; i < MANY; i++) {
		children[i] = child_start(answer);
		check_is(child_ask(&children[i], '1'), site_one.plain);
		check_is(call_register(device, children[i].pid), DYNOPT_KMOD_OK);
	}
	for (i = 0; i < MANY; i++)
		shares(first, &children[i]);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 1);
	check_is(counter(device, DYNOPT_COUNTER_PROCESSES), MANY + 2);
	check_is(counter(device, DYNOPT_COUNTER_PATCHES), 2);
	/* One of the first site, two of the one across; three of the cache, as code crosses, too. */
	check_is(counter(device, DYNOPT_COUNTER_PAGES), 6);
	for (i = 0; i < MANY; i++)
		child_end(&children[i]);
	check_is(counter(device, DYNOPT_COUNTER_PROCESSES), 2);
}

int main(void)
{
	int device = device_open(), file;
	struct child a, b;
	size_t bytes;
	char *lib, *maps_before, *maps_after;

	lib_make(LIB);
	lib = slurp(LIB, &bytes);
	file = open(LIB, O_RDONLY | O_CLOEXEC);
	a = child_start(answer);
	b = child_start(answer);
	check_is(child_ask(&a, '1'), site_one.plain);
	check_is(child_ask(&b, '4'), site_four.plain);
	maps_before = maps(a.pid);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_NOT_MAPPED);
	check_is(call_register(device, a.pid), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
	check_is(child_ask(&a, '1'), site_one.patched);
	check_is(child_ask(&b, '1'), site_one.plain);
	check_is(call_register(device, b.pid), DYNOPT_KMOD_OK);
	check_is(call_register(device, b.pid), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_cross), DYNOPT_KMOD_OK);
	check_is(child_ask(&a, '3'), site_cross.patched);
	shares(&a, &b);
	maps_after = maps(a.pid);
	check(strcmp(maps_before, maps_after) == 0);
	many(device, &a);
	/* Readers see the file; so does a process that is not registered. */
	file_same(LIB, lib, bytes);
	check_is(call_undo(device, file, &site_one), DYNOPT_KMOD_OK);
	check_is(child_ask(&a, '1'), site_one.plain);
	check_is(child_ask(&b, '1'), site_one.plain);
	check_is(child_ask(&b, '3'), site_cross.patched);
	check_is(call_undo_all(device, file), DYNOPT_KMOD_OK);
	check_is(child_ask(&b, '3'), site_cross.plain);
	check_is(call_undo(device, file, &site_one), DYNOPT_KMOD_NO_PATCH);
	child_end(&a);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 1);
	child_end(&b);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
	check_is(counter(device, DYNOPT_COUNTER_PAGES), 0);
	check_is(counter(device, DYNOPT_COUNTER_MAPPINGS), 0);
	check_is(counter(device, DYNOPT_COUNTER_PROCESSES), 0);
	file_same(LIB, lib, bytes);
	return 0;
}
