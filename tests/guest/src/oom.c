// SPDX-License-Identifier: MIT
/*
 * oom.c - registered processes eat all memory and are killed for it, while sites change: what
 * they had is given back, and everybody else computes right.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guest.h"

#define ROUNDS 1
#define BITE (32ul << 20)

static void right(const uint8_t *lib, const struct site *site)
{
	int value = lib_call(lib, site);

	check(value == site->plain || value == site->patched);
}

static _Noreturn void eat(const uint8_t *lib)
{
	int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	/* The first to be killed. */
	check(score >= 0 && write(score, "1000", 4) == 4);
	for (;;) {
		right(lib, &site_one);
		right(lib, &site_cross);
		check(mmap(NULL, BITE, PROT_READ | PROT_WRITE,
		           MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) != MAP_FAILED);
	}
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;
	int device = device_open(), file, status, i;
	uint64_t forked;
	uint8_t *lib;
	pid_t pid;

	lib_make(LIB);
	file = open(LIB, O_RDONLY | O_CLOEXEC);
	lib = lib_map(LIB);
	check_is(call_register(device, 0), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_cross), DYNOPT_KMOD_OK);
	for (i = 0; i < rounds; i++) {
		forked = counter(device, DYNOPT_COUNTER_FORKED);
		pid = fork();
		check(pid >= 0);
		if (!pid) {
			close(device);
			eat(lib);
		}
		while (waitpid(pid, &status, WNOHANG) == 0) {
			/* An undo needs no memory; patching again may find none. */
			check_is(call_undo(device, file, &site_one), DYNOPT_KMOD_OK);
			while (call_patch(device, file, &site_one) != DYNOPT_KMOD_OK)
				continue;
			right(lib, &site_one);
		}
		check_is(status, SIGKILL);
		check_is(counter(device, DYNOPT_COUNTER_FORKED), forked + 1);
		check_is(counter(device, DYNOPT_COUNTER_PROCESSES), 1);
		check_is(counter(device, DYNOPT_COUNTER_MAPPINGS), 1);
	}
	check_is(lib_call(lib, &site_one), site_one.patched);
	check_is(call_unregister(device, 0), DYNOPT_KMOD_OK);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
	check_is(lib_call(lib, &site_one), site_one.plain);
	return 0;
}
