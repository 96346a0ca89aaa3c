// SPDX-License-Identifier: MIT
/*
 * uprobe.c - a uprobe is set on a site and removed: before the site is patched, while it is,
 * and while it is undone. A uprobe that goes writes the file's first byte back; with the rest
 * of a jump behind it that would be another instruction.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "guest.h"

static long answer(int letter, void *context)
{
	switch (letter) {
	case '1':
		return lib_call(context, &site_one);
	case '2':
		return lib_call(context, &site_two);
	default:
		return -1;
	}
}

static int uprobe_type(void)
{
	const char *path = "/sys/bus/event_source/devices/uprobe/type";

	if (access(path, R_OK))
		guest_skip("this kernel has no uprobe events");
	return atoi(slurp(path, NULL));
}

/* Counts for all processes; each CPU wants its own, and one is enough to have the probe set. */
static int probe_set(uint64_t offset)
{
	struct perf_event_attr attr = { .size = sizeof(attr), .type = uprobe_type() };
	int fd;

	attr.config1 = (uintptr_t)LIB;
	attr.config2 = offset;
	fd = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	check(fd >= 0);
	return fd;
}

static void sees(const struct child *a, const struct child *b, bool patched)
{
	check_is(child_ask(a, '1'), patched ? site_one.patched : site_one.plain);
	check_is(child_ask(b, '1'), patched ? site_one.patched : site_one.plain);
}

int main(void)
{
	int device = device_open(), file, probe;
	struct child a, b;
	uint64_t mended;

	lib_make(LIB);
	file = open(LIB, O_RDONLY | O_CLOEXEC);
	a = child_start(answer);
	b = child_start(answer);
	sees(&a, &b, false);
	check_is(call_register(device, a.pid), DYNOPT_KMOD_OK);
	check_is(call_register(device, b.pid), DYNOPT_KMOD_OK);

	/* Set before anything: with a copy of the site's page nobody is taken over. */
	probe = probe_set(LIB_ONE);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_NOT_MAPPED);
	sees(&a, &b, false);
	close(probe);
	check_is(call_patch(device, file, &site_four), DYNOPT_KMOD_OK);
	sees(&a, &b, false);

	/* Set before the patch, in taken mappings: under the probe the original. */
	probe = probe_set(LIB_ONE);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
	sees(&a, &b, false);
	close(probe);
	sees(&a, &b, true);

	/* Set and removed while patched: the copies are the file's page then, and are let go. */
	mended = counter(device, DYNOPT_COUNTER_MENDED);
	probe = probe_set(LIB_ONE);
	check_is(counter(device, DYNOPT_COUNTER_MENDED), mended + 2);
	sees(&a, &b, false);
	close(probe);
	sees(&a, &b, true);

	/* With another jump on the page they are not: they stay, with the original instruction. */
	check_is(call_patch(device, file, &site_two), DYNOPT_KMOD_OK);
	probe = probe_set(LIB_ONE);
	sees(&a, &b, false);
	close(probe);
	sees(&a, &b, false);
	check_is(child_ask(&a, '2'), site_two.patched);
	check_is(call_undo_all(device, file), DYNOPT_KMOD_OK);
	sees(&a, &b, false);
	child_end(&a);
	child_end(&b);
	a = child_start(answer);
	b = child_start(answer);
	check_is(call_register(device, a.pid), DYNOPT_KMOD_OK);
	check_is(call_register(device, b.pid), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
	sees(&a, &b, true);

	/* Set while patched, undone under it, removed. */
	probe = probe_set(LIB_ONE);
	check_is(call_undo(device, file, &site_one), DYNOPT_KMOD_OK);
	sees(&a, &b, false);
	close(probe);
	sees(&a, &b, false);

	/* On another instruction of the page: the site in the copies stays what it was. */
	check_is(call_patch(device, file, &site_two), DYNOPT_KMOD_OK);
	check_is(child_ask(&a, '2'), site_two.patched);
	probe = probe_set(LIB_ONE);
	check_is(child_ask(&a, '2'), site_two.patched);
	sees(&a, &b, false);
	close(probe);
	check_is(child_ask(&a, '2'), site_two.patched);
	check_is(call_unregister(device, a.pid), DYNOPT_KMOD_OK);
	check_is(child_ask(&a, '2'), site_two.plain);
	check_is(child_ask(&b, '2'), site_two.patched);
	child_end(&a);
	child_end(&b);
	return 0;
}
