// SPDX-License-Identifier: MIT
/*
 * flips.c - two sites change a hundred thousand times each while threads of several processes execute
 * them, one of them across two pages; processes fork meanwhile, and for a quarter of it one of real-time priority
 * does nothing but call both. Every call must return what the original or the translation returns.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "guest.h"

#define FLIPS 50000 /* pairs, of each site */

static void pass(uint32_t status)
{
	check_is(status, DYNOPT_KMOD_OK);
}

/* A child of a process with taken mappings, which itself computes and is gone. */
static void fork_one(const uint8_t *lib)
{
	pid_t pid = fork();
	int i;

	check(pid >= 0);
	if (pid) {
		wait_ok(pid);
		return;
	}
	for (i = 0; i < 100; i++) {
		int one = lib_call(lib, &site_one), cross = lib_call(lib, &site_cross);

		check(one == site_one.plain || one == site_one.patched);
		check(cross == site_cross.plain || cross == site_cross.patched);
	}
	_exit(0);
}

/* Returns the forks. */
static long flip(int device, int file, const uint8_t *lib, long flips)
{
	long i, forks = 0;

	for (i = 0; i < flips; i++) {
		pass(call_undo(device, file, &site_one));
		pass(call_patch(device, file, &site_one));
		pass(call_undo(device, file, &site_cross));
		pass(call_patch(device, file, &site_cross));
		if (i % 100 == 0) {
			fork_one(lib);
			forks++;
		}
	}
	return forks;
}

int main(int argc, char **argv)
{
	long flips = argc > 1 ? atol(argv[1]) : FLIPS, forks;
	int device = device_open(), file;
	uint64_t calls, served, spins;
	struct spinner *spinner;
	struct load *load;
	uint8_t *lib;

	lib_make(LIB);
	file = open(LIB, O_RDONLY | O_CLOEXEC);
	lib = lib_map(LIB);
	pass(call_register(device, 0));
	load = load_start(lib, 2, 2, true, device);
	pass(call_patch(device, file, &site_one));
	pass(call_patch(device, file, &site_cross));
	/* Five run on two processors; this one does not wait for its turn. */
	check(nice(-19) != -1);
	forks = flip(device, file, lib, flips - flips / 4);
	spinner = spinner_start(lib);
	forks += flip(device, file, lib, flips / 4);
	spins = spinner_stop(spinner);
	load_pass(load, 100);
	calls = load_stop(load);
	served = counter(device, DYNOPT_COUNTER_SERVED);
	printf("%ld changes, %ld forks, %llu calls, %llu in real time, %llu faults served\n",
	       flips * 4, forks, (unsigned long long)calls, (unsigned long long)spins,
	       (unsigned long long)served);
	check(spins > (uint64_t)flips / 10);
	/* Threads did run into the gate. */
	check(served > (uint64_t)flips / 10);
	check_is(lib_call(lib, &site_one), site_one.patched);
	check_is(lib_call(lib, &site_cross), site_cross.patched);
	pass(call_undo_all(device, file));
	check_is(lib_call(lib, &site_one), site_one.plain);
	check_is(lib_call(lib, &site_cross), site_cross.plain);
	return 0;
}
