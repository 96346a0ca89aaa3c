// SPDX-License-Identifier: MIT
/*
 * life.c - processes come and go: fork, exec, exit, kill -9, unregistering under load; files
 * too: no writer while they are owned, unmounting when the last process has gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guest.h"

static long answer(int letter, void *context)
{
	pid_t pid;
	int status;

	switch (letter) {
	case '1':
		return lib_call(context, &site_one);
	case 'f': /* what its child sees, and that one's child */
		pid = fork();
		if (!pid) {
			pid = fork();
			if (!pid)
				_exit(lib_call(context, &site_one));
			check(waitpid(pid, &status, 0) == pid);
			_exit(WEXITSTATUS(status) == lib_call(context, &site_one)
			              ? WEXITSTATUS(status)
			              : 99);
		}
		check(waitpid(pid, &status, 0) == pid);
		return WEXITSTATUS(status);
	case 'e': /* exec: not registered any more */
		pid = fork();
		if (!pid) {
			execl("/proc/self/exe", "life", "exec", NULL);
			_exit(98);
		}
		check(waitpid(pid, &status, 0) == pid);
		return WEXITSTATUS(status);
	case 'd':
		return munmap(context, LIB_BYTES);
	default:
		return -1;
	}
}

static void family(int device, int file)
{
	struct child a = child_start(answer);

	check_is(call_register(device, a.pid), DYNOPT_KMOD_OK);
	check_is(child_ask(&a, 'f'), site_one.plain);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
	check_is(child_ask(&a, 'f'), site_one.patched);
	check(counter(device, DYNOPT_COUNTER_FORKED) >= 2);
	check_is(counter(device, DYNOPT_COUNTER_PROCESSES), 1);
	check_is(child_ask(&a, 'e'), site_one.plain);
	check_is(counter(device, DYNOPT_COUNTER_PROCESSES), 1);
	check_is(child_ask(&a, '1'), site_one.patched);
	/* The mapping goes while the process lives. */
	check_is(child_ask(&a, 'd'), 0);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
	check_is(counter(device, DYNOPT_COUNTER_PROCESSES), 1);
	child_kill(&a);
	check_is(counter(device, DYNOPT_COUNTER_PROCESSES), 0);
	check_is(call_register(device, a.pid), DYNOPT_KMOD_NO_PROCESS);
	check_is(call_register(device, -1), DYNOPT_KMOD_BAD_REQUEST);
	check_is(call_unregister(device, 0), DYNOPT_KMOD_NO_PROCESS);
}

/* Killed in the midst of it, again and again, while the sites change. */
static void killed(int device, int file)
{
	uint8_t *lib = lib_map(LIB);
	int i, j, status;
	pid_t pids[4];

	check_is(call_register(device, 0), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
	for (i = 0; i < 20; i++) {
		for (j = 0; j < 4; j++) {
			pids[j] = fork();
			check(pids[j] >= 0);
			if (!pids[j])
				for (;;)
					lib_call(lib, &site_one);
		}
		for (j = 0; j < 20; j++) {
			check_is(call_undo(device, file, &site_one), DYNOPT_KMOD_OK);
			check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
		}
		for (j = 0; j < 4; j++) {
			check(kill(pids[j], SIGKILL) == 0);
			check(waitpid(pids[j], &status, 0) == pids[j]);
			check_is(status, SIGKILL);
		}
	}
	check_is(counter(device, DYNOPT_COUNTER_PROCESSES), 1);
	check_is(call_unregister(device, 0), DYNOPT_KMOD_OK);
	check_is(lib_call(lib, &site_one), site_one.plain);
	check_is(lib[LIB_CACHE], 0xcc);
	check(munmap(lib, LIB_BYTES) == 0);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
}

/* In and out while threads are in the translation; the pages are others' again at once. */
static void under_load(int device, int file)
{
	uint8_t *lib = lib_map(LIB);
	struct load *load = load_start(lib, 1, 3, false, device);
	pid_t pid;
	int i;

	check_is(call_register(device, 0), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_cross), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_four), DYNOPT_KMOD_OK);
	pid = load_pid(load, 0);
	for (i = 0; i < 40; i++) {
		check_is(call_register(device, pid), DYNOPT_KMOD_OK);
		load_pass(load, 64);
		check_is(call_unregister(device, pid), DYNOPT_KMOD_OK);
		load_pass(load, 64);
	}
	load_stop(load);
	check_is(call_undo_all(device, file), DYNOPT_KMOD_OK);
	check(munmap(lib, LIB_BYTES) == 0);
}

static void writers(int device, int file)
{
	struct child a = child_start(answer);
	int writer = open(LIB, O_WRONLY | O_CLOEXEC);

	check_is(call_register(device, a.pid), DYNOPT_KMOD_OK);
	check(writer >= 0);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_FILE_WRITTEN);
	close(writer);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
	check(open(LIB, O_WRONLY | O_CLOEXEC) < 0 && errno == ETXTBSY);
	check(truncate(LIB, 0) < 0 && errno == ETXTBSY);
	/* Another file in its place is another file. */
	lib_make(LIB ".new");
	check(rename(LIB ".new", LIB) == 0);
	check_is(child_ask(&a, '1'), site_one.patched);
	child_end(&a);
	writer = open(LIB, O_WRONLY | O_CLOEXEC);
	check(writer >= 0);
	close(writer);
}

/* The file system can go with the last process, whatever is patched. */
static void unmounting(int device)
{
	struct child a = child_start(answer), b = child_start(answer);
	int file = open(LIB, O_RDONLY | O_CLOEXEC);

	check_is(call_register(device, a.pid), DYNOPT_KMOD_OK);
	check_is(call_register(device, b.pid), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
	check_is(child_ask(&b, '1'), site_one.patched);
	close(file);
	child_end(&a);
	check(umount(LIB_DIR) < 0 && errno == EBUSY);
	child_kill(&b);
	check(umount(LIB_DIR) == 0);
	check(mount("/dev/vdb", LIB_DIR, "ext4", 0, "") == 0);
	check(access(LIB, R_OK) == 0);
}

int main(int argc, char **argv)
{
	int device, file;

	if (argc > 1 && !strcmp(argv[1], "exec"))
		return lib_call(lib_map(LIB), &site_one);
	device = device_open();
	lib_make(LIB);
	file = open(LIB, O_RDONLY | O_CLOEXEC);
	family(device, file);
	killed(device, file);
	under_load(device, file);
	writers(device, file);
	close(file);
	unmounting(device);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
	return 0;
}
